package conformance

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestKernelARPUnanswered: nobody is told that we have an address which is not
// one of ours alone.
func TestKernelARPUnanswered(t *testing.T) {
	for _, companion := range []bool{false, true} {
		t.Run(fmt.Sprintf("companion=%v", companion), func(t *testing.T) {
			lasting(t, time.Minute)
			w := newWire(t, wireOptions{quiet: true, companion: companion})
			p := w.listen()
			for _, target := range []tcpip.Address{
				limitedBroadcast, subnetBroadcast,
				tcpip.AddrFrom4([4]byte{10, 1, 0, 0}), header.IPv4Any,
				tcpip.AddrFrom4([4]byte{224, 0, 0, 1}), tcpip.AddrFrom4([4]byte{239, 1, 2, 3}),
				tcpip.AddrFrom4([4]byte{127, 0, 0, 1}),
				bob.ipv4, gateway.ipv4, offLink,
			} {
				for _, to := range []hardwareAddr{everybody, hw(w.ours.HardwareAddr())} {
					p.send(request(alice, to, target))
				}
			}
			for _, s := range p.fence() {
				if m, ok := s.arp(); ok && m.op == opReply {
					t.Errorf("a request was answered with %v", s.frame)
				}
			}
		})
	}
}

// TestKernelARPForms: however long a request is, it is answered once, with
// nothing in the padding.
func TestKernelARPForms(t *testing.T) {
	lasting(t, time.Minute)
	w := newWire(t, wireOptions{quiet: true})
	p := w.listen()
	var asked []peer
	for i, n := range []int{headerLen + arpLen, minFrame, 1514} {
		from := newPeer(byte(100 + i))
		f := ether(everybody, from.hw, typeARP, newARP(opRequest, from.hw, from.ipv4, nobody, ownIPv4).bytes())
		p.send(f.padded(n))
		asked = append(asked, from)
	}
	answers := p.fence()
	for i, from := range asked {
		if n := count(answers, isReplyTo(from)); n != 1 {
			t.Errorf("request %d of 3 had %d answers, want 1", i+1, n)
		}
	}
	for _, s := range answers {
		if _, ok := s.arp(); !ok {
			continue
		}
		if len(s.frame) != minFrame {
			t.Errorf("an ARP packet was sent in %d bytes, want %d", len(s.frame), minFrame)
		}
		for _, b := range s.frame[headerLen+arpLen:] {
			if b != 0 {
				t.Fatalf("the padding is not zero: % x", []byte(s.frame))
			}
		}
	}
}

// TestKernelUnresolvable: whoever dials a host that is not there is told so,
// and however many dial it, it is asked for by one series of requests.
func TestKernelUnresolvable(t *testing.T) {
	const dialers, requests = 100, 3
	ctx := lasting(t, time.Minute)
	w := newWire(t, wireOptions{quiet: true})
	p := w.listen()
	absent := netip.AddrFrom4(bob.ipv4.As4())
	start := time.Now()
	var dialing sync.WaitGroup
	errs := make([]error, dialers)
	for i := range errs {
		dialing.Go(func() {
			c, err := w.ours.Dial(ctx, netip.AddrPortFrom(absent, 80))
			if err == nil {
				c.Close()
			}
			errs[i] = err
		})
	}
	dialing.Wait()
	took := time.Since(start)
	for _, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "no route to host") {
			t.Fatalf("dialing a host that is not there: %v", err)
		}
	}
	// After the last one another may be sent each second, if there is somebody
	// who still tries.
	n := count(p.fence(), isRequestFor(bob.ipv4))
	if most := 1 + int(time.Since(start).Seconds()); n < requests || n > most {
		t.Errorf("%d requests were sent, want from %d to %d", n, requests, most)
	}
	t.Logf("%d dials failed after %v and %d requests", dialers, took.Round(time.Millisecond), n)
	// That it is not there is known now.
	start = time.Now()
	if _, err := w.ours.Dial(ctx, netip.AddrPortFrom(absent, 80)); err == nil || time.Since(start) > took/2 {
		t.Errorf("dialing it again: %v after %v; want an error at once", err, time.Since(start))
	}
	w.ping(w.ours, w.kernel)
	wiretest.Check(t, ctx.Err())
}
