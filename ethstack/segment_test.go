package ethstack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// splitInto segments a frame and returns the frames' bytes and metadata. It
// fails the test if the caller's memory was written to.
func splitInto(t *testing.T, s *Segmenter, f Frame, have Offloads) (parts [][]byte, offloads []Offload) {
	t.Helper()
	before := joined(f)
	frames, err := s.Segment(&f, have)
	if err != nil {
		t.Fatalf("Segment: %v", err)
	}
	for _, p := range frames {
		parts = append(parts, joined(p))
		offloads = append(offloads, p.Offload)
	}
	if !bytes.Equal(joined(f), before) {
		t.Fatal("Segment wrote to the caller's memory")
	}
	return parts, offloads
}

// TestSegmentReassembles: put together again, the payloads of the segments are
// the super-frame's; each segment is right in itself; and nothing in the
// headers differs but what must.
func TestSegmentReassembles(t *testing.T) {
	const seed = 1
	var s Segmenter
	for _, payload := range []int{0, 1, 999, 1000, 1001, 5321} {
		for _, p := range testPackets(payload) {
			for _, size := range []int{1000, 1448, 6000} {
				for _, have := range []Offloads{0, OffloadChecksum} {
					for _, partial := range []bool{true, false} {
						name := fmt.Sprintf("%v/%d/%v/partial=%v", p, size, have, partial)
						f := p.build(seed)
						o := f.offload(size)
						if partial {
							f.partial()
						} else {
							o.Flags, o.ChecksumStart, o.ChecksumOffset = DataValid, 0, 0
						}
						t.Run(name, func(t *testing.T) { testReassembles(t, &s, f, o, have) })
					}
				}
			}
		}
	}
}

func testReassembles(t *testing.T, s *Segmenter, f *builtFrame, o Offload, have Offloads) {
	size := int(o.SegmentSize)
	parts, offloads := splitInto(t, s, Frame{Bufs: cut(f.bytes, f.content), Offload: o}, have)
	if want := max(1, (f.payload+size-1)/size); len(parts) != want {
		t.Fatalf("%d segments, want %d", len(parts), want)
	}
	want := Offload{}
	if have.Has(OffloadChecksum) {
		want = f.offload(0)
	}
	var payload []byte
	for i, part := range parts {
		if offloads[i] != want {
			t.Errorf("segment %d: metadata is %+v, want %+v", i, offloads[i], want)
		}
		f.verify(t, part, want != Offload{})
		payload = append(payload, part[f.content:]...)

		// What a segment's header should be, made of the super-frame's.
		header := bytes.Clone(f.bytes[:f.content])
		ip, transport := header[f.network:], header[f.transport:]
		if !f.v6 {
			copy(ip[2:4], part[f.network+2:]) // verified above, like all copied here
			copy(ip[10:12], part[f.network+10:])
			binary.BigEndian.PutUint16(ip[4:], binary.BigEndian.Uint16(ip[4:])+uint16(i))
		} else {
			copy(ip[4:6], part[f.network+4:])
		}
		if f.udp {
			copy(transport[4:8], part[f.transport+4:])
		} else {
			binary.BigEndian.PutUint32(transport[4:], binary.BigEndian.Uint32(transport[4:])+uint32(i*size))
			copy(transport[16:18], part[f.transport+16:])
		}
		if d := cmp.Diff(header, part[:f.content]); d != "" {
			t.Errorf("segment %d: header (-want +got):\n%s", i, d)
		}
	}
	if !bytes.Equal(payload, f.bytes[f.content:]) {
		t.Error("the payloads put together are not the super-frame's")
	}
}

// TestSegmentScattered: however the memory is cut, headers included, the
// frames are the same; payload is not copied.
func TestSegmentScattered(t *testing.T) {
	const seed, size = 2, 101
	var s Segmenter
	for _, p := range testPackets(333) {
		f := p.build(seed).partial()
		o := f.offload(size)
		want, _ := splitInto(t, &s, Frame{Bufs: [][]byte{f.bytes}, Offload: o}, 0)
		for at := range len(f.bytes) + 1 {
			for _, bufs := range [][][]byte{
				cut(f.bytes, at), cut(f.bytes, at, at, min(at+1, len(f.bytes))), cut(f.bytes, at/3, at),
			} {
				got, _ := splitInto(t, &s, Frame{Bufs: bufs, Offload: o}, 0)
				if !slices.EqualFunc(want, got, bytes.Equal) {
					t.Fatalf("%v cut at %d (-whole +cut):\n%s", p, at, cmp.Diff(want, got))
				}
			}
		}
		frames, err := s.Segment(&Frame{Bufs: [][]byte{f.bytes}, Offload: o}, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range frames {
			if at := f.content + i*size; &g.Bufs[1][0] != &f.bytes[at] {
				t.Errorf("%v: the payload of segment %d was copied", p, i)
			}
		}
	}
}

// TestSegmentPadding: what follows the IP packet belongs to no segment.
func TestSegmentPadding(t *testing.T) {
	var s Segmenter
	for _, p := range testPackets(250) {
		f := p.build(3).partial()
		o := f.offload(100)
		want, _ := splitInto(t, &s, Frame{Bufs: [][]byte{f.bytes}, Offload: o}, 0)
		got, _ := splitInto(t, &s, Frame{Bufs: [][]byte{f.bytes, {1, 2, 3}}, Offload: o}, 0)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%v (-without +with padding):\n%s", p, d)
		}
	}
}

// TestSegmentTCPFlags: which of three segments carries which flag.
func TestSegmentTCPFlags(t *testing.T) {
	const ack, ece, rst = 0x10, 0x40, 0x04
	for _, tt := range []struct {
		name   string
		flags  byte
		urgent uint16
		want   [3]byte
		point  [3]uint16
	}{
		{"plain", ack, 0, [3]byte{ack, ack, ack}, [3]uint16{}},
		{"FIN and PSH at the end", ack | tcpFIN | tcpPSH, 0, [3]byte{ack, ack, ack | tcpFIN | tcpPSH}, [3]uint16{}},
		{"CWR at the beginning", ack | tcpCWR, 0, [3]byte{ack | tcpCWR, ack, ack}, [3]uint16{}},
		{"ECE and RST everywhere", ack | ece | rst, 0, [3]byte{ack | ece | rst, ack | ece | rst, ack | ece | rst}, [3]uint16{}},
		{"urgent up to the second", ack | tcpURG, 150, [3]byte{ack | tcpURG, ack | tcpURG, ack}, [3]uint16{150, 50, 0}},
		{"urgent up to the end of the first", ack | tcpURG, 100, [3]byte{ack | tcpURG, ack, ack}, [3]uint16{100, 0, 0}},
		{"pointer without URG", ack, 7, [3]byte{ack, ack, ack}, [3]uint16{7, 7, 7}},
	} {
		for _, v6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/v6=%v", tt.name, v6), func(t *testing.T) {
				f := testPacket{v6: v6, payload: 250}.build(4)
				f.bytes[f.transport+13] = tt.flags
				binary.BigEndian.PutUint16(f.bytes[f.transport+18:], tt.urgent)
				var s Segmenter
				parts, _ := splitInto(t, &s, Frame{Bufs: [][]byte{f.partial().bytes}, Offload: f.offload(100)}, 0)
				var got [3]byte
				var point [3]uint16
				for i, part := range parts {
					f.verify(t, part, false)
					got[i], point[i] = part[f.transport+13], binary.BigEndian.Uint16(part[f.transport+18:])
				}
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Errorf("flags (-want +got):\n%s", d)
				}
				if d := cmp.Diff(tt.point, point); d != "" {
					t.Errorf("urgent pointers (-want +got):\n%s", d)
				}
			})
		}
	}
}

// TestSegmentUDPWithoutChecksum: a datagram without a checksum becomes
// datagrams without.
func TestSegmentUDPWithoutChecksum(t *testing.T) {
	f := testPacket{udp: true, payload: 250}.build(5)
	binary.BigEndian.PutUint16(f.bytes[f.checksumAt():], 0)
	o := f.offload(100)
	o.Flags = 0
	var s Segmenter
	for _, have := range []Offloads{0, OffloadChecksum} {
		parts, offloads := splitInto(t, &s, Frame{Bufs: [][]byte{f.bytes}, Offload: o}, have)
		for i, part := range parts {
			if c := binary.BigEndian.Uint16(part[f.checksumAt():]); c != 0 || offloads[i] != (Offload{}) {
				t.Errorf("segment %d: checksum %#04x, %+v; want none", i, c, offloads[i])
			}
		}
	}
}

// TestSegmentRouted: with a routing header the pseudo-header's destination is
// known only if its sum is given (RFC 8200 §8.1).
func TestSegmentRouted(t *testing.T) {
	f := testPacket{v6: true, extra: 24, payload: 250}.build(6)
	f.bytes[f.network+40] = protoRouting // in place of the destination options
	routing := f.bytes[f.network+48:]
	routing[2], routing[3] = 4, 1
	// As if the last stop were another: any partial sum has to be carried on.
	const elsewhere = 0x1111
	last := naiveSum(f.pseudo(), []byte{elsewhere >> 8, elsewhere & 0xff})
	binary.BigEndian.PutUint16(f.bytes[f.checksumAt():], last)

	var s Segmenter
	parts, _ := splitInto(t, &s, Frame{Bufs: [][]byte{f.bytes}, Offload: f.offload(100)}, 0)
	for i, part := range parts {
		x := *f
		x.bytes = part
		if got := naiveSum(x.pseudo(), []byte{elsewhere >> 8, elsewhere & 0xff}, part[f.transport:]); got != 0xffff {
			t.Errorf("segment %d sums to %#04x, want 0xffff", i, got)
		}
	}
	o := f.offload(100)
	o.Flags = DataValid
	if _, err := s.Segment(&Frame{Bufs: [][]byte{f.bytes}, Offload: o}, 0); !errors.Is(err, ErrUnsupportedOffload) {
		t.Errorf("without the pseudo-header's sum: %v, want %v", err, ErrUnsupportedOffload)
	}
}

// TestSegmentAsIs: what the device can do is left to it.
func TestSegmentAsIs(t *testing.T) {
	f := testPacket{payload: 2500}.build(7).partial()
	for _, tt := range []struct {
		name    string
		offload Offload
		have    Offloads
	}{
		{"plain", Offload{}, 0},
		{"verified", Offload{Flags: DataValid}, 0},
		{"checksum", f.offload(0), OffloadChecksum},
		{"TSO", f.offload(1000), OffloadChecksum | OffloadTCPv4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s Segmenter
			in := Frame{Bufs: [][]byte{f.bytes[:60], f.bytes[60:]}, Offload: tt.offload}
			got, err := s.Segment(&in, tt.have)
			if err != nil || len(got) != 1 || got[0].Offload != tt.offload || &got[0].Bufs[1][0] != &f.bytes[60] {
				t.Errorf("got %d frames, %v; want the one as it was", len(got), err)
			}
		})
	}
}

// TestSegmentSteadyState: after the first frame nothing is allocated.
func TestSegmentSteadyState(t *testing.T) {
	for _, p := range testPackets(40000) {
		f := p.build(8).partial()
		var s Segmenter
		in := Frame{Bufs: cut(f.bytes, 128, 1001, 30000), Offload: f.offload(1448)}
		single := testPacket{v6: p.v6, udp: p.udp, payload: 1000}.build(9).partial()
		plain := Frame{Bufs: cut(single.bytes, 128), Offload: single.offload(0)}
		if n := testing.AllocsPerRun(20, func() {
			for _, have := range []Offloads{0, OffloadChecksum} {
				if frames, err := s.Segment(&in, have); len(frames) != 28 || err != nil {
					t.Fatalf("%d frames, %v", len(frames), err)
				}
			}
			if _, err := s.Segment(&plain, 0); err != nil {
				t.Fatal(err)
			}
			s.Reset()
		}); n != 0 {
			t.Errorf("%v: %v allocations, want 0", p, n)
		}
	}
}

func BenchmarkSegment(b *testing.B) {
	f := testPacket{payload: 64000, options: 12}.build(1).partial()
	in := Frame{Bufs: cut(f.bytes, 128, 33000), Offload: f.offload(1448)}
	for _, have := range []Offloads{0, OffloadChecksum} {
		b.Run(have.String(), func(b *testing.B) {
			b.SetBytes(int64(len(f.bytes)))
			b.ReportAllocs()
			var s Segmenter
			for b.Loop() {
				if _, err := s.Segment(&in, have); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
