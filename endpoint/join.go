package endpoint

import (
	"bytes"
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// A joiner makes one packet of the TCP segments of a connection that follow each
// other in what was read at once, as devices with offload do themselves. What
// TCP does for a packet it then does once for all of them. Nothing waits for
// longer than until the end of the batch.
type joiner struct {
	pkt   *stack.PacketBuffer // with what was joined so far; nil: nothing
	e     *Endpoint
	u     *upper
	first segment
	next  uint32 // sequence number of what may follow
	total int    // bytes of the IP packet
	ended bool   // nothing may follow
}

// A segment is a TCP segment with data and nothing special about it. Its headers
// are in the first piece of its frame's memory.
type segment struct {
	ip, tcp []byte // headers
	at      int    // where the data starts in the frame
	size    int    // of the data
	v6      bool
}

// maxJoined is the longest IP packet: its length has 16 bits.
const maxJoined = 65535

// parseSegment looks at a frame whose checksums are right.
func parseSegment(f *ethstack.Frame, h ethstack.Header) (s segment, ok bool) {
	b := f.Bufs[0][:min(f.Len, len(f.Bufs[0]))][h.Len:]
	headers, total := 0, 0
	switch h.EtherType {
	case ethstack.EtherTypeIPv4:
		if len(b) < header.IPv4MinimumSize || b[0] != 0x45 || b[9] != uint8(header.TCPProtocolNumber) {
			return s, false // options are rare
		}
		headers, total = header.IPv4MinimumSize, int(binary.BigEndian.Uint16(b[2:]))
	case ethstack.EtherTypeIPv6:
		if len(b) < header.IPv6MinimumSize || b[6] != uint8(header.TCPProtocolNumber) {
			return s, false // so are extension headers
		}
		headers, total, s.v6 = header.IPv6MinimumSize, header.IPv6MinimumSize+int(binary.BigEndian.Uint16(b[4:])), true
	default:
		return s, false
	}
	if len(b) < headers+header.TCPMinimumSize || h.Len+total != f.Len {
		return s, false
	}
	s.ip, s.tcp = b[:headers], b[headers:]
	options := int(s.tcp[12]>>4) * 4
	if options > len(s.tcp) || header.TCPFlags(s.tcp[13])&^header.TCPFlagPsh != header.TCPFlagAck {
		return s, false
	}
	s.tcp = s.tcp[:options]
	s.at = h.Len + headers + options
	s.size = f.Len - s.at
	return s, s.size > 0
}

func (s *segment) sequence() uint32 { return binary.BigEndian.Uint32(s.tcp[4:]) }
func (s *segment) pushes() bool     { return header.TCPFlags(s.tcp[13])&header.TCPFlagPsh != 0 }

// sameHeaders reports whether t has the headers of s but for lengths, sequence
// number, checksums, the PSH flag and the IPv4 identification.
func (s *segment) sameHeaders(t *segment) bool {
	if s.v6 != t.v6 {
		return false
	}
	if s.v6 {
		if !bytes.Equal(s.ip[:4], t.ip[:4]) || !bytes.Equal(s.ip[6:], t.ip[6:]) {
			return false
		}
	} else if s.ip[1] != t.ip[1] || !bytes.Equal(s.ip[6:10], t.ip[6:10]) || !bytes.Equal(s.ip[12:], t.ip[12:]) {
		return false
	}
	// Ports; acknowledgment number; window; options, timestamps among them.
	return bytes.Equal(s.tcp[:4], t.tcp[:4]) && bytes.Equal(s.tcp[8:13], t.tcp[8:13]) &&
		bytes.Equal(s.tcp[14:16], t.tcp[14:16]) && bytes.Equal(s.tcp[20:], t.tcp[20:])
}

// join takes the next frame to netstack, if it is a segment of data: by itself
// or together with others. u is whose the endpoint's packets are. It reports
// false for any other frame; then nothing is held back any more.
func (r *receiver) join(e *Endpoint, u *upper, f *ethstack.Frame, h ethstack.Header) bool {
	j := &r.joiner
	s, ok := parseSegment(f, h)
	if !ok {
		r.Flush()
		return false
	}
	if j.follows(e, &s) {
		j.next += uint32(s.size)
		j.total += s.size
		if j.ended = s.size < j.first.size || s.pushes(); s.pushes() {
			j.first.tcp[13] |= uint8(header.TCPFlagPsh)
		}
		r.append(f, s.at) // and with that the memory of s may be another's
		return true
	}
	r.Flush()
	if s.pushes() || u.nic == nil || !r.local.is(u.nic, destination(f, h)) {
		return false // nothing will follow, or netstack forwards it as it is
	}
	*j = joiner{
		pkt: r.take(f, h), e: e, u: u, first: s,
		next: s.sequence() + uint32(s.size), total: len(s.ip) + len(s.tcp) + s.size,
	}
	return true
}

// follows reports whether a segment goes on where what was joined ends. Only the
// last may be shorter than the first, and none longer.
func (j *joiner) follows(e *Endpoint, s *segment) bool {
	return j.pkt != nil && !j.ended && e == j.e && s.size <= j.first.size && j.total+s.size <= maxJoined &&
		s.sequence() == j.next && j.first.sameHeaders(s)
}

// append adds a frame's data, which starts at, to the packet that is joined.
func (r *receiver) append(f *ethstack.Frame, at int) {
	s := r.slot(f)
	head := s.head
	s.head, s.first = nil, nil
	f.Bufs = f.Bufs[:0]
	data := r.joiner.pkt.Data()
	if head.CapLength(min(f.Len, headSize)); head.Size() > at {
		head.TrimFront(at)
		data.AppendView(head)
	} else {
		head.Release()
	}
	if n := f.Len - headSize; n > 0 {
		data.AppendView(s.cut(n))
	}
}

// Flush takes up what was held back.
func (r *receiver) Flush() {
	j := &r.joiner
	if j.pkt == nil {
		return
	}
	o := ethstack.Offload{}
	if ip := j.first.ip; j.total > len(ip)+len(j.first.tcp)+j.first.size {
		// TCP's checksum is that of the first segment still. Netstack has been
		// told that it was verified, as with a super-frame of a device.
		o.Segment = ethstack.SegmentTCPv4
		if j.first.v6 {
			o.Segment = ethstack.SegmentTCPv6
			header.IPv6(ip).SetPayloadLength(uint16(j.total - len(ip)))
		} else {
			h := header.IPv4(ip)
			h.SetTotalLength(uint16(j.total))
			h.SetChecksum(0)
			h.SetChecksum(^h.CalculateChecksum())
		}
	}
	pkt, e, u := j.pkt, j.e, j.u
	*j = joiner{}
	e.rx.deliver(u, pkt, ethstack.ChecksumGood, o)
}
