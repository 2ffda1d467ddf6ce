package ethstack

import (
	"encoding/binary"
	"slices"

	"github.com/ethlink/ethlink/internal/checksum"
)

// maxSegments bounds what one super-frame may become: 64 KiB at the smallest
// segment size that Linux's TCP uses (48 bytes) are 1366.
const maxSegments = 2048

// A Segmenter does in software what a device cannot: it completes checksums
// and turns super-frames into the frames they stand for. The zero Segmenter is
// ready for use. It keeps memory from one frame to the next, so that in a
// steady state nothing is allocated; only one goroutine at a time may use it.
type Segmenter struct {
	frames []Frame
	bufs   [][]byte // what the frames' Bufs are parts of
	head   []byte   // the frames' headers, one behind the other
}

// Segment returns the frames to write in place of f to a device that has the
// given offloads. A super-frame whose type the device lacks becomes plain
// frames; where the device can complete checksums, that is left to it.
//
// All of f.Bufs is the frame, as for [Device].Write. Neither f nor its memory is
// written to. The frames returned have headers in memory of the Segmenter and
// payload in f's; they are valid until the next call of Segment or Reset.
//
// The error wraps [ErrUnsupportedOffload]: f's metadata contradicts the frame.
func (s *Segmenter) Segment(f *Frame, have Offloads) ([]Frame, error) {
	s.frames, s.bufs = s.frames[:0], s.bufs[:0]
	if !needsSoftware(f.Offload, have) {
		s.frames = append(s.frames, Frame{Bufs: f.Bufs, Offload: f.Offload})
		return s.frames, nil
	}
	total := f.WireLen()
	var l layers
	if err := f.validate(&l, total); err != nil {
		return nil, err
	}
	if f.Offload.Segment == SegmentNone {
		return s.complete(f, total)
	}
	return s.split(f, &l, have)
}

// Reset lets go of the memory of the last frame.
func (s *Segmenter) Reset() {
	clear(s.frames)
	clear(s.bufs)
}

// complete completes the checksum of a plain frame.
func (s *Segmenter) complete(f *Frame, total int) ([]Frame, error) {
	start := int(f.Offload.ChecksumStart)
	field := start + int(f.Offload.ChecksumOffset)
	if field+2 > maxHeaders {
		return nil, errChecksumStart
	}
	s.head = slices.Grow(s.head[:0], maxHeaders)[:field+2]
	gather(s.head, f.Bufs)
	binary.BigEndian.PutUint16(s.head[field:], f.partialSum(start, total))

	s.bufs = append(s.bufs, s.head)
	c := cursor{bufs: f.Bufs}
	c.skip(field + 2)
	s.bufs = c.take(s.bufs, total-field-2)
	s.frames = append(s.frames, Frame{Bufs: s.bufs})
	return s.frames, nil
}

// split turns a super-frame into plain frames. Payload is neither copied nor
// summed more than once.
func (s *Segmenter) split(f *Frame, l *layers, have Offloads) ([]Frame, error) {
	if l.payload > maxHeaders {
		return nil, errHeaders
	}
	var header [maxHeaders]byte
	gather(header[:l.payload], f.Bufs)
	t := template{layers: *l, header: header[:l.payload], leave: have.Has(OffloadChecksum)}
	if err := t.init(f.Offload); err != nil {
		return nil, err
	}
	payload, size := l.end-l.payload, int(f.Offload.SegmentSize)
	n := max(1, (payload+size-1)/size)
	if n > maxSegments {
		return nil, errTooMany
	}
	// Grown now, because what the frames point to must not move.
	s.head = slices.Grow(s.head[:0], n*l.payload)
	s.bufs = slices.Grow(s.bufs, 2*n+len(f.Bufs))
	s.frames = slices.Grow(s.frames, n)

	c := cursor{bufs: f.Bufs}
	c.skip(l.payload)
	for k, at := 0, 0; k < n; k, at = k+1, at+size {
		size := min(size, payload-at)
		s.head = append(s.head, t.header...)
		h := s.head[len(s.head)-l.payload : len(s.head) : len(s.head)]
		first := len(s.bufs)
		s.bufs = append(s.bufs, h)
		s.bufs = c.take(s.bufs, size)
		bufs := s.bufs[first:len(s.bufs):len(s.bufs)]
		s.frames = append(s.frames, Frame{Bufs: bufs, Offload: t.put(bufs, k, at, size, k == n-1)})
	}
	return s.frames, nil
}

// A template is what the headers of one super-frame's segments have in common.
type template struct {
	layers
	header []byte
	leave  bool         // the checksum is left to the device
	none   bool         // UDP without a checksum
	field  int          // where the checksum goes
	pseudo checksum.Sum // of the pseudo-header without its length
}

// init works out the checksum field and the sum of the pseudo-header.
func (t *template) init(o Offload) error {
	h := t.header
	t.field = t.transport + tcpChecksumAt
	if t.protocol == protoUDP {
		t.field = t.transport + udpChecksumAt
	} else if h[t.transport+13]&tcpSYN != 0 {
		return errSYN
	}
	was := binary.BigEndian.Uint16(h[t.field:])
	switch {
	case o.Flags&NeedsChecksum != 0:
		// The field holds the pseudo-header's sum, the super-frame's length
		// included: subtract that (RFC 1624 §3).
		t.pseudo.AddUint16(was)
		t.pseudo.AddUint16(^uint16(t.end - t.transport))
	case t.routed:
		return errRouted
	case t.v6:
		t.pseudo = checksum.Pseudo(h[t.network+8:t.network+24], h[t.network+24:t.network+40], t.protocol)
	default:
		t.none = t.protocol == protoUDP && was == 0
		t.pseudo = checksum.Pseudo(h[t.network+12:t.network+16], h[t.network+16:t.network+20], t.protocol)
	}
	return nil
}

// TCP's flags, in the byte at offset 13 of its header.
const (
	tcpFIN = 0x01
	tcpSYN = 0x02
	tcpPSH = 0x08
	tcpURG = 0x20
	tcpCWR = 0x80
)

// put writes the fields that differ into the header of segment k, bufs[0]. Its
// size bytes of payload, at offset at of all, are the other bufs.
func (t *template) put(bufs [][]byte, k, at, size int, last bool) Offload {
	h := bufs[0]
	ip, transport := h[t.network:], h[t.transport:]
	if t.v6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-ipv6HeaderLen+size))
	} else {
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+size))
		binary.BigEndian.PutUint16(ip[4:], binary.BigEndian.Uint16(ip[4:])+uint16(k))
		binary.BigEndian.PutUint16(ip[10:], 0)
		binary.BigEndian.PutUint16(ip[10:], ^checksum.Of(h[t.network:t.transport]))
	}
	if t.protocol == protoUDP {
		binary.BigEndian.PutUint16(transport[4:], uint16(udpHeaderLen+size))
	} else {
		putTCP(transport, k, at, last)
	}
	if t.none {
		return Offload{}
	}
	sum := t.pseudo
	sum.AddUint16(uint16(len(transport) + size))
	if t.leave {
		binary.BigEndian.PutUint16(h[t.field:], sum.Fold())
		return Offload{
			Flags: NeedsChecksum, ChecksumStart: uint16(t.transport), ChecksumOffset: uint16(t.field - t.transport),
		}
	}
	binary.BigEndian.PutUint16(h[t.field:], 0)
	sum.Add(transport)
	for _, b := range bufs[1:] {
		sum.Add(b)
	}
	binary.BigEndian.PutUint16(h[t.field:], transmitted(sum.Checksum()))
	return Offload{}
}

// putTCP writes TCP's fields: the sequence number, and each flag only where it
// belongs.
func putTCP(h []byte, k, at int, last bool) {
	binary.BigEndian.PutUint32(h[4:], binary.BigEndian.Uint32(h[4:])+uint32(at))
	flags := h[13]
	if !last {
		// RFC 9293 §3.1: FIN is the last byte sent; the push is for what
		// has been sent up to the last.
		flags &^= tcpFIN | tcpPSH
	}
	if k > 0 {
		// RFC 3168 §6.1.2: CWR is set on the first new data packet.
		flags &^= tcpCWR
	}
	if flags&tcpURG != 0 {
		// RFC 9293 §3.1: the urgent pointer counts from this segment's
		// sequence number.
		if urgent := int(binary.BigEndian.Uint16(h[18:])); urgent > at {
			binary.BigEndian.PutUint16(h[18:], uint16(urgent-at))
		} else {
			binary.BigEndian.PutUint16(h[18:], 0)
			flags &^= tcpURG
		}
	}
	h[13] = flags
}

// A cursor walks through memory in pieces.
type cursor struct {
	bufs [][]byte
	off  int // of bufs[0] already passed
}

func (c *cursor) skip(n int) {
	for len(c.bufs) > 0 && n >= len(c.bufs[0])-c.off {
		n -= len(c.bufs[0]) - c.off
		c.bufs, c.off = c.bufs[1:], 0
	}
	c.off += n
}

// take appends the pieces that the next n bytes lie in.
func (c *cursor) take(dst [][]byte, n int) [][]byte {
	for n > 0 && len(c.bufs) > 0 {
		b := c.bufs[0][c.off:]
		if len(b) > n {
			c.off += n
			return append(dst, b[:n:n])
		}
		if len(b) > 0 {
			dst = append(dst, b)
		}
		n -= len(b)
		c.bufs, c.off = c.bufs[1:], 0
	}
	return dst
}
