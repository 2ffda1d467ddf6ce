package ethstack

import (
	"fmt"

	"github.com/ethlink/ethlink/internal/checksum"
)

// Needs returns what a device must be able to do for a frame with this
// metadata to be written to it as it is. For a segment type that is not
// known it is more than any device has.
func (o Offload) Needs() Offloads {
	var n Offloads
	if o.Flags&NeedsChecksum != 0 {
		n |= OffloadChecksum
	}
	switch o.Segment {
	case SegmentNone:
		return n
	case SegmentTCPv4:
		n |= OffloadTCPv4
	case SegmentTCPv6:
		n |= OffloadTCPv6
	case SegmentUDP:
		n |= OffloadUDP
	default:
		return ^Offloads(0)
	}
	if o.Flags&ECN != 0 {
		n |= OffloadECN
	}
	return n
}

// needsSoftware reports whether a device with these offloads needs a
// [Segmenter]'s help for the frame. It is small enough to be inlined.
func needsSoftware(o Offload, have Offloads) bool {
	return (o.Flags&NeedsChecksum != 0 || o.Segment != SegmentNone) && !have.Has(o.Needs())
}

// What a frame's metadata can get wrong. Made once, because a peer that lies
// does so with each frame.
var (
	errSegmentSize   = fmt.Errorf("%w: the segment size is 0", ErrUnsupportedOffload)
	errSegmentType   = fmt.Errorf("%w: the segment type is not the packet's", ErrUnsupportedOffload)
	errHeaderLen     = fmt.Errorf("%w: the headers are longer than the frame", ErrUnsupportedOffload)
	errHeaders       = fmt.Errorf("%w: the packet's headers do not fit the frame", ErrUnsupportedOffload)
	errChecksumStart = fmt.Errorf("%w: the checksum is outside the frame or at the wrong place", ErrUnsupportedOffload)
	errECN           = fmt.Errorf("%w: the ECN flag without TCP segmentation", ErrUnsupportedOffload)
	errRouted        = fmt.Errorf("%w: the checksum of a packet with a routing header is not known", ErrUnsupportedOffload)
	errSYN           = fmt.Errorf("%w: a TCP segment with SYN cannot be split", ErrUnsupportedOffload)
	errTooMany       = fmt.Errorf("%w: more than %d segments", ErrUnsupportedOffload, maxSegments)
)

// checkOffload finds metadata of a received frame that contradicts it, so that
// nothing above has to expect any.
func checkOffload(f *Frame) DropReason {
	var l layers
	if f.validate(&l, f.Len) != nil {
		return DropBadOffload
	}
	return DropNone
}

// sumsHeaders reports whether the checksum that is missing begins before the end
// of the network header: completing it would change what has been looked at.
func (f *Frame) sumsHeaders(h *Header) bool {
	end := h.Len
	switch h.EtherType {
	case EtherTypeIPv4:
		end += int(f.byteAt(h.Len)&0x0f) * 4
	case EtherTypeIPv6:
		end += ipv6HeaderLen
	}
	return f.Offload.Flags&NeedsChecksum != 0 && int(f.Offload.ChecksumStart) < end
}

// sumsFragment reports whether a fragment is said to lack its checksum: that goes
// over all of the packet, of which this is a part. (With IPv6, if no other
// extension header comes first.)
func (f *Frame) sumsFragment(h *Header) bool {
	if f.Offload.Flags&NeedsChecksum == 0 {
		return false
	}
	switch h.EtherType {
	case EtherTypeIPv4:
		return f.uint16At(h.Len+6)&fragmentBits != 0
	case EtherTypeIPv6:
		return f.byteAt(h.Len+6) == protoFragment
	}
	return false
}

// validate checks the metadata of a frame of total bytes. It fills in the
// layers of a super-frame.
func (f *Frame) validate(l *layers, total int) error {
	o := f.Offload
	if int(o.HeaderLen) > total {
		return errHeaderLen
	}
	if o.Flags&NeedsChecksum != 0 {
		if o.ChecksumStart < HeaderLen || int(o.ChecksumStart)+int(o.ChecksumOffset)+2 > total {
			return errChecksumStart
		}
	}
	if o.Segment == SegmentNone {
		if o.Flags&ECN != 0 {
			return errECN
		}
		return nil
	}
	return f.validateSegment(l, total)
}

// validateSegment checks what concerns super-frames only.
func (f *Frame) validateSegment(l *layers, total int) error {
	o := f.Offload
	p := f.parse(l, total)
	tcp := p == parsedOK && l.protocol == protoTCP
	udp := p == parsedOK && l.protocol == protoUDP
	field := tcpChecksumAt
	if udp {
		field = udpChecksumAt
	}
	switch {
	case o.SegmentSize == 0:
		return errSegmentSize
	case p == parsedMalformed || p == parsedShort:
		return errHeaders
	case o.Segment == SegmentTCPv4 && tcp && !l.v6:
	case o.Segment == SegmentTCPv6 && tcp && l.v6:
	case o.Segment == SegmentUDP && udp && o.Flags&ECN == 0:
	default:
		return errSegmentType
	}
	if o.Flags&NeedsChecksum != 0 && (int(o.ChecksumStart) != l.transport || int(o.ChecksumOffset) != field) {
		return errChecksumStart
	}
	return nil
}

// CompleteChecksum puts the checksum that the metadata of a frame that was
// read says is missing into it, in place, and replaces [NeedsChecksum] by
// [DataValid]. What hands a frame to where its metadata does not follow must
// do so. For a super-frame use a [Segmenter], which completes each segment's.
func CompleteChecksum(f *Frame) { completeChecksum(f) }

func completeChecksum(f *Frame) {
	o := &f.Offload
	field := int(o.ChecksumStart) + int(o.ChecksumOffset)
	if o.Flags&NeedsChecksum == 0 || o.ChecksumStart < HeaderLen || field+2 > f.Len {
		return
	}
	c := f.partialSum(int(o.ChecksumStart), f.Len)
	f.setByte(field, byte(c>>8))
	f.setByte(field+1, byte(c))
	o.Flags = o.Flags&^NeedsChecksum | DataValid
}

// partialSum returns the checksum over the bytes from start to the end of the
// packet, given that the field holds the sum of the pseudo-header.
func (f *Frame) partialSum(start, total int) uint16 {
	end := total
	// Deviation: virtio 1.2 §5.1.6.2 sums to the end of the frame. Padding
	// behind the packet is no part of it, and need not be zero.
	var l layers
	if p := f.parse(&l, total); (p == parsedOK || p == parsedOther) && start < l.end {
		end = l.end
	}
	var s checksum.Sum
	f.sum(&s, start, end)
	return transmitted(s.Checksum())
}

// transmitted returns a checksum as it is sent.
//
// RFC 768 §Fields: a checksum of zero is transmitted as all ones, for zero
// means there is none. For TCP both are the same number.
func transmitted(c uint16) uint16 {
	if c == 0 {
		return 0xffff
	}
	return c
}

// sum adds the frame's bytes from start to end.
func (f *Frame) sum(s *checksum.Sum, start, end int) {
	for _, b := range f.Bufs {
		if end <= 0 {
			return
		}
		if start < len(b) {
			s.Add(b[max(start, 0):min(end, len(b))])
		}
		start, end = start-len(b), end-len(b)
	}
}

// sumOf returns the folded sum of the frame's bytes from start to end, which
// mostly lie in one piece.
func (f *Frame) sumOf(start, end int) uint16 {
	if first := f.Bufs[0]; end <= len(first) {
		return checksum.Of(first[start:end])
	}
	var s checksum.Sum
	f.sum(&s, start, end)
	return s.Fold()
}

// byteAt returns one byte, 0 if it is outside the frame.
func (f *Frame) byteAt(at int) byte {
	for _, b := range f.Bufs {
		if at < len(b) {
			return b[at]
		}
		at -= len(b)
	}
	return 0
}

func (f *Frame) uint16At(at int) uint16 { return uint16(f.byteAt(at))<<8 | uint16(f.byteAt(at+1)) }

func (f *Frame) setByte(at int, x byte) {
	for _, b := range f.Bufs {
		if at < len(b) {
			b[at] = x
			return
		}
		at -= len(b)
	}
}
