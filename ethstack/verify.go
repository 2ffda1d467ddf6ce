package ethstack

import "github.com/ethlink/ethlink/internal/checksum"

// ChecksumResult is what [VerifyChecksums] found.
type ChecksumResult uint8

const (
	// ChecksumGood: every checksum is right, or vouched for by the device.
	ChecksumGood ChecksumResult = iota
	// ChecksumUnknown: the IPv4 header's is right if there is one, the
	// transport's cannot be told here: a fragment, another protocol than TCP and
	// UDP, a packet with stops left in a routing header, no IP at all, or one
	// inside of which a checksum is missing. Who reassembles or knows the protocol
	// has to verify it.
	ChecksumUnknown
	// ChecksumBadHeader: the IPv4 header's checksum is wrong.
	ChecksumBadHeader
	// ChecksumBadTransport: TCP's or UDP's checksum is wrong, or is missing
	// where it must not.
	ChecksumBadTransport
	// ChecksumMalformed: the lengths contradict each other or the frame.
	ChecksumMalformed
)

func (r ChecksumResult) String() string {
	switch r {
	case ChecksumGood:
		return "good"
	case ChecksumUnknown:
		return "unknown"
	case ChecksumBadHeader:
		return "bad IPv4 header checksum"
	case ChecksumBadTransport:
		return "bad transport checksum"
	case ChecksumMalformed:
		return "malformed"
	}
	return "invalid"
}

// VerifyChecksums verifies the checksums of a frame that was read, f.Len bytes
// of f.Bufs, however these are cut: the IPv4 header's always, TCP's or UDP's
// unless the metadata says that it need not be ([NeedsChecksum], [DataValid]).
// Whoever tells the stack above that checksums have been verified calls it for
// each frame. Padding behind the packet is left out.
func VerifyChecksums(f *Frame) ChecksumResult {
	var l layers
	p := f.parse(&l, f.Len)
	switch p {
	case parsedMalformed:
		return ChecksumMalformed
	case parsedNotIP:
		return ChecksumUnknown
	}
	if !l.v6 && p != parsedShort && f.sumOf(l.network, l.transport) != 0xffff {
		return ChecksumBadHeader
	}
	if p != parsedOK {
		return ChecksumUnknown
	}
	switch o := &f.Offload; {
	case o.Flags&NeedsChecksum != 0 && !o.isOf(&l):
		return ChecksumUnknown
	case o.Flags&(NeedsChecksum|DataValid) != 0:
		return ChecksumGood
	}
	return f.verifyTransport(&l)
}

// isOf reports whether the checksum that is missing is the packet's own, TCP's or
// UDP's, and not that of something which it carries, as a tunnel does.
func (o *Offload) isOf(l *layers) bool {
	field := tcpChecksumAt
	if l.protocol == protoUDP {
		field = udpChecksumAt
	}
	return int(o.ChecksumStart) == l.transport && int(o.ChecksumOffset) == field
}

func (f *Frame) verifyTransport(l *layers) ChecksumResult {
	end := l.end
	if l.protocol == protoUDP {
		// RFC 768 §Fields: the length is the datagram's, header included; the IP
		// packet may be longer.
		length := int(f.uint16At(l.transport + 4))
		if length < udpHeaderLen || l.transport+length > l.end {
			return ChecksumMalformed
		}
		end = l.transport + length
		if f.uint16At(l.transport+udpChecksumAt) == 0 {
			if l.v6 {
				// RFC 8200 §8.1: IPv6 receivers must discard UDP packets
				// containing a zero checksum.
				return ChecksumBadTransport
			}
			return ChecksumGood // RFC 768 §Fields: the sender made none
		}
	}
	if l.routed {
		return ChecksumUnknown
	}
	var s checksum.Sum
	if l.v6 {
		f.sum(&s, l.network+8, l.network+40)
	} else {
		f.sum(&s, l.network+12, l.network+20)
	}
	s.AddUint16(uint16(l.protocol))
	s.AddUint16(uint16(end - l.transport))
	f.sum(&s, l.transport, end)
	if s.Fold() != 0xffff {
		return ChecksumBadTransport
	}
	return ChecksumGood
}
