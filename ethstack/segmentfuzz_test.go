package ethstack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Shapes of fuzzed packets, as bits.
const (
	shapeTag = 1 << iota
	shapeV6
	shapeUDP
)

func shaped(bits, extra, options byte, payload uint16) testPacket {
	p := testPacket{tag: bits&shapeTag != 0, v6: bits&shapeV6 != 0, udp: bits&shapeUDP != 0, payload: int(payload % 1000)}
	if extra%5 != 0 {
		p.extra = 16 + 8*int(extra%4) // extension headers are of eights
	}
	if !p.udp {
		p.options = 4 * int(options%11)
	}
	return p
}

// FuzzSegment takes super-frames of any shape, size, flags and cut apart in
// software. Put together again, the payload is the super-frame's; each segment
// is right in itself; its headers differ from the super-frame's where they have
// to and nowhere else; and how the memory is cut makes no difference.
func FuzzSegment(f *testing.F) {
	f.Add(byte(0), byte(0), byte(0), uint16(900), uint16(100), uint16(54), byte(0x18), uint16(0), byte(0))
	f.Add(byte(shapeV6|shapeTag), byte(1), byte(3), uint16(900), uint16(333), uint16(9), byte(0xff), uint16(500), byte(OffloadChecksum))
	f.Add(byte(shapeUDP), byte(2), byte(0), uint16(999), uint16(500), uint16(200), byte(0), uint16(0), byte(0))
	f.Fuzz(func(t *testing.T, shape, extra, options byte, payload, size, at uint16, flags byte, urgent uint16, have byte) {
		b := shaped(shape, extra, options, payload).build(uint64(size))
		if int(size) < 1+b.payload/20 {
			return // more segments show nothing more
		}
		if !b.udp {
			b.bytes[b.transport+13] = flags &^ tcpSYN
			binary.BigEndian.PutUint16(b.bytes[b.transport+18:], urgent)
		}
		b.partial()
		o := b.offload(int(size))
		left := Offloads(have) & OffloadChecksum
		var s Segmenter
		parts, _ := splitInto(t, &s, Frame{Bufs: [][]byte{b.bytes}, Offload: o}, left)
		if want := max(1, (b.payload+int(size)-1)/int(size)); len(parts) != want {
			t.Fatalf("%v: %d segments, want %d", b, len(parts), want)
		}
		var joined []byte
		for k, part := range parts {
			b.verify(t, part, left != 0)
			checkSegment(t, b, part, k, len(joined), k == len(parts)-1)
			joined = append(joined, part[b.content:]...)
		}
		if !bytes.Equal(joined, b.bytes[b.content:]) {
			t.Errorf("%v: the payloads put together are not the super-frame's", b)
		}
		pieces := cut(b.bytes, int(at)%(len(b.bytes)+1))
		again, _ := splitInto(t, &s, Frame{Bufs: pieces, Offload: o}, left)
		if !slices.EqualFunc(parts, again, bytes.Equal) {
			t.Errorf("%v cut at %d (-whole +cut):\n%s", b, len(pieces[0]), cmp.Diff(parts, again))
		}
	})
}

// checkSegment says what of a segment's headers, at an offset of the payload, is
// not the super-frame's and need not differ. Lengths and checksums are verified
// already.
func checkSegment(t *testing.T, b *builtFrame, part []byte, k, at int, last bool) {
	t.Helper()
	want := bytes.Clone(b.bytes[:b.content])
	same := func(from, to int) { copy(want[from:to], part[from:to]) }
	network, transport := b.network, b.transport
	if b.v6 {
		same(network+4, network+6)
	} else {
		same(network+2, network+4)
		same(network+10, network+12)
		binary.BigEndian.PutUint16(want[network+4:], binary.BigEndian.Uint16(want[network+4:])+uint16(k))
	}
	if b.udp {
		same(transport+4, transport+8)
	} else {
		tcp := want[transport:]
		binary.BigEndian.PutUint32(tcp[4:], binary.BigEndian.Uint32(tcp[4:])+uint32(at))
		same(transport+16, transport+18)
		same(transport+13, transport+14)
		same(transport+18, transport+20)
		checkFlags(t, b.bytes[transport:], part[transport:], at, k == 0, last)
	}
	if !bytes.Equal(want, part[:b.content]) {
		t.Errorf("%v, segment %d: header (-want +got):\n%s", b, k, cmp.Diff(want, part[:b.content]))
	}
}

// checkFlags compares the TCP flags of a segment with those of the whole: none
// is lost, none is where it does not belong, and the urgent data ends at the same
// sequence number.
func checkFlags(t *testing.T, whole, part []byte, at int, first, last bool) {
	t.Helper()
	flags, got := whole[13], part[13]
	for _, f := range []struct {
		bit   byte
		there bool
	}{{tcpFIN, last}, {tcpPSH, last}, {tcpCWR, first}, {0x40, true}, {0x10, true}, {0x04, true}, {tcpSYN, true}} {
		if want := f.there && flags&f.bit != 0; want != (got&f.bit != 0) {
			t.Errorf("flag %#x of %#x is in the segment at %d: %v, want %v", f.bit, flags, at, !want, want)
		}
	}
	pointer, was := int(binary.BigEndian.Uint16(part[18:])), int(binary.BigEndian.Uint16(whole[18:]))
	switch urgent := flags&tcpURG != 0; {
	case urgent && got&tcpURG != 0 && (at+pointer != was || pointer == 0 && was != 0):
		t.Errorf("urgent data ends at %d, want %d", at+pointer, was)
	case urgent && got&tcpURG == 0 && (was > at || pointer != 0):
		t.Errorf("urgent data up to %d is not said to be any at %d", was, at)
	case !urgent && (got&tcpURG != 0 || pointer != was):
		t.Errorf("flag URG %v and pointer %d, want none and %d", got&tcpURG != 0, pointer, was)
	}
}

// FuzzMerge merges datagrams of which some belong together and some differ in
// any byte of their headers. Taken apart again they are the same datagrams in the
// same order, but for the identification in IPv4 headers.
func FuzzMerge(f *testing.F) {
	f.Add([]byte{0, 100, 0, 0, 100, 0, 0, 7, 0, 0, 100, 0, 0, 100, 0}, byte(0))
	f.Add([]byte{0, 100, 0, 3, 100, 9, 0, 100, 0, 1, 0, 0, 0, 0, 0}, byte(shapeV6))
	f.Add([]byte{0, 50, 0, 24, 50, 128, 0, 50, 0, 38, 50, 1}, byte(shapeTag))
	f.Fuzz(func(t *testing.T, script []byte, shape byte) {
		p := shaped(shape|shapeUDP, 0, 0, 0)
		var frames []Frame
		// Three bytes a datagram: its size, and a byte of its headers to change.
		for ; len(script) >= 3 && len(frames) < 20; script = script[3:] {
			p.payload = int(script[1])
			b := p.build(1)
			at := int(script[0]) % b.content
			b.bytes[at] ^= script[2]
			// What is merged is taken to be right.
			b.setChecksum(0)
			b.setChecksum(^naiveSum(b.pseudo(), b.bytes[b.transport:]))
			if script[2]&0x80 != 0 {
				frames = append(frames, Frame{Bufs: cut(b.bytes, at, b.content)})
			} else {
				frames = append(frames, Frame{Bufs: cut(b.bytes, b.content)})
			}
		}
		before := wire(frames)
		var m Merger
		var s Segmenter
		var got [][]byte
		for _, f := range m.Merge(frames, ^Offloads(0)) {
			if f.Offload == (Offload{}) {
				got = append(got, joined(f))
				continue
			}
			parts, err := s.Segment(&f, 0)
			if err != nil || len(parts) < 2 {
				t.Fatalf("%+v becomes %d frames, %v", f.Offload, len(parts), err)
			}
			got = append(got, wire(parts)...)
		}
		if !slices.EqualFunc(before, wire(frames), bytes.Equal) {
			t.Fatalf("Merge wrote to its frames (-want +got):\n%s", cmp.Diff(before, wire(frames)))
		}
		if err := sameDatagrams(before, got, p.v6); err != nil {
			t.Error(err)
		}
	})
}

// sameDatagrams compares all but what differs between datagrams that were one
// super-frame: the IPv4 identification, and with it the header's checksum.
func sameDatagrams(want, got [][]byte, v6 bool) error {
	if len(want) != len(got) {
		return fmt.Errorf("%d datagrams become %d", len(want), len(got))
	}
	for k := range want {
		w, g := bytes.Clone(want[k]), bytes.Clone(got[k])
		var l layers
		if !v6 && l.parse(g, len(g)) == parsedOK && naiveSum(g[l.network:l.transport]) == 0xffff && len(w) == len(g) {
			copy(w[l.network+4:], g[l.network+4:l.network+6])
			copy(w[l.network+10:], g[l.network+10:l.network+12])
		}
		if !bytes.Equal(w, g) {
			return fmt.Errorf("datagram %d (-want +got):\n%s", k, cmp.Diff(w, g))
		}
	}
	return nil
}
