package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/google/go-cmp/cmp"
)

// The tests of this file and of mirage_arp_test.go go through the items of the
// MirageOS module type ETHIF, one test for each. What its implementation of
// 2014 got wrong is said where it is tested.

// TestMirageBuffer: memory may begin anywhere, and stays the caller's: a write
// neither changes nor keeps it.
func TestMirageBuffer(t *testing.T) {
	l := newLAN(t)
	a, b := l.host(), l.host()
	for offset := range 9 {
		memory := bytes.Repeat([]byte{0xee}, 200)
		frame := memory[offset : offset+100]
		copy(frame, frameTo(b.hw, a.hw, 0x1234))
		before := bytes.Clone(memory)
		if err := a.Write(frame); err != nil {
			t.Fatalf("Write at offset %d: %v", offset, err)
		}
		if !bytes.Equal(before, memory) {
			t.Errorf("offset %d: Write has changed the caller's memory", offset)
		}
		clear(memory) // it is the caller's again
		b.got = nil
		l.clock.Advance(0)
		if diff := cmp.Diff([]string{fmt.Sprintf("0x1234 %x", before[offset+14:offset+100])}, b.got); diff != "" {
			t.Errorf("offset %d: received (-want +got):\n%s", offset, diff)
		}
	}
}

// TestMirageID: the device that the stack was made of.
func TestMirageID(t *testing.T) {
	h := newLAN(t).host()
	if h.ID() != ethstack.Device(h.port) {
		t.Errorf("ID returns %v, want the port", h.ID())
	}
}

// TestMirageConnect: it allocates and checks; it sends nothing and reads
// nothing.
func TestMirageConnect(t *testing.T) {
	l := newLAN(t)
	a, b := l.host(), l.host()
	b.port.OnFrame(nil) // now it would be read by the stack, if it read
	if err := a.Write(frameTo(b.hw, a.hw, 0x1234, 1)); err != nil {
		t.Fatal(err)
	}
	l.clock.Advance(time.Hour)
	if s := b.port.Stats(); s.Sent != 0 || s.Waiting != 1 {
		t.Errorf("after Connect: %d frames sent, %d wait to be read; want 0 and 1", s.Sent, s.Waiting)
	}
	if _, err := ethstack.Connect(nil, ethstack.Options{}); err == nil {
		t.Error("Connect without a device: no error")
	}
	group := ethstack.Options{HardwareAddr: ethstack.HardwareAddr{1}}
	_, err := ethstack.Connect(a.port, group)
	if err == nil || !strings.Contains(err.Error(), "01:00:00:00:00:00 has the group bit set") {
		t.Errorf("Connect with a group's hardware address: %v; want an error that names it", err)
	}
	if err := a.Write(frameTo(b.hw, a.hw, 0x1234, 1)); err != nil {
		t.Errorf("after a Connect that failed, the device is gone: %v", err)
	}
}

// TestMirageDisconnect: it never fails for being called at a bad time, closes
// the device, and ends everything. The old code's did nothing.
func TestMirageDisconnect(t *testing.T) {
	l := newLAN(t)
	h := l.hostAt("10.0.0.1")
	waiting := l.ask(t.Context(), h, "10.0.0.9")
	for range 3 {
		if err := h.Disconnect(); err != nil {
			t.Errorf("Disconnect: %v", err)
		}
	}
	if a := l.answered(waiting); !errors.Is(a.err, ethstack.ErrDisconnected) {
		t.Errorf("a query that waited: %v, want %v", a.err, ethstack.ErrDisconnected)
	}
	if _, err := h.port.Read(0, make([]ethstack.Frame, 1)); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("the device is not closed: Read: %v", err)
	}
	sent := h.port.Stats().Sent
	l.clock.Advance(time.Hour)
	if now := h.port.Stats().Sent; now != sent {
		t.Errorf("%d frames were sent after Disconnect", now-sent)
	}
}

// TestMirageWrite: the caller's frame goes out as it is, byte for byte. What
// cannot be a frame is an error that says why, and nothing is sent; the old
// code looked at nothing.
func TestMirageWrite(t *testing.T) {
	l := newLAN(t)
	a, b := l.host(), l.host()
	var raw [][]byte
	b.port.OnFrame(func(f *ethstack.Frame) { raw = append(raw, bytes.Clone(f.Bufs[0])) })
	tag := []byte{0x81, 0, 0, 5}
	long := frameTo(b.hw, a.hw, 0x1234, make([]byte, 1500)...)
	var want [][]byte
	for _, c := range []struct {
		name  string
		frame []byte
		err   string // what the error must say; empty: the frame goes out
	}{
		{"no bytes", nil, "frame of 0 bytes: the Ethernet header alone has 14"},
		{"one byte less than a header", make([]byte, 13), "frame of 13 bytes"},
		{"a header", frameTo(b.hw, a.hw, 0x1234), ""},
		{"a source that is not ours", frameTo(b.hw, ethstack.HardwareAddr{2, 9}, 0x1234, 1, 2), ""},
		{"as long as the MTU allows", long, ""},
		{"one byte longer", append(slices.Clip(long), 0), "frame of 1515 bytes: the MTU of 1500 allows 1514"},
		{"as long with a tag", slices.Concat(long[:12], tag, long[12:]), ""},
		{"one byte longer with a tag", slices.Concat(long[:12], tag, long[12:], []byte{0}), "the MTU of 1500 allows 1518"},
		{"a length", frameTo(b.hw, a.hw, 3, 1, 2, 3), ""},
		{"a length and padding", frameTo(b.hw, a.hw, 3, 1, 2, 3, 0, 0), ""},
		{"a length beyond the end", frameTo(b.hw, a.hw, 4, 1, 2, 3), "length field says 4: its payload has 3"},
	} {
		err := a.Write(c.frame)
		if c.err == "" {
			want = append(want, c.frame)
		}
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.err)
		}
	}
	l.clock.Advance(0)
	if diff := cmp.Diff(want, raw); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// TestMirageWritev: any number of pieces, empty ones too, are one frame.
func TestMirageWritev(t *testing.T) {
	l := newLAN(t)
	a, b := l.host(), l.host()
	var raw [][]byte
	b.port.OnFrame(func(f *ethstack.Frame) { raw = append(raw, bytes.Clone(f.Bufs[0])) })
	frame := frameTo(b.hw, a.hw, 0x1234, bytes.Repeat([]byte{1, 2, 3}, 100)...)
	pieces := func(size int) (bufs [][]byte) {
		for p := range slices.Chunk(frame, size) {
			bufs = append(bufs, p, nil, []byte{})
		}
		return bufs
	}
	for _, bufs := range [][][]byte{{frame}, {nil, {}, frame, nil}, pieces(1), pieces(7), pieces(150)} {
		raw = nil
		if err := a.Writev(bufs); err != nil {
			t.Errorf("Writev of %d pieces: %v", len(bufs), err)
		}
		l.clock.Advance(0)
		if diff := cmp.Diff([][]byte{frame}, raw); diff != "" {
			t.Errorf("%d pieces: sent (-want +got):\n%s", len(bufs), diff)
		}
	}
	for _, bufs := range [][][]byte{nil, {}, {nil}, {{}, {}}, {{1}, {2}}, pieces(1)[:30]} {
		raw = nil
		if err := a.Writev(bufs); err == nil || !strings.Contains(err.Error(), "the Ethernet header alone has 14") {
			t.Errorf("Writev of %v: %v; want an error", bufs, err)
		}
		l.clock.Advance(0)
		if len(raw) != 0 {
			t.Errorf("Writev of %v has sent something", bufs)
		}
	}
}

// TestMirageMAC: the address that is in use, seen anew by each call.
func TestMirageMAC(t *testing.T) {
	l := newLAN(t)
	h := l.host()
	if got := h.MAC().String(); got != h.hw.String() {
		t.Errorf("MAC is %v, want the device's %v", got, h.hw)
	}
	next := ethstack.HardwareAddr{2, 7}
	if err := h.Interface().SetHardwareAddr(next); err != nil {
		t.Fatal(err)
	}
	if got := h.MAC().String(); got != next.String() {
		t.Errorf("MAC is %v after a change, want %v", got, next)
	}
	h.MAC()[0] = 0xff // the caller's own copy
	if got := h.MAC().String(); got != next.String() {
		t.Errorf("MAC is %v after the caller has written to its copy", got)
	}
	port, err := l.segment.NewPort(ethtest.PortOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ethstack.Connect(port, ethstack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Disconnect()
	if mac := s.MAC(); mac[0]&3 != 2 {
		t.Errorf("MAC of a device without one is %v, want a unicast one that is locally administered", mac)
	}
}

// TestMirageErrors: Unknown keeps the device's cause, Unimplemented and
// Disconnected are sentinels; and the device's other errors come through. The
// old code had the three and never returned one.
func TestMirageErrors(t *testing.T) {
	l := newLAN(t)
	h := l.hostAt("10.0.0.1")
	frame := frameTo(ethstack.HardwareAddr{2}, h.hw, 0x1234)
	for _, known := range []error{
		ethstack.ErrUnimplemented, ethstack.ErrDisconnected, ethstack.ErrNoBufferSpace, ethstack.ErrMessageTooLong, ethstack.ErrUnsupportedOffload,
	} {
		h.port.FailWrite(fmt.Errorf("the device says: %w", known), 1)
		err := h.Write(frame)
		var unknown *ethstack.UnknownError
		if !errors.Is(err, known) || errors.As(err, &unknown) {
			t.Errorf("Write where the device says %q: %v", known, err)
		}
	}
	h.port.FailWrite(net.ErrWriteToConnected, 1)
	err := h.Write(frame)
	var unknown *ethstack.UnknownError
	if !errors.As(err, &unknown) || unknown.Op != "write" || !errors.Is(err, net.ErrWriteToConnected) {
		t.Errorf("Write where the device says something else: %#v, want an UnknownError of it", err)
	}
	if err := h.Write(frame); err != nil {
		t.Errorf("Write after a device's error: %v", err)
	}

	h.Disconnect()
	_, query := h.QueryARPv4(t.Context(), netip.MustParseAddr("10.0.0.9"))
	for name, err := range map[string]error{
		"Write":      h.Write(frame),
		"Listen":     h.Listen(context.Background(), ethstack.Handlers{}),
		"QueryARPv4": query,
		"AddIPv4":    h.AddIPv4(netip.MustParseAddr("10.0.0.2")),
	} {
		if !errors.Is(err, ethstack.ErrDisconnected) {
			t.Errorf("%s after Disconnect: %v, want %v", name, err, ethstack.ErrDisconnected)
		}
	}
}
