package ethstack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// flow makes datagrams of one flow with payloads of the given sizes, each in
// memory that is cut behind its headers.
func flow(shape testPacket, sizes ...int) []Frame {
	var frames []Frame
	shape.payload = 0
	first := shape.build(1)
	for k, size := range sizes {
		p := shape
		p.payload = size
		b := p.build(1) // the same random fields
		copy(b.bytes[b.content:], bytes.Repeat([]byte{byte(k)}, size))
		if !b.v6 {
			id := binary.BigEndian.Uint16(first.bytes[b.network+4:]) + uint16(k)
			binary.BigEndian.PutUint16(b.bytes[b.network+4:], id)
			b.fixHeader()
		}
		b.setChecksum(0)
		b.setChecksum(^naiveSum(b.pseudo(), b.bytes[b.transport:]))
		frames = append(frames, Frame{Bufs: [][]byte{b.bytes[:b.content], b.bytes[b.content:]}})
	}
	return frames
}

func (b *builtFrame) fixHeader() {
	binary.BigEndian.PutUint16(b.bytes[b.network+10:], 0)
	binary.BigEndian.PutUint16(b.bytes[b.network+10:], ^naiveSum(b.bytes[b.network:b.transport]))
}

func wire(frames []Frame) (list [][]byte) {
	for k := range frames {
		list = append(list, joined(frames[k]))
	}
	return list
}

// TestMergeSegments: what the Segmenter makes of merged datagrams are the
// datagrams, to the bit.
func TestMergeSegments(t *testing.T) {
	for _, shape := range []testPacket{
		{udp: true}, {udp: true, v6: true}, {udp: true, extra: 24}, {udp: true, v6: true, extra: 24}, {udp: true, tag: true},
	} {
		for _, sizes := range [][]int{{100, 100}, {100, 100, 7}, {1, 1, 1, 1}, slices.Repeat([]int{1200}, 50), {1472, 1471}} {
			t.Run(fmt.Sprint(shape, sizes[:2], len(sizes)), func(t *testing.T) {
				frames := flow(shape, sizes...)
				want := wire(frames)
				var m Merger
				got := m.Merge(frames, ^Offloads(0))
				if len(got) != 1 {
					t.Fatalf("%d frames were made of %d, want 1", len(got), len(frames))
				}
				var l layers
				if err := got[0].validate(&l, got[0].WireLen()); err != nil {
					t.Fatalf("the metadata is wrong: %v", err)
				}
				var s Segmenter
				parts, err := s.Segment(&got[0], 0)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, wire(parts)); diff != "" {
					t.Errorf("taken apart again (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(want, wire(frames)); diff != "" {
					t.Errorf("Merge wrote to its frames (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestMergeRuns lists what is one run and what is not.
func TestMergeRuns(t *testing.T) {
	udp := testPacket{udp: true}
	change := func(at int, v byte) func([]Frame) {
		return func(f []Frame) { f[1].Bufs[0][at] ^= v }
	}
	for _, c := range []struct {
		name   string
		sizes  []int
		change func([]Frame)
		want   []int // datagrams in each frame
	}{
		{"one", []int{100}, nil, []int{1}},
		{"two", []int{100, 100}, nil, []int{2}},
		{"a shorter one ends a run", []int{100, 90, 100, 100}, nil, []int{2, 2}},
		{"a longer one begins another", []int{90, 100, 100}, nil, []int{1, 2}},
		{"no more than 64", slices.Repeat([]int{10}, 130), nil, []int{64, 64, 2}},
		{"no more than fits IP", slices.Repeat([]int{20000}, 5), nil, []int{3, 2}},
		{"empty ones", []int{0, 0}, nil, []int{1, 1}},
		{"another destination", []int{100, 100}, change(0, 2), []int{1, 1}},
		{"another type of service", []int{100, 100}, change(15, 4), []int{1, 1}},
		{"another identification", []int{100, 100}, change(19, 1), []int{2}},
		{"no DF", []int{100, 100}, change(20, 0x40), []int{1, 1}},
		{"a fragment", []int{100, 100}, change(20, 0x20), []int{1, 1}},
		{"another TTL", []int{100, 100}, change(22, 1), []int{1, 1}},
		{"TCP", []int{100, 100}, change(23, 17^6), []int{1, 1}},
		{"another source", []int{100, 100}, change(29, 1), []int{1, 1}},
		{"another port", []int{100, 100}, change(37, 1), []int{1, 1}},
		{"another UDP length", []int{100, 100}, change(39, 1), []int{1, 1}},
		{"no checksum", []int{100, 100}, func(f []Frame) { clear(f[1].Bufs[0][40:42]) }, []int{1, 1}},
		{"metadata", []int{100, 100}, func(f []Frame) { f[0].Offload.Flags = NeedsChecksum }, []int{1, 1}},
		{"padding", []int{100, 100}, func(f []Frame) { f[1].Bufs = append(f[1].Bufs, []byte{0}) }, []int{1, 1}},
		{"no memory", []int{100, 100}, func(f []Frame) { f[1].Bufs = nil }, []int{1, 1}},
		{"headers in pieces", []int{100, 100}, func(f []Frame) {
			f[1].Bufs = [][]byte{f[1].Bufs[0][:30], f[1].Bufs[0][30:], f[1].Bufs[1]}
		}, []int{1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			frames := flow(udp, c.sizes...)
			if c.change != nil {
				c.change(frames)
			}
			var m Merger
			var got []int
			for _, f := range m.Merge(frames, ^Offloads(0)) {
				n := 1
				if size := int(f.Offload.SegmentSize); size != 0 {
					n = (f.WireLen() - int(f.Offload.HeaderLen) + size - 1) / size
				}
				got = append(got, n)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("datagrams in each frame (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMergeNeedsOffload: a device that lacks it gets what it was given.
func TestMergeNeedsOffload(t *testing.T) {
	for _, have := range []Offloads{0, OffloadUDP, OffloadChecksum | OffloadTCPv4 | OffloadTCPv6} {
		frames := flow(testPacket{udp: true}, 100, 100)
		var m Merger
		if got := m.Merge(frames, have); len(got) != 2 || &got[0] != &frames[0] {
			t.Errorf("with offloads %v: %d frames of 2", have, len(got))
		}
	}
}

func TestMergeAllocatesNothing(t *testing.T) {
	frames := flow(testPacket{udp: true}, slices.Repeat([]int{1400}, 40)...)
	var m Merger
	run := func() { m.Merge(frames, ^Offloads(0)); m.Reset() }
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkMerge(b *testing.B) {
	frames := flow(testPacket{udp: true}, slices.Repeat([]int{1400}, 40)...)
	var m Merger
	b.ReportAllocs()
	for b.Loop() {
		m.Merge(frames, ^Offloads(0))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/40, "ns/datagram")
}
