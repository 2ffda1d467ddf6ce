package ethstack_test

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestNeighborRace does to the neighbors of one interface all that can be done,
// at once: hit, wait and be released, change the hardware address, be removed
// and found again, while others come and go so that the table grows and shrinks.
// Each packet must go to an address that was current at some moment of its call,
// that is until Resolved for one that had to wait.
//
// A neighbor's hardware address carries a number that only rises. So a packet's
// must lie between what had been told before its call and what was being told
// when it ended.
func TestNeighborRace(t *testing.T) {
	const (
		hot     = 16
		senders = 3
		// It goes on until so many packets were sent at once and had to wait.
		wantHits, wantWaited = 100_000, 300
	)
	pa, _, err := ethtest.Pipe(ethtest.PortOptions{HardwareAddr: hw1}, ethtest.PortOptions{QueueLen: 1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ethstack.Connect(pa, ethstack.Options{ARP: arp.Config{AcceptImmediately: true, LockTime: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddIPv4(ours); err != nil {
		t.Fatal(err)
	}
	i := s.Interface()
	var begun, done [hot]atomic.Uint32
	tell := func(n int, number uint32) {
		begun[n].Store(number)
		// What comes when too much is to be done is dropped, and what comes too soon
		// is not believed, so it is told again.
		for refused := i.Stats().Drops[ethstack.DropARPBusy]; ; {
			s.Input(arpFrame(hwAll, arp.Packet{
				Operation: arp.OperationRequest, SenderHardwareAddr: numberAddr(number), SenderAddr: hotAddr(n), TargetAddr: ours,
			}), ethstack.Handlers{})
			now := i.Stats().Drops[ethstack.DropARPBusy]
			e, known := i.Neighbor(hotAddr(n))
			if now == refused && (!known || e.HardwareAddr == numberAddr(number)) {
				break
			}
			refused = now
			runtime.Gosched()
		}
		done[n].Store(number)
	}
	check := func(n int, low uint32, hw ethstack.HardwareAddr) {
		high := begun[n].Load()
		if got := numberOf(hw); got < low || got > high {
			t.Errorf("neighbor %d: a packet goes to number %d, current were %d to %d", n, got, low, high)
		}
	}
	var over atomic.Bool
	var changing, sending sync.WaitGroup
	changing.Go(func() {
		rnd := rand.New(rand.NewPCG(1, 0))
		for number := uint32(1); !over.Load(); number++ {
			for n := range hot {
				if rnd.IntN(8) == 0 {
					i.RemoveNeighbor(hotAddr(n))
					// Let a packet come to wait, if there is a sender about.
					for e, k := (arp.Entry{}), 0; e.Pending == 0 && k < 100; k++ {
						runtime.Gosched()
						e, _ = i.Neighbor(hotAddr(n))
					}
				}
				tell(n, number)
			}
		}
	})
	changing.Go(func() {
		for round := 0; !over.Load(); round++ {
			for n := range 500 {
				other := netip.AddrFrom4([4]byte{10, 2, byte(n >> 8), byte(n)})
				if round%2 == 1 {
					i.RemoveNeighbor(other)
				} else if err := i.AddStaticNeighbor(other, hw2); err != nil {
					t.Error(err)
				}
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var hits, waited, told atomic.Int64
	for sender := range uint64(senders) {
		sending.Go(func() {
			rnd := rand.New(rand.NewPCG(sender, 1))
			for !t.Failed() && ctx.Err() == nil && (hits.Load() < wantHits || waited.Load() < wantWaited) {
				n := rnd.IntN(hot)
				low := done[n].Load()
				hw, ok := i.Lookup(hotAddr(n).As4())
				if !ok {
					p := &countedPacket{told: &told, resolved: func(hw ethstack.HardwareAddr) { check(n, low, hw) }}
					var result arp.Result
					if hw, result = i.Resolve(hotAddr(n), ours, 60, p); result != arp.Resolved {
						waited.Add(1)
						runtime.Gosched() // no sender is this fast
						continue
					}
				}
				hits.Add(1)
				check(n, low, hw)
			}
		})
	}
	sending.Wait()
	over.Store(true)
	changing.Wait()
	s.Disconnect()
	if hits.Load() < wantHits || waited.Load() < wantWaited || told.Load() != waited.Load() {
		t.Errorf("%d packets were sent at once, %d waited and %d of these were told; want %d, %d, and all",
			hits.Load(), waited.Load(), told.Load(), wantHits, wantWaited)
	}
}

func hotAddr(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 3, 0, byte(n + 1)}) }

func numberAddr(n uint32) ethstack.HardwareAddr {
	return ethstack.HardwareAddr{2, 1, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

func numberOf(a ethstack.HardwareAddr) uint32 {
	return uint32(a[2])<<24 | uint32(a[3])<<16 | uint32(a[4])<<8 | uint32(a[5])
}
