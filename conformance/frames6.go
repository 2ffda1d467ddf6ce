package conformance

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// ipv6Packet makes an IPv6 packet.
func ipv6Packet(from, to tcpip.Address, proto tcpip.TransportProtocolNumber, hops uint8, payload []byte) []byte {
	b := make([]byte, header.IPv6MinimumSize, header.IPv6MinimumSize+len(payload))
	header.IPv6(b).Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(payload)), TransportProtocol: proto, HopLimit: hops, SrcAddr: from, DstAddr: to,
	})
	return append(b, payload...)
}

// icmp6 makes an IPv6 packet with an ICMP message.
func icmp6(from, to tcpip.Address, hops uint8, message []byte) []byte {
	h := header.ICMPv6(message)
	h.SetChecksum(0)
	h.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: h, Src: from, Dst: to}))
	return ipv6Packet(from, to, header.ICMPv6ProtocolNumber, hops, message)
}

// echo6 makes an IPv6 packet with an echo request.
func echo6(from, to tcpip.Address, data []byte) []byte {
	b := make([]byte, header.ICMPv6MinimumSize, header.ICMPv6MinimumSize+len(data))
	header.ICMPv6(b).SetType(header.ICMPv6EchoRequest)
	return icmp6(from, to, 64, append(b, data...))
}

// neighbor makes a message of neighbor discovery for target, with an option
// that tells a hardware address.
func neighbor(typ header.ICMPv6Type, flags byte, from, to, target tcpip.Address, option byte, hw hardwareAddr) []byte {
	b := make([]byte, 8, 32)
	b[0], b[4] = byte(typ), flags
	b = append(b, target.AsSlice()...)
	b = append(b, option, 1)
	return icmp6(from, to, header.NDPHopLimit, append(b, hw[:]...))
}

const (
	optionSource = 1 // RFC 4861 §4.6.1: source link-layer address
	optionTarget = 2 // target link-layer address
)

func solicitation(from peer, to, target tcpip.Address) []byte {
	return neighbor(header.ICMPv6NeighborSolicit, 0, from.ipv6, to, target, optionSource, from.hw)
}

// advertisement answers a solicitation: solicited, override.
func advertisement(from peer, to tcpip.Address) []byte {
	return neighbor(header.ICMPv6NeighborAdvert, 0x60, from.ipv6, to, from.ipv6, optionTarget, from.hw)
}

// ipv6 returns the IPv6 packet of a frame, without what follows its end.
func (f frame) ipv6() (header.IPv6, bool) {
	if len(f) < headerLen || f.typ() != typeIPv6 {
		return nil, false
	}
	h := header.IPv6(f.payload())
	if !h.IsValid(len(h)) {
		return nil, false
	}
	return h[:header.IPv6MinimumSize+int(h.PayloadLength())], true
}

// icmp6 returns the ICMP message of a frame.
func (f frame) icmp6() (header.ICMPv6, bool) {
	h, ok := f.ipv6()
	if !ok || h.NextHeader() != uint8(header.ICMPv6ProtocolNumber) || len(h.Payload()) < header.ICMPv6MinimumSize {
		return nil, false
	}
	return header.ICMPv6(h.Payload()), true
}

// neighborMessage reads a message of neighbor discovery: whom it is about,
// and the hardware address that it tells.
func (f frame) neighborMessage(typ header.ICMPv6Type) (target tcpip.Address, hw hardwareAddr, ok bool) {
	m, ok := f.icmp6()
	if !ok || m.Type() != typ || len(m) < 24 {
		return target, hw, false
	}
	target = tcpip.AddrFrom16Slice(m[8:24])
	if options := m[24:]; len(options) >= 8 {
		copy(hw[:], options[2:8])
	}
	return target, hw, true
}

func isEchoReply6(data []byte) func(frame) bool {
	return func(f frame) bool {
		m, ok := f.icmp6()
		return ok && m.Type() == header.ICMPv6EchoReply && string(m.Payload()) == string(data)
	}
}

func isSolicitationFor(target tcpip.Address) func(frame) bool {
	return func(f frame) bool {
		about, _, ok := f.neighborMessage(header.ICMPv6NeighborSolicit)
		return ok && about == target
	}
}

func isAdvertisementOf(target tcpip.Address) func(frame) bool {
	return func(f frame) bool {
		about, _, ok := f.neighborMessage(header.ICMPv6NeighborAdvert)
		return ok && about == target
	}
}

// solicitedNode returns the group of those whose addresses end like a.
func solicitedNode(a tcpip.Address) tcpip.Address { return header.SolicitedNodeAddr(a) }

// group6 is RFC 2464 §7: 33:33 and the group's last 32 bits.
func group6(a tcpip.Address) hardwareAddr {
	b := a.As16()
	return hardwareAddr{0x33, 0x33, b[12], b[13], b[14], b[15]}
}
