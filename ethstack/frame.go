package ethstack

// A Frame is one Ethernet frame on its way from or to a [Device]: header and
// payload as scatter/gather memory, without the frame check sequence, plus
// what is known of its checksum and segmentation.
//
// A frame with a segment type is a super-frame: up to 64 KiB of one
// connection's data behind one set of headers, standing for as many frames on
// the wire.
type Frame struct {
	// Bufs is the memory, in order. The first buffer must hold all headers up
	// to the end of the transport header, or the whole frame: for Read give
	// at least [HeadLen] bytes in it.
	Bufs [][]byte
	// Len is the length of a frame that was read: the first Len bytes of
	// Bufs. Write takes all of Bufs and ignores Len.
	Len int
	// Offload is the frame's metadata.
	Offload Offload
	// Err is set by Write on frames that the device did not take.
	Err error
}

// HeadLen is how many bytes the first buffer of a frame to be read into must
// have, so that every header this module looks at lies in one piece: 18 bytes
// of Ethernet header with a tag, 60 of IPv4 or 40 of IPv6, and TCP's options
// in all but odd cases.
const HeadLen = 128

// MaxSuperFrame is the largest super-frame in bytes: an IP packet of 65535
// bytes behind an Ethernet header with one tag.
const MaxSuperFrame = 65535 + 18

// Offload is the metadata of a frame, with the meaning that the virtio
// network header gives it (virtio 1.2 §5.1.6), whatever the device. Offsets
// count from the first byte of the Ethernet header.
type Offload struct {
	// Flags says what is known of the transport checksum.
	Flags OffloadFlags
	// Segment is the kind of super-frame, SegmentNone for a plain frame.
	Segment SegmentType
	// SegmentSize is the payload in bytes of each segment of a super-frame.
	SegmentSize uint16
	// HeaderLen is the length of all headers of a super-frame, Ethernet
	// included; a hint on receive.
	HeaderLen uint16
	// ChecksumStart is where the sum begins, with NeedsChecksum.
	ChecksumStart uint16
	// ChecksumOffset is where the sum goes, counted from ChecksumStart.
	ChecksumOffset uint16
}

// OffloadFlags says what is known of a frame's transport checksum.
type OffloadFlags uint8

const (
	// NeedsChecksum: the checksum field holds the sum of the pseudo-header
	// only; the sum over everything from ChecksumStart is still to be put
	// there. The data is known to be good.
	NeedsChecksum OffloadFlags = 1 << iota
	// DataValid: somebody has verified the transport checksum.
	DataValid
	// ECN: segments of a super-frame carry TCP's CWR flag on the first only.
	ECN
)

// SegmentType is the kind of a super-frame.
type SegmentType uint8

const (
	// SegmentNone: a plain frame.
	SegmentNone SegmentType = iota
	// SegmentTCPv4: TCP over IPv4.
	SegmentTCPv4
	// SegmentTCPv6: TCP over IPv6.
	SegmentTCPv6
	// SegmentUDP: datagrams of one size (the last may be shorter), over IPv4
	// or IPv6.
	SegmentUDP
)

// WireLen returns the length of a frame to be written: all of its memory.
func (f *Frame) WireLen() int {
	n := 0
	for _, b := range f.Bufs {
		n += len(b)
	}
	return n
}
