package ethstack_test

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

var (
	replaceA = netip.MustParseAddr("10.0.0.1")
	replaceB = netip.MustParseAddr("10.0.0.2")
)

// TestReplace moves a stack from one port of a segment to another: it announces
// itself, probes its neighbor, and Listen goes on.
func TestReplace(t *testing.T) {
	var announced, probed atomic.Int32 // by the second port
	var second atomic.Pointer[ethtest.Port]
	segment, err := ethtest.NewSegment(ethtest.SegmentOptions{Capture: func(c ethtest.Capture) {
		h, why := ethstack.ParseHeader(c.Frame, len(c.Frame))
		if c.From != second.Load() || why != ethstack.DropNone || h.EtherType != ethstack.EtherTypeARP {
			return
		}
		p, err := arp.ParsePacket(c.Frame[h.Len:])
		switch {
		case err != nil:
		case p.IsAnnouncement() && p.SenderAddr == replaceA:
			announced.Add(1)
		case p.Operation == arp.OperationRequest && p.TargetAddr == replaceB && !h.Destination.IsGroup():
			probed.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	port := func() *ethtest.Port {
		p, err := segment.NewPort(ethtest.PortOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	b := connect(t, port(), replaceB)
	// A must not hear B's announcement: it would tell the address before the
	// answer does, and that would pass for one to the probe.
	until(t, "B has announced itself", func() bool { return b.Interface().Stats().ARPRequests > 0 })
	first := port()
	a := connect(t, first, replaceA)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	want, err := a.QueryARPv4(ctx, replaceB)
	if err != nil {
		t.Fatal(err)
	}

	next := port()
	second.Store(next)
	link := a.Interface().Link()
	mac := a.MAC().String()
	if err := link.Replace(next); err != nil {
		t.Fatalf("Replace: %v", err)
	}
	if a.ID() != next || a.MAC().String() != mac {
		t.Errorf("the device is %v and the hardware address %v, want the new one and %v", a.ID(), a.MAC(), mac)
	}
	if _, err := first.Write(0, []ethstack.Frame{{Bufs: [][]byte{make([]byte, 60)}}}); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Write to the old device: %v, want %v", err, ethstack.ErrDisconnected)
	}
	for announced.Load() == 0 || probed.Load() == 0 {
		if ctx.Err() != nil {
			t.Fatalf("on the new device: %d announcements, %d probes; want some of each", announced.Load(), probed.Load())
		}
		time.Sleep(time.Millisecond)
	}
	if hw, err := a.QueryARPv4(ctx, replaceB); err != nil || hw.String() != want.String() {
		t.Errorf("the neighbor after Replace: %v, %v; want %v", hw, err, want)
	}
	// What B asks is answered by the new device, whose reader Listen waits for.
	b.Interface().RemoveNeighbor(replaceA)
	if hw, err := b.QueryARPv4(ctx, replaceA); err != nil || hw.String() != mac {
		t.Errorf("asked by the neighbor: %v, %v; want %v", hw, err, mac)
	}

	if err := link.Replace(nil); err == nil {
		t.Error("Replace with nil: no error")
	}
	a.Disconnect()
	last := port()
	if err := link.Replace(last); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Replace on a closed link: %v, want %v", err, ethstack.ErrDisconnected)
	}
	if last.Info().Name == "" {
		t.Error("the device that was not taken is gone")
	}
}

// connect makes a stack that listens until the test ends.
func connect(t *testing.T, dev ethstack.Device, addr netip.Addr) *ethstack.Stack {
	t.Helper()
	s, err := ethstack.Connect(dev, ethstack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddIPv4(addr); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Listen(context.Background(), ethstack.Handlers{}) }()
	t.Cleanup(func() {
		s.Disconnect()
		if err := <-done; !errors.Is(err, ethstack.ErrDisconnected) {
			t.Errorf("Listen: %v, want %v", err, ethstack.ErrDisconnected)
		}
	})
	return s
}
