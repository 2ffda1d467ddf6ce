package conformance

import (
	"encoding/binary"
	"fmt"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// The frames that are sent and expected are made here byte by byte, or with
// netstack's header package: with nothing that the endpoint itself is made of.

type (
	hardwareAddr [6]byte
	frame        []byte
)

var (
	everybody = hardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	nobody    hardwareAddr
)

const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd

	headerLen = 14
	minFrame  = 60
)

// ether makes a frame.
func ether(to, from hardwareAddr, typ uint16, payload ...[]byte) frame {
	f := slices.Concat(to[:], from[:], []byte{byte(typ >> 8), byte(typ)})
	return append(f, slices.Concat(payload...)...)
}

// padded makes a frame n bytes long, with a byte that is not zero.
func (f frame) padded(n int) frame {
	f = slices.Clone(f)
	for len(f) < n {
		f = append(f, 0xa5)
	}
	return f
}

// String returns the frame for a person: its length and its beginning.
func (f frame) String() string {
	const shown = headerLen + arpLen
	if len(f) <= shown {
		return fmt.Sprintf("% x", []byte(f))
	}
	return fmt.Sprintf("% x... (%d bytes)", []byte(f[:shown]), len(f))
}

func (f frame) to() hardwareAddr   { return hardwareAddr(f[0:6]) }
func (f frame) from() hardwareAddr { return hardwareAddr(f[6:12]) }
func (f frame) typ() uint16        { return binary.BigEndian.Uint16(f[12:14]) }
func (f frame) payload() []byte    { return f[headerLen:] }

// An arpMessage is an ARP packet, with any values.
type arpMessage struct {
	hardware, protocol uint16
	hlen, plen         byte
	op                 uint16
	sha                hardwareAddr
	spa                tcpip.Address
	tha                hardwareAddr
	tpa                tcpip.Address
}

const (
	opRequest = 1
	opReply   = 2
	arpLen    = 28
)

// newARP makes a packet that is well-formed.
func newARP(op uint16, sha hardwareAddr, spa tcpip.Address, tha hardwareAddr, tpa tcpip.Address) arpMessage {
	return arpMessage{hardware: 1, protocol: typeIPv4, hlen: 6, plen: 4, op: op, sha: sha, spa: spa, tha: tha, tpa: tpa}
}

func (m arpMessage) bytes() []byte {
	b := binary.BigEndian.AppendUint16(nil, m.hardware)
	b = binary.BigEndian.AppendUint16(b, m.protocol)
	b = append(b, m.hlen, m.plen)
	b = binary.BigEndian.AppendUint16(b, m.op)
	return slices.Concat(b, m.sha[:], m.spa.AsSlice(), m.tha[:], m.tpa.AsSlice())
}

// arp reads the ARP packet of a frame.
func (f frame) arp() (m arpMessage, ok bool) {
	if len(f) < headerLen+arpLen || f.typ() != typeARP {
		return m, false
	}
	b := f.payload()
	return arpMessage{
		hardware: binary.BigEndian.Uint16(b), protocol: binary.BigEndian.Uint16(b[2:]),
		hlen: b[4], plen: b[5], op: binary.BigEndian.Uint16(b[6:]),
		sha: hardwareAddr(b[8:14]), spa: tcpip.AddrFrom4Slice(b[14:18]),
		tha: hardwareAddr(b[18:24]), tpa: tcpip.AddrFrom4Slice(b[24:28]),
	}, true
}

// ipv4Packet makes an IPv4 packet.
func ipv4Packet(from, to tcpip.Address, proto tcpip.TransportProtocolNumber, payload []byte) []byte {
	b := make([]byte, header.IPv4MinimumSize, header.IPv4MinimumSize+len(payload))
	h := header.IPv4(b)
	h.Encode(&header.IPv4Fields{
		TotalLength: uint16(header.IPv4MinimumSize + len(payload)), TTL: 64,
		Protocol: uint8(proto), SrcAddr: from, DstAddr: to,
	})
	h.SetChecksum(^h.CalculateChecksum())
	return append(b, payload...)
}

// udp4 makes an IPv4 packet with a datagram for a port.
func udp4(from, to tcpip.Address, port uint16, data []byte) []byte {
	return familyIPv4.udp(from, to, port, data)
}

// echo4 makes an IPv4 packet with an echo request.
func echo4(from, to tcpip.Address, data []byte) []byte {
	b := make([]byte, header.ICMPv4MinimumSize, header.ICMPv4MinimumSize+len(data))
	h := header.ICMPv4(b)
	h.SetType(header.ICMPv4Echo)
	h.SetIdent(7)
	h.SetChecksum(^checksum.Checksum(data, checksum.Checksum(b, 0)))
	return ipv4Packet(from, to, header.ICMPv4ProtocolNumber, append(b, data...))
}

// ipv4 returns the IPv4 packet of a frame, without what follows its end.
func (f frame) ipv4() (header.IPv4, bool) {
	if len(f) < headerLen || f.typ() != typeIPv4 {
		return nil, false
	}
	h := header.IPv4(f.payload())
	if !h.IsValid(len(h)) {
		return nil, false
	}
	return h[:h.TotalLength()], true
}

// icmp4 returns the ICMP message of a frame.
func (f frame) icmp4() (header.ICMPv4, bool) {
	h, ok := f.ipv4()
	if !ok || h.TransportProtocol() != header.ICMPv4ProtocolNumber || len(h.Payload()) < header.ICMPv4MinimumSize {
		return nil, false
	}
	return header.ICMPv4(h.Payload()), true
}

// datagram returns the data of a UDP datagram that is not in fragments, of
// either IP.
func (f frame) datagram() ([]byte, bool) {
	if len(f) < headerLen {
		return nil, false
	}
	var u header.UDP
	if h, ok := f.ipv4(); ok && h.TransportProtocol() == header.UDPProtocolNumber && !h.More() && h.FragmentOffset() == 0 {
		u = h.Payload()
	} else if h, ok := f.ipv6(); ok && h.NextHeader() == uint8(header.UDPProtocolNumber) {
		u = h.Payload()
	}
	if len(u) < header.UDPMinimumSize {
		return nil, false
	}
	return u.Payload(), true
}

// What a check waits for.

func isEchoReply(data []byte) func(frame) bool {
	return func(f frame) bool {
		m, ok := f.icmp4()
		return ok && m.Type() == header.ICMPv4EchoReply && string(m.Payload()) == string(data)
	}
}

func isDatagram(data []byte) func(frame) bool {
	return func(f frame) bool {
		b, ok := f.datagram()
		return ok && string(b) == string(data)
	}
}

func isICMPError(f frame) bool {
	m, ok := f.icmp4()
	return ok && m.Type() == header.ICMPv4DstUnreachable
}

// isReplyFor matches replies that tell of the address spa, whomever.
func isReplyFor(spa tcpip.Address) func(frame) bool {
	return func(f frame) bool {
		m, ok := f.arp()
		return ok && m.op == opReply && m.spa == spa
	}
}

// isRequestFor matches questions for an address, not announcements of it.
func isRequestFor(tpa tcpip.Address) func(frame) bool {
	return func(f frame) bool {
		m, ok := f.arp()
		return ok && m.op == opRequest && m.tpa == tpa && m.spa != tpa
	}
}

func either(a, b func(frame) bool) func(frame) bool {
	return func(f frame) bool { return a(f) || b(f) }
}
