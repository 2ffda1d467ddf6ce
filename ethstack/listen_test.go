package ethstack_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestListen: one at a time; frames that come between two are dropped, counted;
// and each end has its error.
func TestListen(t *testing.T) {
	pa, pb, err := ethtest.Pipe(ethtest.PortOptions{}, ethtest.PortOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer pb.Close()
	s, err := ethstack.Connect(pa, ethstack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Disconnect()
	var heard atomic.Uint32
	h := ethstack.Handlers{Other: func(_ ethstack.Header, packet []byte) { heard.Store(uint32(packet[7])) }}
	sent := uint64(0)
	send := func(number uint32) {
		t.Helper()
		if _, err := pb.Write(0, plain(numbered(s.Interface().HardwareAddr(), hw2, 0, number))); err != nil {
			t.Fatal(err)
		}
		sent++
		until(t, "the frame is read", func() bool { return s.Interface().Stats().RxFrames == sent || sent == 1 })
	}
	for n := range uint32(2) {
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- s.Listen(ctx, h) }()
		until(t, "the handler is called", func() bool {
			send(n + 1)
			return heard.Load() == n+1
		})
		if err := s.Listen(t.Context(), h); err == nil || !strings.Contains(err.Error(), "under way already") {
			t.Errorf("Listen while another is under way: %v", err)
		}
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Errorf("Listen: %v, want %v", err, context.Canceled)
		}
		before := s.Interface().Stats()
		send(9)
		after := s.Interface().Stats()
		if heard.Load() == 9 || after.Drops[ethstack.DropNoReceiver] != before.Drops[ethstack.DropNoReceiver]+1 {
			t.Errorf("a frame that comes when nobody listens: %d dropped, heard of %d",
				after.Drops[ethstack.DropNoReceiver]-before.Drops[ethstack.DropNoReceiver], heard.Load())
		}
		if err := s.Listen(ctx, h); !errors.Is(err, context.Canceled) {
			t.Errorf("Listen with a context that is over: %v", err)
		}
	}
	over := make(chan error, 1)
	go func() { over <- s.Listen(t.Context(), h) }()
	if err := s.Disconnect(); err != nil {
		t.Fatal(err)
	}
	if err := <-over; !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Listen when disconnected: %v, want %v", err, ethstack.ErrDisconnected)
	}
}

// TestOwnAddresses: what is no host's address is not added, nor what is not ours
// removed; and nothing after the end.
func TestOwnAddresses(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	for _, addr := range []string{"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "fe80::1"} {
		if err := s.AddIPv4(netip.MustParseAddr(addr)); err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("AddIPv4(%s): %v, want an error that names it", addr, err)
		}
	}
	if err := s.RemoveIPv4(ours); err == nil || !strings.Contains(err.Error(), "was not added") {
		t.Errorf("RemoveIPv4 of what was not added: %v", err)
	}
	if got := s.IPv4s(); len(got) != 0 {
		t.Errorf("addresses %v, want none", got)
	}
	if err := s.Disconnect(); err != nil {
		t.Fatal(err)
	}
	if err := s.AddIPv4(ours); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("AddIPv4 after the end: %v, want %v", err, ethstack.ErrDisconnected)
	}
}

// TestRefresh: who knows that the host's addresses have changed need not wait for
// somebody to name one.
func TestRefresh(t *testing.T) {
	h := &fakeHost{addrs: []netip.Addr{ours}}
	s := newStation(t, ethstack.Options{Host: h}, ethstack.LinkOptions{})
	if !s.i.RefreshIPv4(ours) || s.i.RefreshIPv4(peer) {
		t.Errorf("RefreshIPv4 says no to %v or yes to %v", ours, peer)
	}
	s.clock.Advance(0)
	wantSent(t, s, "a new address", announceOurs)
	h.addrs = nil
	if s.i.RefreshIPv4(ours) || len(s.IPv4s()) != 0 {
		t.Errorf("what was taken away is ours still: %v", s.IPv4s())
	}
	s.clock.Advance(time.Minute)
	wantSent(t, s, "what was taken away")
}

// TestSetEnabled: an interface that is disabled forgets its neighbors and what it
// was about to announce; enabled again it announces itself.
func TestSetEnabled(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	s.hears(asked(ours))
	s.take()
	s.i.SetEnabled(false)
	if _, known := s.i.Neighbor(peer); known {
		t.Error("a neighbor is known still")
	}
	s.i.SetEnabled(false) // again does nothing
	if err := s.i.SetHardwareAddr(hw2); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Minute)
	wantSent(t, s, "disabled")
	s.i.SetEnabled(true)
	s.clock.Advance(0)
	wantSent(t, s, "enabled", "announce 10.0.0.1 at 02:00:00:00:00:02")
}

// TestOnARP: all that is taken in and sent is shown, with its header.
func TestOnARP(t *testing.T) {
	var seen []string
	show := func(frame []byte, h ethstack.Header, sent bool) {
		p, err := arp.ParsePacket(frame[h.Len:])
		if err != nil {
			t.Error(err)
		}
		way := "in: "
		if sent {
			way = "out: "
		}
		seen = append(seen, way+describe(p)+" to "+h.Destination.String())
	}
	s := newStation(t, ethstack.Options{OnARP: show}, ethstack.LinkOptions{}).withAddress()
	seen = nil
	s.hears(asked(ours))
	want := []string{
		"in: who has 10.0.0.1? tell 10.0.0.2 to ff:ff:ff:ff:ff:ff",
		"out: 10.0.0.1 is at 02:00:00:00:00:01 to 02:00:00:00:00:02",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("shown: %q, want %q", seen, want)
	}
	for range s.i.Neighbors() {
		return // one is enough
	}
	t.Error("who asked is not known")
}
