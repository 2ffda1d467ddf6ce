package ethtest_test

import (
	"errors"
	"testing"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/google/go-cmp/cmp"
)

func TestOptionErrors(t *testing.T) {
	nan := 0.0
	nan /= nan
	for _, o := range []ethtest.SegmentOptions{
		{Loss: -0.1}, {Loss: 1.1}, {Duplicate: 2}, {Reorder: nan}, {MinDelay: -1}, {MinDelay: 2, MaxDelay: 1},
		{ReorderDelay: -1}, {Trailing: -1},
	} {
		if _, err := ethtest.NewSegment(o); err == nil {
			t.Errorf("NewSegment(%+v): no error", o)
		}
	}
	s := newSegment(t, ethtest.SegmentOptions{})
	for _, o := range []ethtest.PortOptions{
		{MTU: 67}, {MTU: 65536}, {Queues: -1}, {QueueLen: -1}, {HardwareAddr: arp.Broadcast},
	} {
		if _, err := s.NewPort(o); err == nil {
			t.Errorf("NewPort(%+v): no error", o)
		}
	}
}

func TestHub(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	a, b, c := newPort(t, s, ethtest.PortOptions{}), newPort(t, s, ethtest.PortOptions{}), newPort(t, s, ethtest.PortOptions{})
	write(t, a, frame(addrB, addrA, 1), frame(arp.Broadcast, addrA, 2))
	for _, p := range []*ethtest.Port{b, c} {
		if d := cmp.Diff([]int{1, 2}, readAll(t, p)); d != "" {
			t.Errorf("%s (-want +got):\n%s", p.Info().Name, d)
		}
		wantStats(t, p, ethtest.PortStats{Offered: 2, Delivered: 2})
	}
	wantStats(t, a, ethtest.PortStats{Sent: 2}) // no echo
}

func TestSwitch(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{Switch: true})
	a, b, c := newPort(t, s, ethtest.PortOptions{}), newPort(t, s, ethtest.PortOptions{}), newPort(t, s, ethtest.PortOptions{})
	want := func(what string, p *ethtest.Port, want ...int) {
		t.Helper()
		if d := cmp.Diff(want, readAll(t, p)); d != "" {
			t.Errorf("%s, %s (-want +got):\n%s", what, p.Info().Name, d)
		}
	}
	write(t, a, frame(addrB, addrA, 1))
	want("unknown destination", b, 1)
	want("unknown destination", c, 1)
	write(t, b, frame(addrA, addrB, 2))
	want("learned destination", a, 2)
	want("learned destination", c)
	write(t, a, frame(arp.Broadcast, addrA, 3))
	want("broadcast", b, 3)
	want("broadcast", c, 3)
	write(t, c, frame(addrC, addrB, 4)) // B moved
	want("unknown destination from the new place", a, 4)
	write(t, a, frame(addrB, addrA, 5))
	want("moved destination", c, 5)
	want("moved destination", b, 4)
	write(t, a, frame(addrA, addrA, 6))
	want("destination on the same port", b)
	want("destination on the same port", c)
	c.Close()
	write(t, a, frame(addrB, addrA, 7))
	want("destination on a closed port", b, 7)
}

func TestQueueFull(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	a, b := newPort(t, s, ethtest.PortOptions{}), newPort(t, s, ethtest.PortOptions{QueueLen: 3})
	for i := range 5 {
		write(t, a, frame(addrB, addrA, i))
	}
	wantStats(t, b, ethtest.PortStats{Offered: 5, Waiting: 3, QueueFull: 2})
	if d := cmp.Diff([]int{0, 1, 2}, readAll(t, b)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for i := range 2 { // round the ring's end
		write(t, a, frame(addrB, addrA, 10+i), frame(addrB, addrA, 20+i))
		if d := cmp.Diff([]int{10 + i, 20 + i}, readAll(t, b)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	wantStats(t, b, ethtest.PortStats{Offered: 9, Delivered: 7, QueueFull: 2})
}

// TestMTU: a frame that is too long for its sender is refused, one too long
// for its receiver is lost there. A tag does not count.
func TestMTU(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	big, small := newPort(t, s, ethtest.PortOptions{MTU: 9000}), newPort(t, s, ethtest.PortOptions{MTU: 1000})
	plain := func(n int) []byte { return append(frame(addrB, addrA, 0), make([]byte, n-60)...) }
	tagged := func(n int) []byte { b := plain(n); b[12], b[13] = 0x81, 0x00; return b }

	for _, tt := range []struct {
		b    []byte
		want error
	}{
		{plain(1014), nil}, {plain(1015), ethstack.ErrMessageTooLong},
		{tagged(1018), nil}, {tagged(1019), ethstack.ErrMessageTooLong},
	} {
		f := []ethstack.Frame{{Bufs: [][]byte{tt.b[:5], tt.b[5:]}}}
		if _, err := small.Write(0, f); !errors.Is(err, tt.want) {
			t.Errorf("Write of %d bytes, EtherType %x: %v, want %v", len(tt.b), tt.b[12:14], err, tt.want)
		}
	}
	write(t, big, plain(1014), plain(1015), tagged(1018), tagged(1019), plain(9014))
	wantStats(t, small, ethtest.PortStats{Sent: 2, Offered: 5, Waiting: 2, TooLong: 3})
}

// TestLongerThanMemory: what does not fit the reader's memory is counted, and
// what comes next is read.
func TestLongerThanMemory(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	a, b := newPort(t, s, ethtest.PortOptions{}), newPort(t, s, ethtest.PortOptions{})
	write(t, a, append(frame(addrB, addrA, 1), 0), frame(addrB, addrA, 2))
	f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 50), make([]byte, 10)}}}
	if n, err := b.Read(0, f); n != 1 || err != nil || f[0].Len != 60 || numberOf(f[0].Bufs[0]) != 2 {
		t.Errorf("Read into 60 bytes: %d, %v, %+v; want the second frame", n, err, f[0])
	}
	wantStats(t, b, ethtest.PortStats{Offered: 2, Delivered: 1, TooLong: 1})
}
