package ethstack_test

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

// blocked lets a packet of the station's block in Resolved, as a slow device
// does, on a goroutine that passes for a reader. The result ends that.
func blocked(s *station) (end func()) {
	s.t.Helper()
	begun, release := make(chan struct{}), make(chan struct{})
	p := &packet{resolved: func(ethstack.HardwareAddr) {
		close(begun)
		<-release
	}}
	s.i.Resolve(peer, ours, 100, p)
	var wg sync.WaitGroup
	wg.Go(func() { s.hears(answers()) })
	<-begun
	return func() {
		close(release)
		wg.Wait()
	}
}

// TestBusy floods an interface while what it does takes long. What piles up is
// bounded, what does not fit is counted, and afterwards all goes on.
func TestBusy(t *testing.T) {
	const flood = 5000
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	s.resolve(nobody)
	s.clock.Advance(10 * time.Second) // it has failed
	end := blocked(s)
	before := s.i.Stats()
	for range flood {
		s.hears(asked(ours))
	}
	full := s.i.Stats()
	refused := full.Drops[ethstack.DropARPBusy]
	taken := full.RxARP - before.RxARP
	if taken == 0 || taken > 512 || taken+refused != flood {
		t.Errorf("of %d requests %d were taken in and %d refused, want at most 512 and the others", flood, taken, refused)
	}
	// An answer still finds room.
	waiting, _ := s.resolve(ours.Next().Next())
	answer := answers()
	answer.SenderAddr = ours.Next().Next()
	s.hears(answer)
	var packets []*packet
	for range flood {
		p, _ := s.resolve(nobody)
		packets = append(packets, p)
	}
	late := slices.IndexFunc(packets, func(p *packet) bool { return p.told.Load() != 0 })
	if late < 0 || late > 1024 || packets[late].outcome() != "pending queues full" {
		t.Errorf("the first of %d packets to be refused at once is number %d, want one of the first 1024", flood, late)
	}
	end()
	s.clock.Advance(0)
	if waiting.outcome() != "sent" {
		t.Errorf("a packet whose next hop answered meanwhile: %s, want it sent", waiting.outcome())
	}
	for n, p := range packets {
		if p.told.Load() != 1 {
			t.Fatalf("packet %d: %s", n, p.outcome())
		}
	}
	s.take()
	s.hears(asked(ours))
	wantSent(t, s, "after the flood", oursIsAt)
}

// TestTimeGoesOnWhileBusy: requests run out although something blocks what is
// to be done about it.
func TestTimeGoesOnWhileBusy(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	end := blocked(s)
	p, _ := s.resolve(nobody)
	s.clock.Advance(5 * time.Second)
	if e, _ := s.i.Neighbor(nobody); e.State != arp.Failed {
		t.Errorf("after 5 s: %v, want %v", e.State, arp.Failed)
	}
	if p.outcome() != "waits" {
		t.Errorf("a packet: %s, while something else blocks", p.outcome())
	}
	end()
	s.clock.Advance(0)
	if p.outcome() != "next hop unreachable" {
		t.Errorf("a packet: %s, want its next hop to be unreachable", p.outcome())
	}
}

// TestReaderGoesBackToReading: a goroutine that does what is to be done does a
// bounded part of it, however much others add.
func TestReaderGoesBackToReading(t *testing.T) {
	var s *station
	done := 0
	var again func(ethstack.HardwareAddr)
	again = func(ethstack.HardwareAddr) {
		if done++; done < 1000 {
			// Being sent, it makes more to be done: another next hop that answers.
			answer := answers()
			answer.SenderAddr = netip.AddrFrom4([4]byte{10, 1, byte(done >> 8), byte(done)})
			s.i.Resolve(answer.SenderAddr, ours, 100, &packet{resolved: again})
			s.hears(answer)
		}
	}
	s = newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	s.i.Resolve(peer, ours, 100, &packet{resolved: again})
	s.hears(answers())
	if done == 0 || done > 300 {
		t.Errorf("one frame that was read led to %d packets being sent before the next, want some and not all", done)
	}
	s.clock.Advance(0)
	if done != 1000 {
		t.Errorf("%d packets were sent in the end, want 1000", done)
	}
}

// TestCallbacksMayCallBack: what a Pending and OnEvent call takes no lock that is
// held.
func TestCallbacksMayCallBack(t *testing.T) {
	var s *station
	var events []string
	nested := new(packet)
	s = newStation(t, ethstack.Options{OnEvent: func(e arp.Event) {
		events = append(events, e.Kind.String()+" "+e.State.String())
		s.i.Lookup(e.Addr.As4())
		s.i.Neighbor(e.Addr)
		s.i.Stats()
		if e.State == arp.Reachable {
			if err := s.AddIPv4(nobody); err != nil {
				t.Error(err)
			}
		}
	}}, ethstack.LinkOptions{}).withAddress()
	p := &packet{resolved: func(ethstack.HardwareAddr) { s.i.Resolve(ours.Next().Next(), ours, 100, nested) }}
	s.i.Resolve(peer, ours, 100, p)
	s.hears(answers())
	s.clock.Advance(0)
	if want := []string{"added incomplete", "state reachable", "added incomplete"}; !slices.Equal(events, want) {
		t.Errorf("events %q, want %q", events, want)
	}
	want := []string{"who has 10.0.0.2? tell 10.0.0.1", "who has 10.0.0.3? tell 10.0.0.1", "announce 10.0.0.9 at 02:00:00:00:00:01"}
	if got := s.take(); !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	if p.outcome() != "sent" || nested.outcome() != "waits" {
		t.Errorf("the packet: %s; the one it made: %s", p.outcome(), nested.outcome())
	}
}
