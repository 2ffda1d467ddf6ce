package conformance

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// Times by which both ends of a wire age neighbors: short, but such that a state
// is seen by who looks each millisecond.
const (
	briefReachable  = time.Second // the least that ours takes
	briefDelay      = 200 * time.Millisecond
	briefRetransmit = 200 * time.Millisecond
)

// newBriefWire makes a wire whose ends age neighbors in such times.
func newBriefWire(t *testing.T) *wire {
	t.Helper()
	w := newWire(t, wireOptions{endpoint: endpoint.Options{ARP: arp.Config{
		ReachableTime: briefReachable, DelayTime: briefDelay, ProbeInterval: briefRetransmit,
	}}})
	c := stack.DefaultNUDConfigurations()
	c.BaseReachableTime, c.DelayFirstProbeTime, c.RetransmitTimer = briefReachable, briefDelay, briefRetransmit
	if err := w.ours.Stack().SetNUDConfigurations(1, ipv6.ProtocolNumber, c); err != nil {
		t.Fatal(err)
	}
	wiretest.Check(t, netns.SetNeighborTimes(w.iface, netns.NeighborTimes{
		Reachable: briefReachable, Delay: briefDelay, Retransmit: briefRetransmit,
	}))
	return w
}

// A life is what a station's entry of a neighbor has been, in order.
type life struct {
	t    testing.TB
	of   lab.Station
	addr netip.Addr
	over chan struct{}
	done sync.WaitGroup

	mu     sync.Mutex
	states []string
}

// watchLife looks at an entry each millisecond until the test ends.
func watchLife(t testing.TB, of lab.Station, addr netip.Addr) *life {
	l := &life{t: t, of: of, addr: addr, over: make(chan struct{})}
	l.done.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-l.over:
				return
			case <-tick.C:
				l.look()
			}
		}
	})
	t.Cleanup(func() {
		close(l.over)
		l.done.Wait()
	})
	return l
}

func (l *life) look() {
	list, err := l.of.Neighbors()
	if err != nil {
		l.t.Errorf("looking at the neighbors of %s: %v", l.of.Name(), err)
		return
	}
	state := lab.FindNeighbor(list, l.addr).State
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.states); n == 0 || l.states[n-1] != state {
		l.states = append(l.states, state)
	}
}

// is reports whether the entry is in a state now.
func (l *life) is(state string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.states) > 0 && l.states[len(l.states)-1] == state
}

// forget starts the life anew with the present state.
func (l *life) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states = slices.Clone(l.states[len(l.states)-1:])
}

// wait waits until the entry is in a state.
func (l *life) wait(state string) {
	l.t.Helper()
	for deadline := time.Now().Add(wiretest.Patience); !l.is(state); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("%s's neighbor %v was %v and does not become %s", l.of.Name(), l.addr, l.soFar(), state)
		}
	}
}

func (l *life) soFar() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.states)
}

// want wants the entry to have been in these states, in this order.
func (l *life) want(states ...string) {
	l.t.Helper()
	if got := l.soFar(); !slices.Equal(got, states) {
		l.t.Errorf("%s's neighbor %v was %v, want %v", l.of.Name(), l.addr, got, states)
	}
}

// wantWithout is want where one state may have been or not.
func (l *life) wantWithout(any string, states ...string) {
	l.t.Helper()
	got := slices.DeleteFunc(l.soFar(), func(s string) bool { return s == any })
	if !slices.Equal(got, states) {
		l.t.Errorf("%s's neighbor %v was %v, want %v", l.of.Name(), l.addr, got, states)
	}
}

// silence makes a station answer nobody; the function that it returns undoes it.
func (w *wire) silence(s lab.Station, v6 bool) (undo func()) {
	w.t.Helper()
	if s == lab.Station(w.ours) {
		if err := w.ours.Stack().DisableNIC(1); err != nil {
			w.t.Fatal(err)
		}
		return func() {
			if err := w.ours.Stack().EnableNIC(1); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if v6 {
		wiretest.Check(w.t, netns.SetIPv6(w.iface, false))
		return func() {
			wiretest.Check(w.t, netns.SetIPv6(w.iface, true), netns.AddAddr(w.iface, subnet(kernelIPv6)))
		}
	}
	ignore := "ipv4/conf/" + w.iface + "/arp_ignore"
	wiretest.Check(w.t, netns.SetSysctl(ignore, "8")) // reply for no local address
	return func() { wiretest.Check(w.t, netns.SetSysctl(ignore, "0")) }
}

// probes returns a filter for the unicast question of one end for the other.
func (w *wire) probes(y way) func(frame) bool {
	match := isRequestFor(tcpip.AddrFromSlice(y.at.AsSlice()))
	if y.at.Is6() {
		match = isSolicitationFor(tcpip.AddrFromSlice(y.at.AsSlice()))
	}
	from, to := hw(y.from.HardwareAddr()), hw(y.to.HardwareAddr())
	return func(f frame) bool { return match(f) && f.from() == from && f.to() == to }
}

// TestKernelNeighborLife: the entry of either end of the other goes through all
// states: it is resolved, ages, is used, probed by unicast and confirmed, ages
// again, and fails when the other has gone silent. Then it is found anew.
//
// RFC 4861 §7.3.2, RFC 1122 §2.3.2.1(3)
func TestKernelNeighborLife(t *testing.T) {
	for i, name := range []string{"kernel's, IPv4", "ours, IPv4", "kernel's, IPv6", "ours, IPv6"} {
		t.Run(name, func(t *testing.T) {
			lasting(t, time.Minute)
			w := newBriefWire(t)
			w.neighborLife(w.ways(oursIPv4, oursIPv6)[i])
		})
	}
}

func (w *wire) neighborLife(y way) {
	w.t.Helper()
	failed := "failed"
	switch {
	case y.from == lab.Station(w.ours) && y.at.Is6():
		failed = "unreachable" // netstack's word
	case y.from == lab.Station(w.ours):
		// RFC 4861 §7.3.3: the entry should be deleted.
		failed = "absent"
	}
	wire := w.listen().all()
	found := func() bool {
		_, err := lab.Ping(w.t.Context(), y.from, y.at, lab.PingSize)
		return err == nil
	}
	wiretest.WaitFor(w.t, "it is found", found)
	l := watchLife(w.t, y.from, y.at)
	l.wait("stale")
	// What is sent by UDP is not answered, and confirms nothing.
	server, err := y.to.ListenUDP(netip.AddrPortFrom(y.at, openPort))
	wiretest.Check(w.t, err)
	defer server.Close()
	c, err := y.from.DialUDP(netip.AddrPortFrom(y.at, openPort))
	wiretest.Check(w.t, err)
	defer c.Close()

	wire.fence()
	l.forget()
	_, err = c.Write([]byte("use"))
	wiretest.Check(w.t, err)
	l.wait("reachable")
	l.wantWithout("probe", "stale", "delay", "reachable") // too short to be seen for sure
	if n := count(wire.fence(), w.probes(y)); n != 1 {
		w.t.Errorf("%d unicast probes were sent, want 1, which was answered", n)
	}

	l.wait("stale")
	undo := w.silence(y.to, y.at.Is6())
	l.forget()
	_, err = c.Write([]byte("use"))
	wiretest.Check(w.t, err)
	l.wait(failed)
	l.want("stale", "delay", "probe", failed)
	undo()
	// MAX_UNICAST_SOLICIT, RFC 4861 §10.
	if n := count(wire.fence(), w.probes(y)); n != 3 {
		w.t.Errorf("%d unicast probes were sent in vain, want 3", n)
	}
	wiretest.WaitFor(w.t, "it is found anew", found)
}
