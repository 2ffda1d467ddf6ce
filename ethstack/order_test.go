package ethstack_test

import (
	"context"
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestOrderAcrossRelease lets several senders send numbered packets to one
// neighbor, the way an endpoint does: by the table if it has the address,
// waiting if not. Meanwhile the neighbor is forgotten and found again all the
// time. Packets may get lost by that; but none may overtake another.
func TestOrderAcrossRelease(t *testing.T) {
	const senders, packets = 4, 20000
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
	var told, waited atomic.Int64
	for sender := range uint32(senders) {
		sending.Go(func() {
			for number := range uint32(packets) {
				send := func(to ethstack.HardwareAddr) {
					// What a full port refuses is lost, and is no matter here.
					_, _ = a.Interface().Write(0, plain(numbered(to, hw1, sender, number+1)))
				}
				hw, ok := a.Interface().Lookup(peer.As4())
				if !ok {
					p := &countedPacket{resolved: send, told: &told}
					var result arp.Result
					if hw, result = a.Interface().Resolve(peer, netip.Addr{}, 60, p); result != arp.Resolved {
						waited.Add(1)
						continue
					}
				}
				send(hw)
			}
		})
	}
	sending.Wait()
	over.Store(true)
	forgetting.Wait()
	if n := waited.Load(); n == 0 || n == senders*packets {
		t.Errorf("%d of %d packets had to wait, want some but not all", n, senders*packets)
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
