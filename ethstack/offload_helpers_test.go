package ethstack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A testPacket says what frame to build.
type testPacket struct {
	tag     bool
	v6      bool
	udp     bool
	extra   int // bytes of IPv4 options, or of IPv6 extension headers
	options int // bytes of TCP options
	payload int
}

func (p testPacket) String() string {
	ip, transport := "IPv4", "TCP"
	if p.v6 {
		ip = "IPv6"
	}
	if p.udp {
		transport = "UDP"
	}
	return fmt.Sprintf("%s+%d/%s+%d/%d,tag=%v", ip, p.extra, transport, p.options, p.payload, p.tag)
}

// testPackets are all shapes with a payload of so many bytes.
func testPackets(payload int) (all []testPacket) {
	for _, tag := range []bool{false, true} {
		for _, v6 := range []bool{false, true} {
			for _, udp := range []bool{false, true} {
				all = append(all, testPacket{tag: tag, v6: v6, udp: udp, payload: payload})
				all = append(all, testPacket{tag: tag, v6: v6, udp: udp, extra: 24, payload: payload})
				if !udp {
					all = append(all, testPacket{tag: tag, v6: v6, extra: 40, options: 12, payload: payload})
				}
			}
		}
	}
	return all
}

// A built frame, and where its layers are.
type builtFrame struct {
	testPacket
	bytes                       []byte
	network, transport, content int
}

// checksumAt is where the transport checksum is.
func (b *builtFrame) checksumAt() int {
	if b.udp {
		return b.transport + 6
	}
	return b.transport + 16
}

// build makes a frame with random contents and right checksums.
func (p testPacket) build(seed uint64) *builtFrame {
	r := rand.New(rand.NewPCG(seed, 0))
	f := &builtFrame{testPacket: p, network: 14}
	b := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	if p.tag {
		b = append(b, 0x81, 0x00, 0xe0, 0x00)
		f.network += 4
	}
	protocol := byte(6)
	if p.udp {
		protocol = 17
	}
	transportLen := 20 + p.options + p.payload
	if p.udp {
		transportLen = 8 + p.payload
	}
	random := func(n int) {
		for range n {
			b = append(b, byte(r.Uint32()))
		}
	}
	if p.v6 {
		b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(p.extra+transportLen))
		next := protocol
		if p.extra > 0 {
			next = 0 // hop by hop
		}
		b = append(b, next, 64)
		random(32)
		if p.extra > 0 { // hop by hop of 8 bytes, then destination options
			b = append(b, 60, 0, 1, 4, 0, 0, 0, 0)
			b = append(b, protocol, byte(p.extra-16)/8, 1, byte(p.extra-12))
			b = append(b, make([]byte, p.extra-12)...)
		}
	} else {
		b = append(b, 0x08, 0x00, 0x40|byte(20+p.extra)/4, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(20+p.extra+transportLen))
		random(2) // identification
		b = append(b, 0x40, 0, 64, protocol, 0, 0)
		random(8)
		for range p.extra {
			b = append(b, 1) // no operation
		}
		s := naiveSum(b[f.network:])
		binary.BigEndian.PutUint16(b[f.network+10:], ^s)
	}
	f.transport = len(b)
	if p.udp {
		random(4)
		b = binary.BigEndian.AppendUint16(b, uint16(transportLen))
		b = append(b, 0, 0)
	} else {
		random(12)
		b = append(b, byte(20+p.options)/4<<4, 0x10)
		random(2) // window
		b = append(b, 0, 0, 0, 0)
		for range p.options {
			b = append(b, 1)
		}
	}
	f.content = len(b)
	random(p.payload)
	f.bytes = b
	f.setChecksum(^naiveSum(f.pseudo(), b[f.transport:]))
	return f
}

func (b *builtFrame) setChecksum(c uint16) {
	if b.udp && c == 0 {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(b.bytes[b.checksumAt():], c)
}

// pseudo lays out the pseudo-header.
func (b *builtFrame) pseudo() []byte {
	protocol := byte(6)
	if b.udp {
		protocol = 17
	}
	n := len(b.bytes) - b.transport
	ip := b.bytes[b.network:]
	if b.v6 {
		return append(slices.Clone(ip[8:40]), 0, 0, byte(n>>8), byte(n), 0, 0, 0, protocol)
	}
	return append(slices.Clone(ip[12:20]), 0, protocol, byte(n>>8), byte(n))
}

// partial replaces the checksum by the pseudo-header's sum, as for an offload.
func (b *builtFrame) partial() *builtFrame {
	binary.BigEndian.PutUint16(b.bytes[b.checksumAt():], naiveSum(b.pseudo()))
	return b
}

// offload returns the metadata of the frame, as a super-frame if size is not 0.
func (b *builtFrame) offload(size int) Offload {
	o := Offload{
		Flags: NeedsChecksum, ChecksumStart: uint16(b.transport), ChecksumOffset: uint16(b.checksumAt() - b.transport),
	}
	if size == 0 {
		return o
	}
	o.SegmentSize, o.HeaderLen = uint16(size), uint16(b.content)
	switch {
	case b.udp:
		o.Segment = SegmentUDP
	case b.v6:
		o.Segment = SegmentTCPv6
	default:
		o.Segment = SegmentTCPv4
	}
	return o
}

// naiveSum sums pieces of even length, the last of any, word by word.
func naiveSum(pieces ...[]byte) uint16 {
	var s uint32
	for _, b := range pieces {
		for i, x := range b {
			if i%2 == 0 {
				s += uint32(x) << 8
			} else {
				s += uint32(x)
			}
			s = s>>16 + s&0xffff
		}
	}
	return uint16(s)
}

// verify checks lengths and checksums of a frame of the same shape, with
// nothing but the shape known. If the checksum is left to the device, the field
// must hold the pseudo-header's sum.
func (b *builtFrame) verify(t *testing.T, frame []byte, left bool) {
	t.Helper()
	x := *b
	x.bytes = frame
	ip := frame[b.network:]
	if b.v6 {
		if got := int(binary.BigEndian.Uint16(ip[4:])); got != len(ip)-40 {
			t.Errorf("IPv6 payload length is %d, want %d", got, len(ip)-40)
		}
	} else {
		if got := int(binary.BigEndian.Uint16(ip[2:])); got != len(ip) {
			t.Errorf("IPv4 total length is %d, want %d", got, len(ip))
		}
		if s := naiveSum(ip[:b.transport-b.network]); s != 0xffff {
			t.Errorf("IPv4 header checksum is wrong: the header sums to %#04x, want 0xffff", s)
		}
	}
	if b.udp {
		if got := int(binary.BigEndian.Uint16(frame[b.transport+4:])); got != len(frame)-b.transport {
			t.Errorf("UDP length is %d, want %d", got, len(frame)-b.transport)
		}
	}
	field := binary.BigEndian.Uint16(frame[b.checksumAt():])
	switch {
	case left:
		if want := naiveSum(x.pseudo()); field != want {
			t.Errorf("partial checksum is %#04x, want the pseudo-header's %#04x", field, want)
		}
	case b.udp && field == 0:
		t.Error("UDP checksum is 0, which means none")
	default:
		if s := naiveSum(x.pseudo(), frame[b.transport:]); s != 0xffff {
			t.Errorf("transport checksum is wrong: it sums to %#04x, want 0xffff", s)
		}
	}
}

// cut cuts b into pieces that end at the given places.
func cut(b []byte, at ...int) (bufs [][]byte) {
	last := 0
	for _, n := range at {
		bufs, last = append(bufs, b[last:n:n]), n
	}
	return append(bufs, b[last:])
}

func joined(f Frame) []byte { return bytes.Join(f.Bufs, nil) }
