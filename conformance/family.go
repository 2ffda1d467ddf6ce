package conformance

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
)

// A family is one of the two IPs, for checks that ask the same of both.
type family struct {
	name   string
	proto  tcpip.NetworkProtocolNumber
	icmp   tcpip.TransportProtocolNumber
	own    tcpip.Address
	header int // without options and extensions
}

var (
	familyIPv4 = family{"IPv4", ipv4.ProtocolNumber, header.ICMPv4ProtocolNumber, ownIPv4, header.IPv4MinimumSize}
	familyIPv6 = family{"IPv6", ipv6.ProtocolNumber, header.ICMPv6ProtocolNumber, ownIPv6, header.IPv6MinimumSize}
	families   = []family{familyIPv4, familyIPv6}
)

// of returns a peer's address.
func (v family) of(p peer) tcpip.Address {
	if v.proto == ipv6.ProtocolNumber {
		return p.ipv6
	}
	return p.ipv4
}

// packet makes an IP packet, without looking into its payload.
func (v family) packet(from, to tcpip.Address, proto tcpip.TransportProtocolNumber, payload []byte) []byte {
	if v.proto == ipv6.ProtocolNumber {
		return ipv6Packet(from, to, proto, 64, payload)
	}
	return ipv4Packet(from, to, proto, payload)
}

// echo makes a packet with an echo request.
func (v family) echo(from, to tcpip.Address, data []byte) []byte {
	if v.proto == ipv6.ProtocolNumber {
		return echo6(from, to, data)
	}
	return echo4(from, to, data)
}

// isEchoReply matches echo replies with the data.
func (v family) isEchoReply(data []byte) func(frame) bool {
	if v.proto == ipv6.ProtocolNumber {
		return isEchoReply6(data)
	}
	return isEchoReply(data)
}

// udp makes a packet with a datagram from peerPort for a port.
func (v family) udp(from, to tcpip.Address, port uint16, data []byte) []byte {
	b := make([]byte, header.UDPMinimumSize, header.UDPMinimumSize+len(data))
	h := header.UDP(b)
	h.Encode(&header.UDPFields{SrcPort: peerPort, DstPort: port, Length: uint16(len(b) + len(data))})
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, from, to, uint16(len(b)+len(data)))
	h.SetChecksum(^h.CalculateChecksum(checksum.Checksum(data, sum)))
	return v.packet(from, to, header.UDPProtocolNumber, append(b, data...))
}

// frameFrom makes a frame from a peer to us.
func (t *trial) frameFrom(p peer, v family, packet []byte) frame {
	return ether(t.own, p.hw, uint16(v.proto), packet)
}

// know makes a peer known to the endpoint, and goes on answering for it.
func (t *trial) know(v family, p peer) {
	if v.proto == ipv6.ProtocolNumber {
		t.introduce6(p)
	} else {
		t.introduce(p)
	}
}

// An ipPacket is what the checks want to know of an IP packet of either family
// that has no extension headers but, perhaps, the one of fragments and that of
// options for each hop.
type ipPacket struct {
	family
	from, to  tcpip.Address
	transport tcpip.TransportProtocolNumber
	hops      uint8
	length    int // of the whole packet
	offset    int // of a fragment
	more      bool
	payload   []byte
}

// ip reads the IP packet of a frame.
func (f frame) ip() (k ipPacket, ok bool) {
	if h, ok := f.ipv4(); ok {
		return ipPacket{
			family: familyIPv4, from: h.SourceAddress(), to: h.DestinationAddress(), hops: h.TTL(), length: len(h),
			transport: h.TransportProtocol(), offset: int(h.FragmentOffset()), more: h.More(), payload: h.Payload(),
		}, true
	}
	h, ok := f.ipv6()
	if !ok {
		return k, false
	}
	k = ipPacket{
		family: familyIPv6, from: h.SourceAddress(), to: h.DestinationAddress(), hops: h.HopLimit(), length: len(h),
		transport: tcpip.TransportProtocolNumber(h.NextHeader()), payload: h.Payload(),
	}
	for {
		switch b := k.payload; {
		case k.transport == hopByHop && len(b) >= 8 && len(b) >= 8+8*int(b[1]):
			k.transport, k.payload = tcpip.TransportProtocolNumber(b[0]), b[8+8*int(b[1]):]
		case k.transport == header.IPv6FragmentHeader && len(b) >= header.IPv6FragmentHeaderSize:
			x := header.IPv6Fragment(b)
			k.transport, k.offset, k.more = x.TransportProtocol(), 8*int(x.FragmentOffset()), x.More()
			k.payload = x.Payload()
		default:
			return k, true
		}
	}
}

// hopByHop is the extension header of options for each hop, RFC 8200 §4.3.
const hopByHop = 0

// intact fails the check unless the frame carries an IP packet no longer than
// the MTU, nothing but zeros follow it, and its checksums are right. A
// fragment's is not looked at.
func (t *trial) intact(f frame) {
	k, ok := f.ip()
	if !ok {
		t.errorf("this is no IP packet: %v", f)
		return
	}
	if k.length > int(t.MTU) {
		t.errorf("a packet of %d bytes was sent, want at most %d", k.length, t.MTU)
	}
	if h, ok := f.ipv4(); ok && !h.IsChecksumValid() {
		t.errorf("the checksum of the IPv4 header is wrong: %v", f)
	}
	t.zeroAfter(f, k.length)
	if k.offset == 0 && !k.more && !k.summed() {
		t.errorf("the checksum of protocol %d in %s is wrong: %v", k.transport, k.name, f)
	}
}

// summed reports whether the checksum of the payload is right.
func (k ipPacket) summed() bool {
	switch {
	case k.transport == header.ICMPv4ProtocolNumber, k.transport == header.IGMPProtocolNumber:
		return checksum.Checksum(k.payload, 0) == 0xffff // without a pseudo-header
	case k.transport == header.UDPProtocolNumber && len(k.payload) >= header.UDPMinimumSize && header.UDP(k.payload).Checksum() == 0:
		return false // sent without one: nothing here asks for that
	}
	sum := header.PseudoHeaderChecksum(k.transport, k.from, k.to, uint16(len(k.payload)))
	return checksum.Checksum(k.payload, sum) == 0xffff
}
