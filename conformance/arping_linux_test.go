package conformance

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// arping is the one of iputils, which most systems have.
func arping(t *testing.T, ns *netns.Namespace, args ...string) *nstest.Process {
	t.Helper()
	return nstest.Start(t, ns, nstest.NeedProgram(t, "arping", "iputils-arping"), args...)
}

// TestArping: arping gets an answer from us to each of its questions, whether
// they are broadcast or not, and none for an address that is not ours.
func TestArping(t *testing.T) {
	lasting(t, time.Minute)
	w := newWire(t, wireOptions{quiet: true})
	p := w.listen()
	type run struct {
		args    []string
		replies int
		status  int
	}
	var runs []run
	for _, flags := range [][]string{{"-c", "2"}, {"-b", "-c", "2"}} {
		runs = append(runs, run{append(flags, "-I", w.iface, oursIPv4.String()), 2, 0})
	}
	absent := netip.AddrFrom4(bob.ipv4.As4()).String()
	runs = append(runs,
		run{[]string{"-c", "1", "-w", "1", "-I", w.iface, absent}, 0, 1},
		// RFC 5227 §2.1.1: probes, which have the sender address 0.0.0.0.
		run{[]string{"-D", "-c", "1", "-w", "1", "-I", w.iface, oursIPv4.String()}, 1, 1},
		run{[]string{"-D", "-c", "1", "-w", "1", "-I", w.iface, absent}, 0, 0})
	replies := 0
	for _, r := range runs {
		process := arping(t, nil, r.args...)
		status := process.Wait()
		want := fmt.Sprintf("Received %d response(s)", r.replies)
		if out := process.Output(); status != r.status || !strings.Contains(out, want) {
			t.Errorf("arping %v: status %d, want %d and %q; it said:\n%s", r.args, status, r.status, want, out)
		}
		replies += r.replies
	}
	ours := isReplyFor(tcpip.AddrFrom4(oursIPv4.As4()))
	if n := count(p.fence(), ours); n != replies {
		t.Errorf("%d replies were sent to %d questions", n, replies)
	}
}

// TestArpingMoves: R5, a neighbor's address moves to another host, which says so
// with arping in either form, the old host being gone: we follow, within the time
// that it takes to see that the old one does not answer.
func TestArpingMoves(t *testing.T) {
	for _, flag := range []string{"-U", "-A"} {
		t.Run(flag, func(t *testing.T) {
			ctx := lasting(t, time.Minute)
			l := newBridgeLan(t)
			if _, err := lab.Ping(ctx, l.ours, kernelIPv4, lab.PingSize); err != nil {
				t.Fatal(err)
			}
			wiretest.Check(t,
				l.further.Do(func() error { return netns.AddAddr("new", subnet(kernelIPv4)) }),
				l.oldNS.Do(func() error { return netns.SetDown("old") }))
			// The second is sent a second after the first: nothing is believed for
			// so long after the neighbor was found.
			p := arping(t, l.further, flag, "-c", "3", "-I", "new", "-s", kernelIPv4.String(), kernelIPv4.String())
			wiretest.WaitFor(t, "the neighbor has moved", func() bool {
				hw, ok := l.ours.Endpoint().Interface().Lookup(kernelIPv4.As4())
				return ok && hardwareAddr(hw) == l.furthest
			})
			if _, err := lab.Ping(ctx, l.ours, kernelIPv4, lab.PingSize); err != nil {
				t.Error(err)
			}
			if status := p.Wait(); status != 0 {
				t.Errorf("arping's status is %d, want 0; it said:\n%s", status, p.Output())
			}
		})
	}
}

// TestArpingStays: who says so while the old host is there, and answers, is not
// believed.
func TestArpingStays(t *testing.T) {
	ctx := lasting(t, time.Minute)
	l := newBridgeLan(t)
	if _, err := lab.Ping(ctx, l.ours, kernelIPv4, lab.PingSize); err != nil {
		t.Fatal(err)
	}
	wiretest.Check(t, l.further.Do(func() error { return netns.AddAddr("new", subnet(kernelIPv4)) }))
	for _, flag := range []string{"-U", "-A"} {
		arping(t, l.further, flag, "-c", "2", "-I", "new", "-s", kernelIPv4.String(), kernelIPv4.String()).Wait()
	}
	if hw, ok := l.ours.Endpoint().Interface().Lookup(kernelIPv4.As4()); !ok || hw != l.old.HardwareAddr() {
		t.Errorf("the neighbor is at %v, %v; want %v, which answers", hw, ok, l.old.HardwareAddr())
	}
}
