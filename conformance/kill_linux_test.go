package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// A death is something that ends a netstack's interface, or its device, or looks
// like it.
type death struct {
	name string
	on   func(*testing.T) *victim
	// come brings it about, and checks what has to come of it.
	come func(*victim)
}

var (
	removeNIC = death{"RemoveNIC", onTAP, func(v *victim) {
		if err := v.ours.Stack().RemoveNIC(1); err != nil {
			v.t.Errorf("RemoveNIC: %v", err)
		}
	}}
	destroy = death{"Destroy", onTAP, func(v *victim) { v.ours.Stack().Destroy() }}
	deaths  = []death{
		removeNIC, destroy,
		{"Close", onTAP, func(v *victim) { v.ours.Endpoint().Close() }},
		{"TAP deleted", onTAP, func(v *victim) {
			wiretest.Check(v.t, netns.DelLink(v.wire.iface))
			v.wantGone()
		}},
		{"TAP in a deleted namespace", onTAP, (*victim).loseNamespace},
		{"datagram peer closed", func(t *testing.T) *victim { return onSocketpair(t, unix.SOCK_DGRAM) }, func(v *victim) {
			v.peer.Close()
			// Of datagrams the kernel says it only to who sends.
			v.dev.Write(0, []ethstack.Frame{{Bufs: [][]byte{make([]byte, minFrame)}}})
			v.wantGone()
		}},
		{"seqpacket peer closed", func(t *testing.T) *victim { return onSocketpair(t, unix.SOCK_SEQPACKET) }, func(v *victim) {
			v.peer.Close()
			v.wantGone()
		}},
		{"interface flap", onTAP, (*victim).flap},
	}
)

// wantGone waits until the loss of the device is known to all who ask.
func (v *victim) wantGone() {
	v.t.Helper()
	wiretest.WaitFor(v.t, "the link is gone, and OnLinkState is told", func() bool {
		return v.ours.Endpoint().Status() == ethstack.LinkGone && v.wasTold(ethstack.LinkGone)
	})
	_, err := v.dev.Write(0, []ethstack.Frame{{Bufs: [][]byte{make([]byte, minFrame)}}})
	if !errors.Is(err, ethstack.ErrDisconnected) {
		v.t.Errorf("writing to the device: %v, want %v", err, ethstack.ErrDisconnected)
	}
}

// loseNamespace moves the TAP into a namespace that is given up then. As long as
// the device watches the interface there the namespace may live; with the
// device it must go, and takes the other end of a cable with it.
func (v *victim) loseNamespace() {
	v.t.Helper()
	const here, there = "here", "there"
	ns, err := netns.New()
	wiretest.Check(v.t, err)
	wiretest.Check(v.t, netns.AddVeth(here, there), netns.MoveLink(there, ns), netns.MoveLink(v.wire.iface, ns), ns.Close())
	v.ours.Close()
	wiretest.WaitFor(v.t, "the namespace is gone", func() bool {
		_, err := netns.Link(here)
		return errors.Is(err, unix.ENODEV)
	})
}

// flap takes the interface down and up. Traffic goes on.
func (v *victim) flap() {
	v.t.Helper()
	wiretest.Check(v.t, netns.SetDown(v.wire.iface))
	v.wantState(ethstack.LinkDown)
	wiretest.Check(v.t, netns.SetUp(v.wire.iface))
	v.wantState(ethstack.LinkUp)
}

func (v *victim) wantState(s ethstack.LinkState) {
	v.t.Helper()
	wiretest.WaitFor(v.t, fmt.Sprintf("the link is %v, and OnLinkState is told", s), func() bool {
		return v.ours.Endpoint().Status() == s && v.wasTold(s)
	})
}

// TestKill: whatever ends an interface returns, whatever goes on meanwhile, and
// leaves nothing behind. After what does not end it, traffic goes on.
func TestKill(t *testing.T) {
	for _, d := range deaths {
		t.Run(d.name, func(t *testing.T) {
			var longest slowest
			for _, l := range loads {
				t.Run(l.name, func(t *testing.T) {
					withProcs(t, func(t *testing.T) { longest.add(d.kill(t, l)) })
				})
			}
			t.Logf("%v at most", time.Duration(longest).Round(time.Microsecond))
		})
	}
}

// kill returns how long a death took.
func (d death) kill(t *testing.T, l load) time.Duration {
	defer watch(t, d.name, 3*wiretest.Patience)()
	v := d.on(t)
	stop := l.start(v)
	start := time.Now()
	within(t, d.name, func() { d.come(v) })
	took := time.Since(start)
	stop()
	if ep := v.ours.Endpoint(); ep.Status() == ethstack.LinkUp && ep.IsAttached() {
		// A flood has left the TAP's queue full, where a ping may be lost.
		wiretest.WaitFor(t, "traffic goes on", func() bool {
			_, err := lab.Ping(t.Context(), v.wire.kernel, oursIPv4, lab.PingSize)
			return err == nil
		})
		v.wire.ping(v.ours, v.wire.kernel)
	}
	within(t, "closing the rest", v.ours.Close)
	return took
}

// TestRemovedUnderFlood: RemoveNIC and Destroy return while packets come in,
// however often.
func TestRemovedUnderFlood(t *testing.T) {
	flood := loads[1]
	for _, d := range []death{removeNIC, destroy} {
		t.Run(d.name, func(t *testing.T) {
			withProcs(t, func(t *testing.T) {
				var longest slowest
				rounds := 100
				if testing.Short() {
					rounds = 5
				}
				for i := range rounds {
					t.Run(strconv.Itoa(i), func(t *testing.T) { longest.add(d.kill(t, flood)) })
				}
				t.Logf("%d times, %v at most", rounds, time.Duration(longest).Round(time.Microsecond))
				if !raceDetector && longest > slowest(time.Second) {
					t.Errorf("%s took %v, want less than a second", d.name, time.Duration(longest))
				}
			})
		})
	}
}
