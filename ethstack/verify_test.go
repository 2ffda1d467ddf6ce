package ethstack

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func received(f Frame) *Frame {
	f.Len = f.WireLen()
	return &f
}

// TestVerifyGood: frames with right checksums are good, however they are cut,
// padded or followed by memory that is not theirs.
func TestVerifyGood(t *testing.T) {
	for _, payload := range []int{0, 1, 2, 130} {
		for _, p := range testPackets(payload) {
			f := p.build(1)
			for _, padding := range [][]byte{nil, {0xde, 0xad, 0xbe}} {
				b := append(bytes.Clone(f.bytes), padding...)
				for at := range len(b) + 1 {
					for _, bufs := range [][][]byte{cut(b, at), cut(b, at/2, at, at)} {
						in := received(Frame{Bufs: bufs})
						in.Bufs = append(in.Bufs, []byte{1, 2, 3})
						if got := VerifyChecksums(in); got != ChecksumGood {
							t.Fatalf("%v with %d bytes of padding, cut at %d: %v", p, len(padding), at, got)
						}
					}
				}
			}
		}
	}
}

// TestVerifyFindsEveryBit flips each bit from the IP header on: wherever a
// checksum covers it, the result is not good.
func TestVerifyFindsEveryBit(t *testing.T) {
	for _, p := range testPackets(21) {
		f := p.build(2)
		for i := f.network; i < len(f.bytes); i++ {
			for bit := range 8 {
				b := bytes.Clone(f.bytes)
				b[i] ^= 1 << bit
				got := VerifyChecksums(received(Frame{Bufs: [][]byte{b}}))
				at := i - f.network
				// IPv6 has no header checksum; its pseudo-header covers the
				// addresses and lengths, and the next header makes it another protocol.
				uncovered := f.v6 && i < f.transport && !(at >= 8 && at < 40)
				switch {
				case uncovered:
				case got == ChecksumGood:
					t.Errorf("%v: bit %d of byte %d (%d of IP) flipped: %v", p, bit, i, at, got)
				case !f.v6 && i < f.transport && got != ChecksumBadHeader && got != ChecksumMalformed:
					t.Errorf("%v: bit %d of byte %d of the IPv4 header flipped: %v", p, bit, at, got)
				}
			}
		}
	}
}

func TestVerify(t *testing.T) {
	const seed = 3
	v4, v6 := testPacket{payload: 50}, testPacket{v6: true, payload: 50}
	u4, u6 := testPacket{udp: true, payload: 50}, testPacket{udp: true, v6: true, payload: 50}
	e6 := testPacket{v6: true, extra: 24, payload: 50}
	fixHeader := func(f *builtFrame) {
		ip := f.bytes[f.network:f.transport]
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], ^naiveSum(ip))
	}
	breakTransport := func(f *builtFrame) { f.bytes[f.checksumAt()] ^= 0x40 }
	for _, tt := range []struct {
		name   string
		packet testPacket
		flags  OffloadFlags
		change func(*builtFrame)
		want   ChecksumResult
	}{
		{"TCP wrong", v4, 0, breakTransport, ChecksumBadTransport},
		{"TCP wrong, IPv6", v6, 0, breakTransport, ChecksumBadTransport},
		{"UDP wrong", u4, 0, breakTransport, ChecksumBadTransport},
		{"UDP wrong, IPv6", u6, 0, breakTransport, ChecksumBadTransport},
		{"behind extension headers wrong", e6, 0, breakTransport, ChecksumBadTransport},
		{"TCP wrong but vouched for", v4, DataValid, breakTransport, ChecksumGood},
		{"TCP partial", v4, NeedsChecksum, func(f *builtFrame) { f.partial() }, ChecksumGood},
		{"TCP partial without saying so", v4, 0, func(f *builtFrame) { f.partial() }, ChecksumBadTransport},
		{"IPv4 header wrong", v4, 0, func(f *builtFrame) { f.bytes[f.network+8]-- }, ChecksumBadHeader},
		{"IPv4 header wrong, data vouched for", v4, DataValid, func(f *builtFrame) { f.bytes[f.network+8]-- }, ChecksumBadHeader},
		{"IPv4 header wrong, data partial", v4, NeedsChecksum, func(f *builtFrame) { f.bytes[f.network+8]-- }, ChecksumBadHeader},
		{"no UDP checksum", u4, 0, func(f *builtFrame) { f.setField(0) }, ChecksumGood},
		{"no UDP checksum, IPv6", u6, 0, func(f *builtFrame) { f.setField(0) }, ChecksumBadTransport},
		{"UDP length beyond the packet", u4, 0, func(f *builtFrame) { f.bytes[f.transport+5]++ }, ChecksumMalformed},
		{"UDP length below its header", u4, 0, func(f *builtFrame) { f.bytes[f.transport+5] = 7 }, ChecksumMalformed},
		{"UDP shorter than the packet", u4, 0, func(f *builtFrame) {
			// Only the datagram's own bytes count (RFC 768).
			whole := f.bytes
			f.bytes = f.bytes[:len(f.bytes)-9]
			f.bytes[f.transport+5] -= 9
			f.setField(0)
			f.setChecksum(^naiveSum(f.pseudo(), f.bytes[f.transport:]))
			f.bytes = whole
		}, ChecksumGood},
		{"first fragment", v4, 0, func(f *builtFrame) { f.bytes[f.network+6] = 0x20; fixHeader(f) }, ChecksumUnknown},
		{"last fragment", v4, DataValid, func(f *builtFrame) { f.bytes[f.network+7] = 9; fixHeader(f) }, ChecksumUnknown},
		{"fragment with a wrong header", v4, 0, func(f *builtFrame) { f.bytes[f.network+6] = 0x20 }, ChecksumBadHeader},
		{"IPv6 fragment", e6, 0, func(f *builtFrame) { f.bytes[f.network+40] = protoFragment }, ChecksumUnknown},
		{"ICMP", v4, 0, func(f *builtFrame) { f.bytes[f.network+9] = 1; fixHeader(f) }, ChecksumUnknown},
		{"ICMPv6", v6, 0, func(f *builtFrame) { f.bytes[f.network+6] = 58 }, ChecksumUnknown},
		{"authentication header", v6, 0, func(f *builtFrame) { f.bytes[f.network+6] = 51 }, ChecksumUnknown},
		{"ICMP with a wrong header", v4, 0, func(f *builtFrame) { f.bytes[f.network+9] = 1 }, ChecksumBadHeader},
		{"stops left in a routing header", e6, 0, func(f *builtFrame) {
			f.bytes[f.network+40] = protoRouting
			f.bytes[f.network+51] = 1
		}, ChecksumUnknown},
		{"no stops left in a routing header", e6, 0, func(f *builtFrame) {
			f.bytes[f.network+40] = protoRouting
			f.bytes[f.network+51] = 0
		}, ChecksumGood},
		{"not IP", v4, 0, func(f *builtFrame) { f.bytes[12], f.bytes[13] = 0x88, 0xb5 }, ChecksumUnknown},
		{"IPv4 cut short", v4, 0, func(f *builtFrame) { f.bytes = f.bytes[:len(f.bytes)-1] }, ChecksumMalformed},
		{"IPv6 cut short", v6, 0, func(f *builtFrame) { f.bytes = f.bytes[:len(f.bytes)-1] }, ChecksumMalformed},
		{"IPv4 length below its header", v4, 0, func(f *builtFrame) {
			f.bytes[f.network+9] = 1 // no transport to find it
			f.bytes[f.network+3] = 19
			fixHeader(f)
		}, ChecksumMalformed},
		{"extension header in the padding", v6, 0, func(f *builtFrame) {
			f.bytes[f.network+5], f.bytes[f.network+6] = 4, protoDestination
			copy(f.bytes[f.transport:], []byte{59, 0})
		}, ChecksumMalformed},
		{"half an IPv4 header", v4, 0, func(f *builtFrame) { f.bytes = f.bytes[:24] }, ChecksumMalformed},
		{"half an IPv6 header", v6, 0, func(f *builtFrame) { f.bytes = f.bytes[:34] }, ChecksumMalformed},
		{"no frame", v4, 0, func(f *builtFrame) { f.bytes = nil }, ChecksumMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.packet.build(seed)
			tt.change(f)
			for at := 0; at <= len(f.bytes); at++ {
				o := Offload{Flags: tt.flags}
				if tt.flags&NeedsChecksum != 0 {
					o = f.offload(0)
				}
				in := received(Frame{Bufs: cut(f.bytes, at), Offload: o})
				if got := VerifyChecksums(in); got != tt.want {
					t.Fatalf("cut at %d: %v, want %v", at, got, tt.want)
				}
			}
		})
	}
}

// TestVerifyInside: a checksum that is missing somewhere else than in the packet's
// own field says nothing about that.
func TestVerifyInside(t *testing.T) {
	for _, p := range testPackets(100) {
		f := p.build(5)
		for name, change := range map[string]func(*Offload){
			"behind the headers": func(o *Offload) { o.ChecksumStart = uint16(f.content) },
			"another field":      func(o *Offload) { o.ChecksumOffset += 2 },
			"vouched for, too":   func(o *Offload) { o.ChecksumStart, o.Flags = uint16(f.content), o.Flags|DataValid },
		} {
			o := f.offload(0)
			change(&o)
			if got := VerifyChecksums(received(Frame{Bufs: cut(f.bytes, 60), Offload: o})); got != ChecksumUnknown {
				t.Errorf("%v, %s: %v, want %v", p, name, got, ChecksumUnknown)
			}
		}
	}
}

// setField writes the transport checksum as it is given.
func (b *builtFrame) setField(c uint16) { binary.BigEndian.PutUint16(b.bytes[b.checksumAt():], c) }

// TestVerifyManyExtensions: headers are walked as far as is reasonable.
func TestVerifyManyExtensions(t *testing.T) {
	for _, tt := range []struct {
		headers int
		want    ChecksumResult
	}{
		{maxExtensions - 1, ChecksumGood}, {maxExtensions, ChecksumUnknown}, {40, ChecksumUnknown},
	} {
		f := testPacket{v6: true, payload: 30}.build(4)
		var chain []byte
		for i := range tt.headers {
			next := byte(protoDestination)
			if i == tt.headers-1 {
				next = protoTCP
			}
			chain = append(chain, next, 0, 1, 4, 0, 0, 0, 0)
		}
		b := append(append(bytes.Clone(f.bytes[:f.transport]), chain...), f.bytes[f.transport:]...)
		b[f.network+6] = protoDestination
		binary.BigEndian.PutUint16(b[f.network+4:], uint16(len(b)-f.transport))
		for _, at := range []int{0, 14, 60, 100, 128} {
			if got := VerifyChecksums(received(Frame{Bufs: cut(b, at)})); got != tt.want {
				t.Errorf("%d extension headers, cut at %d: %v, want %v", tt.headers, at, got, tt.want)
			}
		}
	}
}

// FuzzOffload feeds arbitrary frames and metadata to everything here. Nothing
// may panic; what is segmented must be the frame's payload, and the caller's
// memory must stay as it is.
func FuzzOffload(f *testing.F) {
	for _, p := range []testPacket{
		{payload: 300}, {v6: true, payload: 300}, {udp: true, payload: 300}, {udp: true, v6: true, payload: 300},
		{v6: true, extra: 24, payload: 200}, {tag: true, extra: 8, options: 12, payload: 200},
	} {
		b := p.build(1).partial()
		o := b.offload(100)
		f.Add(b.bytes, uint16(50), byte(o.Flags), byte(o.Segment), o.SegmentSize, o.HeaderLen, o.ChecksumStart, o.ChecksumOffset, byte(0))
		o = b.offload(0)
		f.Add(b.bytes, uint16(128), byte(o.Flags), byte(o.Segment), o.SegmentSize, o.HeaderLen, o.ChecksumStart, o.ChecksumOffset, byte(1))
		for _, n := range []int{0, 13, 14, 33, 34, 53, 54, 60} {
			f.Add(b.bytes[:n], uint16(9), byte(0), byte(0), uint16(0), uint16(0), uint16(0), uint16(0), byte(0))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, at uint16, flags, segment byte, size, header, start, offset uint16, have byte) {
		o := Offload{
			Flags: OffloadFlags(flags), Segment: SegmentType(segment), SegmentSize: size, HeaderLen: header,
			ChecksumStart: start, ChecksumOffset: offset,
		}
		before := bytes.Clone(b)
		in := received(Frame{Bufs: cut(b, int(at)%(len(b)+1)), Offload: o})
		verified := VerifyChecksums(in)
		if whole := VerifyChecksums(received(Frame{Bufs: [][]byte{b}, Offload: o})); whole != verified {
			t.Errorf("verified cut at %d: %v, whole: %v", int(at)%(len(b)+1), verified, whole)
		}
		why := checkOffload(in)
		var s Segmenter
		parts, err := s.Segment(in, Offloads(have))
		if why != DropNone && err == nil && needsSoftware(o, Offloads(have)) {
			t.Errorf("metadata %+v is refused (%v) but segmented", o, why)
		}
		if err == nil && o.Segment != SegmentNone && needsSoftware(o, Offloads(have)) {
			var l layers
			if p := l.parse(b, len(b)); p != parsedOK {
				t.Fatalf("segmented although parsed as %d", p)
			}
			var payload []byte
			for _, x := range parts {
				payload = append(payload, joined(x)[l.payload:]...)
				if x.Offload.Flags&NeedsChecksum != 0 {
					continue
				}
				if r := VerifyChecksums(received(x)); r != ChecksumGood && !(l.routed || o.Flags&NeedsChecksum != 0) {
					t.Errorf("a segment's checksums are %v", r)
				}
			}
			if !bytes.Equal(payload, b[l.payload:l.end]) {
				t.Error("the segments' payload is not the frame's")
			}
		}
		if !bytes.Equal(b, before) {
			t.Error("the caller's memory was written to")
		}
		if why == DropNone {
			CompleteChecksum(in)
			if in.Offload.Flags&NeedsChecksum != 0 {
				t.Errorf("%+v is accepted but cannot be completed", o)
			}
		}
	})
}

func BenchmarkVerifyChecksums(b *testing.B) {
	f := testPacket{payload: 1448}.build(1)
	for _, tt := range []struct {
		name  string
		flags OffloadFlags
	}{{"flagged", DataValid}, {"unflagged", 0}} {
		b.Run(tt.name, func(b *testing.B) {
			in := received(Frame{Bufs: cut(f.bytes, 128), Offload: Offload{Flags: tt.flags}})
			b.ReportAllocs()
			for b.Loop() {
				if VerifyChecksums(in) != ChecksumGood {
					b.Fatal("not good")
				}
			}
		})
	}
}
