package conformance

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/google/go-cmp/cmp"
)

// TestMirageInput: one frame is demultiplexed by its EtherType; ARP is handled
// inside. The old code looked neither at the destination nor at the length: a
// frame of 13 bytes raised an exception.
func TestMirageInput(t *testing.T) {
	l := newLAN(t)
	h := l.hostAt("10.0.0.1")
	peer := ethstack.HardwareAddr{2, 9}
	all := ethstack.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for _, frame := range [][]byte{
		frameTo(h.hw, peer, ethstack.EtherTypeIPv4, 1),
		frameTo(all, peer, ethstack.EtherTypeIPv6, 2),
		frameTo(h.hw, peer, 0x1234, 3),
		frameTo(peer, ethstack.HardwareAddr{2, 8}, ethstack.EtherTypeIPv4, 4), // for another host
	} {
		h.Input(frame, h.handlers())
	}
	if diff := cmp.Diff([]string{"IPv4 01", "IPv6 02", "0x1234 03"}, h.got); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	for n := range ethstack.HeaderLen {
		h.Input(make([]byte, n), h.handlers())
	}
	h.Input(nil, ethstack.Handlers{})
	h.Input(frameTo(h.hw, peer, 0x1234, 3), ethstack.Handlers{}) // no handler
	s := h.Interface().Stats()
	if got := []uint64{s.Drops[ethstack.DropForeign], s.Drops[ethstack.DropRunt], s.Drops[ethstack.DropNoReceiver], s.RxDelivered, s.RxFrames}; !cmp.Equal(got, []uint64{1, 15, 1, 3, 20}) {
		t.Errorf("for another host, runts, without a handler, delivered, in all: %d; want 1, 15, 1, 3, 20", got)
	}
	var request [arp.PacketLen]byte
	arp.Packet{
		Operation: arp.OperationRequest, SenderHardwareAddr: peer,
		SenderAddr: netip.MustParseAddr("10.0.0.9"), TargetAddr: netip.MustParseAddr("10.0.0.1"),
	}.Put(&request)
	h.Input(frameTo(all, peer, ethstack.EtherTypeARP, request[:]...), h.handlers())
	if diff := cmp.Diff([]string{"1m0s 1>0 10.0.0.1 is at 1"}, l.arp); diff != "" {
		t.Errorf("the answer to a request (-want +got):\n%s", diff)
	}
}

// TestMirageListen: it reads the device until the context ends or the stack is
// disconnected, one call at a time; no handler runs after it.
func TestMirageListen(t *testing.T) {
	l := newLAN(t)
	a, h := l.host(), l.host()
	h.port.OnFrame(nil) // Listen reads
	frames := make(chan string)
	handlers := ethstack.Handlers{Other: func(_ ethstack.Header, p []byte) { frames <- string(p) }}
	over := make(chan error, 1)
	listen := func(ctx context.Context) { go func() { over <- h.Listen(ctx, handlers) }() }
	send := func(text string) {
		t.Helper()
		if err := a.Write(frameTo(h.hw, a.hw, 0x1234, []byte(text)...)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(text string) {
		t.Helper()
		select {
		case got := <-frames:
			if got != text {
				t.Fatalf("the handler got %q, want %q", got, text)
			}
		case <-time.After(patience):
			t.Fatalf("the handler did not get %q", text)
		}
	}
	ended := func(with error) {
		t.Helper()
		select {
		case err := <-over:
			if !errors.Is(err, with) {
				t.Errorf("Listen: %v, want %v", err, with)
			}
		case <-time.After(patience):
			t.Fatal("Listen does not return")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	listen(ctx)
	send("one")
	want("one")
	if err := h.Listen(t.Context(), handlers); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("a second Listen: %v, want an error", err)
	}
	cancel()
	ended(context.Canceled)
	send("two") // dropped, and the handler would block
	for deadline := time.Now().Add(patience); h.Interface().Stats().Drops[ethstack.DropNoReceiver] == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("between two Listens nothing is read")
		}
	}
	listen(t.Context())
	// It has begun when a frame is handled; until then they are dropped.
	for begun := false; !begun; {
		send("three")
		select {
		case <-frames:
			begun = true
		case <-time.After(time.Millisecond):
		}
	}
	go func() {
		for range frames {
		}
	}()
	h.Disconnect()
	close(frames) // no handler runs any more: it would panic
	ended(ethstack.ErrDisconnected)
	if err := h.Listen(ctx, handlers); !errors.Is(err, context.Canceled) {
		t.Errorf("Listen with a context that is over: %v, want %v", err, context.Canceled)
	}
}

// TestMirageQueryARPv4: what is known is returned at once; who asks at the same
// time shares one series of requests; nobody waits forever. The old code sent
// one request and waited without end.
func TestMirageQueryARPv4(t *testing.T) {
	l := newLAN(t)
	a, b := l.hostAt("10.0.0.1"), l.hostAt("10.0.0.2")
	l.clock.Advance(time.Hour - l.clock.Now())

	t.Run("one series for all", func(t *testing.T) {
		l.arp = nil
		a.port.FailWrite(ethstack.ErrNoBufferSpace, 1) // the first request is lost
		var waiting []<-chan answer
		for range 100 {
			waiting = append(waiting, l.ask(t.Context(), a, "10.0.0.2"))
		}
		l.clock.Advance(time.Second)
		for _, w := range waiting {
			if got := l.answered(w); got.err != nil || got.hw.String() != b.hw.String() {
				t.Fatalf("%v, %v; want %v", got.hw, got.err, b.hw)
			}
		}
		want := []string{"1h0m1s 1>all who has 10.0.0.2? tell 10.0.0.1", "1h0m1s 2>1 10.0.0.2 is at 2"}
		if diff := cmp.Diff(want, l.arp); diff != "" {
			t.Errorf("on the wire (-want +got):\n%s", diff)
		}
	})
	t.Run("known", func(t *testing.T) {
		l.arp = nil
		hw, err := a.QueryARPv4(t.Context(), netip.MustParseAddr("::ffff:10.0.0.2"))
		if err != nil || hw.String() != b.hw.String() || len(l.arp) != 0 {
			t.Errorf("%v, %v, %d packets sent; want %v and none", hw, err, len(l.arp), b.hw)
		}
	})
	t.Run("nobody answers", func(t *testing.T) {
		l.arp = nil
		one := l.ask(t.Context(), a, "10.0.0.9")
		ctx, cancel := context.WithCancel(t.Context())
		two := l.ask(ctx, a, "10.0.0.9")
		l.clock.Advance(1500 * time.Millisecond)
		cancel()
		if got := l.answered(two); !errors.Is(got.err, context.Canceled) {
			t.Errorf("who gave up: %v, want %v", got.err, context.Canceled)
		}
		l.clock.Advance(1499 * time.Millisecond)
		select {
		case got := <-one:
			t.Fatalf("who did not give up ended before its time: %v", got.err)
		default:
		}
		l.clock.Advance(time.Millisecond)
		if got := l.answered(one); !errors.Is(got.err, ethstack.ErrUnreachable) {
			t.Errorf("who did not give up: %v, want %v", got.err, ethstack.ErrUnreachable)
		}
		want := []string{
			"1h0m1s 1>all who has 10.0.0.9? tell 10.0.0.1",
			"1h0m2s 1>all who has 10.0.0.9? tell 10.0.0.1",
			"1h0m3s 1>all who has 10.0.0.9? tell 10.0.0.1",
		}
		if diff := cmp.Diff(want, l.arp); diff != "" {
			t.Errorf("on the wire (-want +got):\n%s", diff)
		}
	})
	t.Run("one leaves, the others are answered", func(t *testing.T) {
		a.Interface().FlushNeighbors()
		a.port.FailWrite(ethstack.ErrNoBufferSpace, 1)
		ctx, cancel := context.WithCancel(t.Context())
		stays, goes := l.ask(t.Context(), a, "10.0.0.2"), l.ask(ctx, a, "10.0.0.2")
		cancel()
		if got := l.answered(goes); !errors.Is(got.err, context.Canceled) {
			t.Errorf("who left: %v, want %v", got.err, context.Canceled)
		}
		l.clock.Advance(2 * time.Second)
		if got := l.answered(stays); got.err != nil || got.hw.String() != b.hw.String() {
			t.Errorf("who stayed: %v, %v; want %v", got.hw, got.err, b.hw)
		}
	})
	t.Run("bad input", func(t *testing.T) {
		l.arp = nil
		expired, cancel := context.WithTimeout(t.Context(), -1)
		defer cancel()
		for _, c := range []struct {
			ctx        context.Context
			addr, want string
		}{
			{t.Context(), "255.255.255.255", "cannot query 255.255.255.255: want a unicast IPv4 address"},
			{t.Context(), "224.0.0.1", "cannot query 224.0.0.1"},
			{t.Context(), "0.0.0.0", "cannot query 0.0.0.0"},
			{t.Context(), "127.0.0.1", "cannot query 127.0.0.1"},
			{t.Context(), "fe80::1", "cannot query fe80::1"},
			{expired, "10.0.0.2", "query of 10.0.0.2: context deadline exceeded"},
		} {
			if _, err := a.QueryARPv4(c.ctx, netip.MustParseAddr(c.addr)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("query of %s: %v; want an error with %q", c.addr, err, c.want)
			}
		}
		if _, err := a.QueryARPv4(t.Context(), netip.Addr{}); err == nil {
			t.Error("query of the zero Addr: no error")
		}
		l.clock.Advance(0)
		if len(l.arp) != 0 {
			t.Errorf("packets were sent: %q", l.arp)
		}
	})
	t.Run("disconnect wakes all", func(t *testing.T) {
		var waiting []<-chan answer
		for range 10 {
			waiting = append(waiting, l.ask(t.Context(), a, "10.0.0.77"))
		}
		a.Disconnect()
		for _, w := range waiting {
			if got := l.answered(w); !errors.Is(got.err, ethstack.ErrDisconnected) {
				t.Errorf("%v, want %v", got.err, ethstack.ErrDisconnected)
			}
		}
		// Not even for what was known.
		if _, err := a.QueryARPv4(t.Context(), netip.MustParseAddr("10.0.0.2")); !errors.Is(err, ethstack.ErrDisconnected) {
			t.Errorf("after Disconnect: %v, want %v", err, ethstack.ErrDisconnected)
		}
	})
}
