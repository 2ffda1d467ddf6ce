package ethstack

import "encoding/binary"

// IP protocol numbers that are told apart here (IANA).
const (
	protoHopByHop    = 0
	protoTCP         = 6
	protoUDP         = 17
	protoRouting     = 43
	protoFragment    = 44
	protoDestination = 60
	protoMobility    = 135
)

const (
	ipv4HeaderLen = 20
	ipv6HeaderLen = 40
	tcpHeaderLen  = 20
	udpHeaderLen  = 8

	// fragmentBits are those that a fragment has set, in the 16 bits at offset 6
	// of the header. RFC 791 §3.1: more fragments, or an offset.
	fragmentBits = 0x3fff

	// Offsets of the checksum fields in the transport headers.
	tcpChecksumAt = 16
	udpChecksumAt = 6

	// maxHeaders is up to where a frame's headers are looked at: two tags, 40
	// bytes of IPv6 and 60 of TCP leave 134 for extension headers.
	maxHeaders = 256
	// maxExtensions bounds how many IPv6 extension headers are walked; all
	// that RFC 8200 §4.1 names, each once, are six.
	maxExtensions = 8
)

// layers is where the layers of an IP packet begin, counted from the frame's
// first byte.
type layers struct {
	network   int // the IP header
	transport int // the TCP or UDP header, behind options and extension headers
	payload   int // behind the transport header, whose options included
	end       int // the end of the packet; what follows is padding
	protocol  uint8
	v6        bool
	routed    bool // a routing header: the IP header's destination is not the last
}

// parsed tells what came of parsing.
type parsed uint8

const (
	// parsedOK: TCP or UDP, all fields of layers are valid.
	parsedOK parsed = iota
	// parsedOther: a good IP header; behind it a fragment or another protocol.
	parsedOther
	// parsedNotIP: no IP packet.
	parsedNotIP
	// parsedShort: the bytes given do not reach; only network is valid.
	parsedShort
	// parsedMalformed: the headers contradict each other or the frame.
	parsedMalformed
)

// parse finds the layers of a frame of which the first total bytes count,
// however its memory is cut. (All parsing fills in its caller's layers: for
// something done to each frame, handing the value up is half the cost.)
func (f *Frame) parse(l *layers, total int) parsed {
	if len(f.Bufs) == 0 {
		return parsedMalformed
	}
	first := f.Bufs[0]
	p := l.parse(first[:min(len(first), total)], total)
	if p == parsedShort && len(f.Bufs) > 1 {
		return f.gatherAndParse(l, total)
	}
	return p
}

// gatherAndParse is the rare case of headers that do not lie in one piece.
func (f *Frame) gatherAndParse(l *layers, total int) parsed {
	var spare [maxHeaders]byte
	n := gather(spare[:], f.Bufs)
	return l.parse(spare[:min(n, total)], total)
}

// gather copies the first bytes of bufs and returns how many.
func gather(dst []byte, bufs [][]byte) (n int) {
	for _, b := range bufs {
		n += copy(dst[n:], b)
	}
	return n
}

// parse finds the layers of a frame of total bytes, of which b is the
// beginning.
func (l *layers) parse(b []byte, total int) parsed {
	*l = layers{}
	at := HeaderLen - 2
	for tags := 0; ; tags++ {
		if len(b) < at+2 {
			if total < at+2 {
				return parsedMalformed
			}
			return parsedShort
		}
		l.network = at + 2
		switch t := EtherType(binary.BigEndian.Uint16(b[at:])); {
		case t == EtherTypeIPv4:
			return l.parseIPv4(b, total)
		case t == EtherTypeIPv6:
			return l.parseIPv6(b, total)
		case (t == EtherTypeVLAN || t == EtherTypeServiceVLAN) && tags < 2:
			at += tagLen
		default:
			return parsedNotIP
		}
	}
}

func (l *layers) parseIPv4(b []byte, total int) parsed {
	network := l.network
	if total < network+ipv4HeaderLen {
		return parsedMalformed
	}
	if len(b) < network+ipv4HeaderLen {
		return parsedShort
	}
	ip := b[network : network+ipv4HeaderLen]
	headerLen := int(ip[0]&0x0f) * 4
	length := int(binary.BigEndian.Uint16(ip[2:]))
	l.transport, l.end = network+headerLen, network+length
	if ip[0]>>4 != 4 || headerLen < ipv4HeaderLen || length < headerLen || l.end > total {
		return parsedMalformed
	}
	l.protocol = ip[9]
	if binary.BigEndian.Uint16(ip[6:])&fragmentBits != 0 {
		return parsedOther
	}
	return l.parseTransport(b)
}

func (l *layers) parseIPv6(b []byte, total int) parsed {
	network := l.network
	l.v6 = true
	if total < network+ipv6HeaderLen {
		return parsedMalformed
	}
	if len(b) < network+ipv6HeaderLen {
		return parsedShort
	}
	ip := b[network : network+ipv6HeaderLen]
	l.end = network + ipv6HeaderLen + int(binary.BigEndian.Uint16(ip[4:]))
	if ip[0]>>4 != 6 || l.end > total {
		return parsedMalformed
	}
	l.protocol, l.transport = ip[6], network+ipv6HeaderLen
	for range maxExtensions {
		switch l.protocol {
		case protoTCP, protoUDP:
			return l.parseTransport(b)
		case protoHopByHop, protoRouting, protoDestination, protoMobility:
		default: // also a fragment, and whatever is encrypted or authenticated
			return parsedOther
		}
		if l.transport+8 > l.end {
			return parsedMalformed
		}
		if l.transport+8 > len(b) {
			return parsedShort
		}
		// RFC 8200 §4.2: next header, length in units of 8 bytes without the
		// first 8. RFC 8200 §4.4: a routing header's fourth byte is how many
		// segments are left.
		x := b[l.transport:]
		if l.protocol == protoRouting && x[3] != 0 {
			l.routed = true
		}
		l.protocol = x[0]
		l.transport += 8 + 8*int(x[1])
	}
	return parsedOther
}

func (l *layers) parseTransport(b []byte) parsed {
	switch l.protocol {
	case protoTCP:
		if l.transport+tcpHeaderLen > l.end {
			return parsedMalformed
		}
		if l.transport+tcpHeaderLen > len(b) {
			return parsedShort
		}
		// RFC 9293 §3.1: the data offset counts 32-bit words.
		headerLen := int(b[l.transport+12]>>4) * 4
		l.payload = l.transport + headerLen
		if headerLen < tcpHeaderLen || l.payload > l.end {
			return parsedMalformed
		}
	case protoUDP:
		l.payload = l.transport + udpHeaderLen
		if l.payload > l.end {
			return parsedMalformed
		}
	default:
		return parsedOther
	}
	return parsedOK
}
