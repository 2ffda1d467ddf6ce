package ethstack_test

import (
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/google/go-cmp/cmp"
)

// TestCloseUnderLoad closes a link from several goroutines at once, while others
// let packets wait, query, use what is known, and the device fails to read. All
// return, and each packet is told once what came of it.
func TestCloseUnderLoad(t *testing.T) {
	for _, procs := range []int{1, 2} {
		old := runtime.GOMAXPROCS(procs)
		for range 30 {
			closeUnderLoad(t)
		}
		runtime.GOMAXPROCS(old)
	}
}

func closeUnderLoad(t *testing.T) {
	t.Helper()
	pa, pb, err := ethtest.Pipe(ethtest.PortOptions{}, ethtest.PortOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := connect(t, pa, ours), connect(t, pb, peer)
	var mu sync.Mutex
	var packets []*packet
	var wg sync.WaitGroup
	for n := range byte(3) {
		wg.Go(func() {
			for k := 0; ; k++ {
				// Some for the peer, most for nobody.
				to := netip.AddrFrom4([4]byte{10, 0, n, byte(k)})
				if k%8 == 0 {
					to = peer
				}
				p := new(packet)
				_, result := a.Interface().Resolve(to, ours, 100, p)
				if result == arp.Resolved {
					continue
				}
				mu.Lock()
				packets = append(packets, p)
				mu.Unlock()
				if result == arp.Rejected && p.told.Load() == 1 && p.reason == arp.DropClosed {
					return
				}
			}
		})
		wg.Go(func() {
			for {
				pa.FailRead(errors.New("a device's bad day"))
				_, err := a.QueryARPv4(t.Context(), netip.AddrFrom4([4]byte{10, 1, n, 1}))
				if errors.Is(err, ethstack.ErrDisconnected) {
					return
				}
			}
		})
	}
	until(t, "many packets wait", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(packets) > 500
	})
	var closing sync.WaitGroup
	for range 4 {
		closing.Go(func() {
			if err := a.Disconnect(); err != nil {
				t.Errorf("Disconnect: %v", err)
			}
		})
	}
	closing.Wait()
	b.Disconnect()
	wg.Wait()
	outcomes := map[int32]int{}
	for _, p := range packets {
		outcomes[p.told.Load()]++
	}
	if outcomes[1] != len(packets) {
		t.Fatalf("packets by how often they were told: %v, want all once", outcomes)
	}
}

// TestCloseDropsWhatWaits: what came of each packet, when the link is closed or
// the interface alone.
func TestCloseDropsWhatWaits(t *testing.T) {
	for name, end := range map[string]func(*station){
		"link":      func(s *station) { s.i.Link().Close() },
		"interface": func(s *station) { s.i.Close() },
	} {
		s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
		one, _ := s.resolve(peer)
		two, _ := s.resolve(nobody)
		s.clock.Advance(0)
		s.take()
		end(s)
		end(s)
		late, result := s.resolve(peer)
		got := []string{one.outcome(), two.outcome(), late.outcome(), result.String()}
		if diff := cmp.Diff([]string{"closed", "closed", "closed", "rejected"}, got); diff != "" {
			t.Errorf("%s: one, two, one that is too late, and its result (-want +got):\n%s", name, diff)
		}
		if n := s.i.Stats().Pending[arp.DropClosed]; n != 3 {
			t.Errorf("%s: %d counted as dropped, want 3", name, n)
		}
		s.hears(asked(ours))
		s.hears(answers())
		s.i.FlushNeighbors()
		s.clock.Advance(0)
		if _, ok := s.clock.Next(); ok || len(s.sent) != 0 {
			t.Errorf("%s: something goes on: timer set %v, sent %q", name, ok, s.sent)
		}
	}
}

// TestCloseFromOnState: who is told that the device has gone may close the link.
func TestCloseFromOnState(t *testing.T) {
	var link atomic.Pointer[ethstack.Link]
	var states []ethstack.LinkState
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{OnState: func(state ethstack.LinkState) {
		states = append(states, state)
		if state == ethstack.LinkGone {
			if err := link.Load().Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	}}).withAddress()
	link.Store(s.i.Link())
	s.i.Link().Start()
	p, _ := s.resolve(peer)
	s.clock.Advance(0)
	s.port.SetLinkState(ethstack.LinkGone)
	s.clock.Advance(0)
	// The flush comes first.
	if p.outcome() != "flushed" {
		t.Errorf("a packet that waited: %s, want it flushed", p.outcome())
	}
	if diff := cmp.Diff([]ethstack.LinkState{ethstack.LinkUp, ethstack.LinkGone}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if late, _ := s.resolve(peer); late.outcome() != "closed" {
		t.Errorf("a packet after that: %s, want closed", late.outcome())
	}
}

// TestReplaceFromOnState: who is told that the device has gone may replace it,
// and Close waits for the old device's readers, too.
func TestReplaceFromOnState(t *testing.T) {
	spare := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	var link atomic.Pointer[ethstack.Link]
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{OnState: func(state ethstack.LinkState) {
		if state == ethstack.LinkGone {
			if err := link.Load().Replace(spare.port); err != nil {
				t.Errorf("Replace: %v", err)
			}
		}
	}}).withAddress()
	link.Store(s.i.Link())
	s.i.Link().Start()
	s.port.SetLinkState(ethstack.LinkGone)
	s.clock.Advance(0)
	if s.ID() != ethstack.Device(spare.port) || s.i.Link().State() != ethstack.LinkUp {
		t.Errorf("the device is %v and the link %v; want the other one, up", s.ID(), s.i.Link().State())
	}
	s.clock.Advance(0)
	if diff := cmp.Diff([]string{announceOurs}, spare.take()); diff != "" {
		t.Errorf("on the other device (-want +got):\n%s", diff)
	}
}
