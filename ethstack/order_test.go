package ethstack_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/google/go-cmp/cmp"
)

// TestOrderAcrossRelease lets several senders send numbered packets to one
// neighbor, the way an endpoint does: by the table if it has the address,
// waiting if not. Meanwhile the neighbor is forgotten and found again all the
// time. Packets may get lost by that; but none may overtake another.
func TestOrderAcrossRelease(t *testing.T) {
	const senders = 4
	// It goes on until so many packets were sent at once and had to wait.
	const wantHits, wantWaited = 20000, 2000
	pa, pb, err := ethtest.Pipe(ethtest.PortOptions{HardwareAddr: hw1}, ethtest.PortOptions{HardwareAddr: hw2, QueueLen: 1 << 12})
	if err != nil {
		t.Fatal(err)
	}
	a, b := connect(t, pa, ours), connectListening(t, pb, peer, checkOrder(t, senders))

	var over atomic.Bool
	var forgetting, sending sync.WaitGroup
	forgetting.Go(func() {
		for n := 0; !over.Load(); n++ {
			// It is asked for once a second at most; so it tells its address itself.
			switch n % 3 {
			case 0:
				a.Interface().FlushNeighbors()
			case 1:
				a.Interface().RemoveNeighbor(peer)
			}
			b.Interface().RemoveNeighbor(ours)
			a.Input(arpFrame(hwAll, asked(ours)), ethstack.Handlers{})
			time.Sleep(200 * time.Microsecond)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var hits, told, waited atomic.Int64
	for sender := range uint32(senders) {
		sending.Go(func() {
			for number := uint32(1); ctx.Err() == nil && (hits.Load() < wantHits || waited.Load() < wantWaited); number++ {
				send := func(to ethstack.HardwareAddr) {
					// What a full port refuses is lost, and is no matter here.
					_, _ = a.Interface().Write(0, plain(numbered(to, hw1, sender, number)))
				}
				hw, ok := a.Interface().Lookup(peer.As4())
				if !ok {
					p := &countedPacket{resolved: send, told: &told}
					var result arp.Result
					if hw, result = a.Interface().Resolve(peer, netip.Addr{}, 60, p); result != arp.Resolved {
						waited.Add(1)
						runtime.Gosched() // no sender is this fast
						continue
					}
				}
				hits.Add(1)
				send(hw)
			}
		})
	}
	sending.Wait()
	over.Store(true)
	forgetting.Wait()
	if hits.Load() < wantHits || waited.Load() < wantWaited {
		t.Errorf("%d packets were sent at once and %d waited, want %d and %d", hits.Load(), waited.Load(), wantHits, wantWaited)
	}
	a.Disconnect()
	if told.Load() != waited.Load() {
		t.Errorf("%d packets waited, %d were told what came of them", waited.Load(), told.Load())
	}
}

type countedPacket struct {
	resolved func(ethstack.HardwareAddr)
	told     *atomic.Int64
}

func (p *countedPacket) Resolved(to ethstack.HardwareAddr) {
	p.resolved(to)
	p.told.Add(1)
}

func (p *countedPacket) Dropped(arp.DropReason) { p.told.Add(1) }

// checkOrder is a handler that looks at the numbers.
func checkOrder(t *testing.T, senders int) ethstack.Handlers {
	last := make([]uint32, senders)
	return ethstack.Handlers{Other: func(_ ethstack.Header, p []byte) {
		sender, number := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
		if number <= last[sender] {
			t.Errorf("sender %d: packet %d came after packet %d", sender, number, last[sender])
		}
		last[sender] = number
	}}
}

// connectListening makes a stack that listens with handlers until the test ends.
func connectListening(t *testing.T, dev ethstack.Device, addr netip.Addr, h ethstack.Handlers) *ethstack.Stack {
	t.Helper()
	s, err := ethstack.Connect(dev, ethstack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddIPv4(addr); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Listen(context.Background(), h) // ends with Disconnect
	}()
	t.Cleanup(func() {
		s.Disconnect()
		<-done
	})
	return s
}

// TestOrderAcrossRemoval: a neighbor that is forgotten and found again while the
// packets for it are being sent is not in the table before they have been.
func TestOrderAcrossRemoval(t *testing.T) {
	for _, later := range []time.Duration{0, 2 * time.Second} {
		var s *station
		var got []string
		note := func(what string) {
			_, known := s.i.Lookup(peer.As4())
			got = append(got, fmt.Sprintf("%s, known %v", what, known))
		}
		s = newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
		third := &packet{resolved: func(ethstack.HardwareAddr) { note("third") }}
		first := &packet{resolved: func(ethstack.HardwareAddr) {
			s.clock.Advance(later) // so that it could be asked for again
			s.i.RemoveNeighbor(peer)
			s.hears(asked(ours))
			note("first")
			s.i.Resolve(peer, ours, 100, third)
		}}
		second := &packet{resolved: func(ethstack.HardwareAddr) { note("second") }}
		s.i.Resolve(peer, ours, 100, first)
		s.i.Resolve(peer, ours, 100, second)
		s.hears(answers())
		s.clock.Advance(0)
		note("afterwards")
		want := []string{"first, known false", "second, known false", "third, known false", "afterwards, known true"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("removed after %v (-want +got):\n%s", later, diff)
		}
	}
}

// TestRemovedWhileSent: what is asked for again while the packets that waited
// before its removal are being sent waits for an answer of its own.
func TestRemovedWhileSent(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	next := new(packet)
	first := &packet{resolved: func(ethstack.HardwareAddr) {
		s.i.RemoveNeighbor(peer)
		s.i.Resolve(peer, ours, 100, next)
	}}
	s.i.Resolve(peer, ours, 100, first)
	s.hears(answers())
	s.clock.Advance(0)
	if first.outcome() != "sent" || next.outcome() != "waits" {
		t.Errorf("before the answer: %s, %s; want the first sent, the next waits", first.outcome(), next.outcome())
	}
	s.clock.Advance(time.Second)
	s.hears(answers())
	if next.outcome() != "sent" || next.to != hw2 {
		t.Errorf("after the answer: the next %s, to %v; want it sent to %v", next.outcome(), next.to, hw2)
	}
}
