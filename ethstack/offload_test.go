package ethstack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

func TestOffloadNeeds(t *testing.T) {
	for _, tt := range []struct {
		o    Offload
		want Offloads
	}{
		{Offload{}, 0},
		{Offload{Flags: DataValid}, 0},
		{Offload{Flags: NeedsChecksum}, OffloadChecksum},
		{Offload{Segment: SegmentTCPv4}, OffloadTCPv4},
		{Offload{Segment: SegmentTCPv4, Flags: NeedsChecksum}, OffloadTCPv4 | OffloadChecksum},
		{Offload{Segment: SegmentTCPv6, Flags: NeedsChecksum | ECN}, OffloadTCPv6 | OffloadChecksum | OffloadECN},
		{Offload{Segment: SegmentUDP, Flags: NeedsChecksum}, OffloadUDP | OffloadChecksum},
		{Offload{Segment: SegmentUDP + 1}, ^Offloads(0)},
	} {
		if got := tt.o.Needs(); got != tt.want {
			t.Errorf("Needs of %+v is %v, want %v", tt.o, got, tt.want)
		}
		for have := range Offloads(32) {
			if got, want := needsSoftware(tt.o, have), !have.Has(tt.want); got != want {
				t.Errorf("needsSoftware(%+v, %v) is %v, want %v", tt.o, have, got, want)
			}
		}
	}
}

// badOffloads are frames whose metadata lies, each made of a good one.
var badOffloads = []struct {
	name   string
	packet testPacket
	size   int
	change func(f *builtFrame, o *Offload)
}{
	{"checksum starts in the Ethernet header", testPacket{payload: 100}, 0, func(f *builtFrame, o *Offload) { o.ChecksumStart = 13 }},
	{"checksum starts behind the frame", testPacket{payload: 100}, 0, func(f *builtFrame, o *Offload) { o.ChecksumStart = 400 }},
	{"checksum starts at the very end", testPacket{payload: 100}, 0, func(f *builtFrame, o *Offload) { o.ChecksumStart = 65535 }},
	{"checksum field behind the frame", testPacket{payload: 100}, 0, func(f *builtFrame, o *Offload) { o.ChecksumOffset = 120 - 1 }},
	{"checksum field far behind", testPacket{payload: 100}, 0, func(f *builtFrame, o *Offload) { o.ChecksumOffset = 65535 }},
	{"ECN on a plain frame", testPacket{payload: 100}, 0, func(f *builtFrame, o *Offload) { o.Flags |= ECN }},
	{"header length beyond the frame", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { o.HeaderLen = 155 }},
	{"segment size 0", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { o.SegmentSize = 0 }},
	{"unknown segment type", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { o.Segment = SegmentUDP + 1 }},
	{"TCPv6 on IPv4", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { o.Segment = SegmentTCPv6 }},
	{"TCPv4 on IPv6", testPacket{v6: true, payload: 100}, 50, func(f *builtFrame, o *Offload) { o.Segment = SegmentTCPv4 }},
	{"TCPv4 on UDP", testPacket{udp: true, payload: 100}, 50, func(f *builtFrame, o *Offload) { o.Segment = SegmentTCPv4 }},
	{"UDP on TCP", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { o.Segment = SegmentUDP }},
	{"UDP with ECN", testPacket{udp: true, payload: 100}, 50, func(f *builtFrame, o *Offload) { o.Flags |= ECN }},
	{"checksum not at the transport header", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { o.ChecksumStart += 2 }},
	{"checksum field not TCP's", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { o.ChecksumOffset = 6 }},
	{"checksum field not UDP's", testPacket{udp: true, payload: 100}, 50, func(f *builtFrame, o *Offload) { o.ChecksumOffset = 16 }},
	{"another EtherType", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { f.bytes[13] = 0x06 }},
	{"a fragment", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.network+6] = 0x20 }},
	{"a later fragment", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.network+7] = 1 }},
	{"IPv4 header length too small", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.network] = 0x44 }},
	{"IPv4 header longer than the packet", testPacket{payload: 0}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.network] = 0x4f }},
	{"IP version", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.network] = 0x55 }},
	{"IPv6 version", testPacket{v6: true, payload: 100}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.network] = 0x40 }},
	{"IPv4 length beyond the frame", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.network+2] = 1 }},
	{"IPv6 length beyond the frame", testPacket{v6: true, payload: 100}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.network+4] = 1 }},
	{"IPv6 length 0", testPacket{v6: true, payload: 100}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.network+5] = 0 }},
	{"extension header beyond the packet", testPacket{v6: true, extra: 24, payload: 100}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.network+41] = 200 }},
	{"TCP header too short", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.transport+12] = 0x40 }},
	{"TCP header beyond the packet", testPacket{payload: 10}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.transport+12] = 0xf0 }},
	{"UDP header beyond the packet", testPacket{udp: true}, 50, func(f *builtFrame, o *Offload) { f.bytes[f.network+3] = 27 }},
	{"nothing of the packet", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) {
		f.bytes = f.bytes[:14]
		*o = Offload{Segment: SegmentTCPv4, SegmentSize: 50}
	}},
	{"not even an EtherType", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) {
		f.bytes = f.bytes[:13]
		*o = Offload{Segment: SegmentTCPv4, SegmentSize: 50}
	}},
	{"nothing at all", testPacket{payload: 100}, 50, func(f *builtFrame, o *Offload) {
		f.bytes = nil
		*o = Offload{Segment: SegmentTCPv4, SegmentSize: 50}
	}},
}

// TestBadOffload: lying metadata is dropped when received, an error when sent;
// and before the change the same frame is neither.
func TestBadOffload(t *testing.T) {
	for _, tt := range badOffloads {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.packet.build(1).partial()
			o := f.offload(tt.size)
			for _, bad := range []bool{false, true} {
				want, wantErr := DropNone, error(nil)
				if bad {
					tt.change(f, &o)
					want, wantErr = DropBadOffload, ErrUnsupportedOffload
				}
				for at := 0; at <= len(f.bytes); at += 7 {
					bufs := cut(f.bytes, at)
					if got := checkOffload(&Frame{Bufs: bufs, Len: len(f.bytes), Offload: o}); got != want {
						t.Fatalf("checkOffload, cut at %d: %v, want %v", at, got, want)
					}
					var s Segmenter
					if _, err := s.Segment(&Frame{Bufs: bufs, Offload: o}, 0); !errors.Is(err, wantErr) {
						t.Fatalf("Segment, cut at %d: %v, want %v", at, err, wantErr)
					}
				}
			}
		})
	}
	if got := checkOffload(&Frame{Offload: Offload{Segment: SegmentUDP, SegmentSize: 1}}); got != DropBadOffload {
		t.Errorf("checkOffload of a frame without memory: %v", got)
	}
}

// TestSegmentRefuses: what cannot be segmented although the metadata is right.
func TestSegmentRefuses(t *testing.T) {
	syn := testPacket{payload: 100}.build(1).partial()
	syn.bytes[syn.transport+13] |= tcpSYN
	tiny := testPacket{udp: true, payload: maxSegments + 1}.build(1).partial()
	long := testPacket{v6: true, extra: 208, payload: 100}.build(1).partial()
	field := testPacket{payload: 1000}.build(1).offload(0)
	field.ChecksumOffset = 500
	for _, tt := range []struct {
		name string
		f    Frame
	}{
		{"SYN", Frame{Bufs: [][]byte{syn.bytes}, Offload: syn.offload(50)}},
		{"too many segments", Frame{Bufs: [][]byte{tiny.bytes}, Offload: tiny.offload(1)}},
		{"headers too long", Frame{Bufs: [][]byte{long.bytes}, Offload: long.offload(50)}},
		{"checksum field too far in", Frame{Bufs: [][]byte{make([]byte, 1000)}, Offload: field}},
	} {
		var s Segmenter
		if got, err := s.Segment(&tt.f, 0); !errors.Is(err, ErrUnsupportedOffload) {
			t.Errorf("%s: %d frames, %v; want %v", tt.name, len(got), err, ErrUnsupportedOffload)
		}
	}
	tiny = testPacket{udp: true, payload: maxSegments}.build(1).partial()
	var s Segmenter
	if got, err := s.Segment(&Frame{Bufs: [][]byte{tiny.bytes}, Offload: tiny.offload(1)}, 0); len(got) != maxSegments || err != nil {
		t.Errorf("as many segments as are allowed: %d, %v", len(got), err)
	}
}

// TestComplete completes partial checksums on the way out, into new headers, and
// on the way in, in place. Padding does not count.
func TestComplete(t *testing.T) {
	for _, payload := range []int{0, 1, 2, 101} {
		for _, p := range testPackets(payload) {
			want := p.build(2)
			partial := p.build(2).partial()
			for _, padding := range [][]byte{nil, {1, 2, 3}} {
				in := append(bytes.Clone(partial.bytes), padding...)
				var s Segmenter
				for at := range len(in) + 1 {
					bufs := cut(in, at/2, at)
					parts, offloads := splitInto(t, &s, Frame{Bufs: bufs, Offload: want.offload(0)}, 0)
					if len(parts) != 1 || offloads[0] != (Offload{}) || !sameChecksum(want, parts[0]) {
						t.Fatalf("%v sent, cut at %d: got\n%x, want\n%x", p, at, parts, want.bytes)
					}
					work := bytes.Clone(in)
					f := Frame{Bufs: append(cut(work, at), make([]byte, 9)), Len: len(in), Offload: want.offload(0)}
					CompleteChecksum(&f)
					if f.Offload.Flags != DataValid || !sameChecksum(want, work) {
						t.Fatalf("%v received, cut at %d: got %+v\n%x, want\n%x", p, at, f.Offload, work, want.bytes)
					}
				}
			}
		}
	}
}

// sameChecksum compares a frame with what it should be. TCP has two ways to
// write a checksum of zero.
func sameChecksum(want *builtFrame, got []byte) bool {
	w, g := bytes.Clone(want.bytes), bytes.Clone(got[:len(want.bytes)])
	at := want.checksumAt()
	if binary.BigEndian.Uint16(w[at:]) == 0 {
		w[at], w[at+1] = 0xff, 0xff
	}
	return bytes.Equal(w, g)
}

// TestCompleteZero: a UDP checksum of zero is sent as all ones.
func TestCompleteZero(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		f := testPacket{v6: v6, udp: true, payload: 20}.build(3)
		binary.BigEndian.PutUint16(f.bytes[f.content:], 0)
		f.setChecksum(0)
		f.bytes[f.checksumAt()], f.bytes[f.checksumAt()+1] = 0, 0
		rest := naiveSum(f.pseudo(), f.bytes[f.transport:])
		binary.BigEndian.PutUint16(f.bytes[f.content:], ^rest) // now all sums to 0xffff
		f.partial()

		var s Segmenter
		whole, _ := splitInto(t, &s, Frame{Bufs: [][]byte{f.bytes}, Offload: f.offload(0)}, 0)
		one, _ := splitInto(t, &s, Frame{Bufs: [][]byte{f.bytes}, Offload: f.offload(100)}, 0)
		in := Frame{Bufs: [][]byte{bytes.Clone(f.bytes)}, Len: len(f.bytes), Offload: f.offload(0)}
		CompleteChecksum(&in)
		for i, got := range [][]byte{whole[0], one[0], in.Bufs[0]} {
			if c := binary.BigEndian.Uint16(got[f.checksumAt():]); c != 0xffff {
				t.Errorf("v6=%v, way %d: checksum is %#04x, want 0xffff", v6, i, c)
			}
		}
	}
}

// TestCompleteLeavesAlone: nothing to complete, or nowhere.
func TestCompleteLeavesAlone(t *testing.T) {
	for _, o := range []Offload{
		{}, {Flags: DataValid}, {Flags: NeedsChecksum}, {Flags: NeedsChecksum, ChecksumStart: 59, ChecksumOffset: 0},
		{Flags: NeedsChecksum, ChecksumStart: 65535, ChecksumOffset: 65535},
	} {
		b := bytes.Repeat([]byte{0xa5}, 100)
		f := Frame{Bufs: [][]byte{b}, Len: 60, Offload: o}
		CompleteChecksum(&f)
		if !bytes.Equal(b, bytes.Repeat([]byte{0xa5}, 100)) || f.Offload != o {
			t.Errorf("%+v: the frame was changed: %+v, %x", o, f.Offload, b)
		}
	}
}

func TestOffloadNoAllocations(t *testing.T) {
	f := testPacket{v6: true, extra: 40, options: 12, payload: 3000}.build(4).partial()
	g := testPacket{payload: 1000}.build(4)
	bad := f.offload(1000)
	bad.SegmentSize = 0
	frames := []Frame{
		{Bufs: cut(f.bytes, 128), Offload: f.offload(1000)},
		{Bufs: cut(f.bytes, 50), Offload: f.offload(1000)},
		{Bufs: cut(f.bytes, 128), Offload: bad},
		{Bufs: cut(g.bytes, 128, 801)},
		{Bufs: cut(g.bytes, 20)},
	}
	if n := testing.AllocsPerRun(100, func() {
		for i := range frames {
			x := frames[i]
			x.Len = x.WireLen()
			checkOffload(&x)
			VerifyChecksums(&x)
			CompleteChecksum(&x)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
