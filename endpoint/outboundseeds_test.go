package endpoint

import (
	"encoding/binary"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/ethstack"
)

// A seedPacket is a packet that makes sense, from which a fuzzer goes on to those
// that do not. Its fields are in the order in which a script has them.
type seedPacket struct {
	payload []byte
	hop     []byte // what script.address reads as the remote address
	link    []byte // the remote hardware address
	gso     []byte // what script.gso reads
	shape   byte
	network []byte
	last    []byte // the transport header
}

func (p seedPacket) script() []byte {
	half := len(p.payload) / 2
	s := []byte{2, byte(half)} // in two views
	s = append(append(s, p.payload[:half]...), byte(len(p.payload)-half))
	s = append(s, p.payload[half:]...)
	s = append(s, 0, 0) // no protocol in the route
	s = append(s, p.hop...)
	s = append(s, 0, 0, 1, byte(len(p.link))) // no local address, no gateway, out
	s = append(s, p.link...)
	s = append(s, 0, 0, 0, 0) // no local hardware address; IPv4; hash; not forwarded
	s = append(s, byte(min(len(p.gso), 1)))
	s = append(append(s, p.gso...), p.shape)
	if p.shape < 2 {
		return s
	}
	// Pushed from the end: as many bytes as the header has, of the most it may.
	s = append(append(s, byte(len(p.last))), slices.Concat(p.last, make([]byte, 20-len(p.last)))...)
	return append(append(s, byte(len(p.network))), slices.Concat(p.network, make([]byte, 40-len(p.network)))...)
}

var (
	unspecified = []byte{0}
	known       = []byte{1}
	unknown     = []byte{2, 77}
)

// seedUDP is a datagram from A to B, with the right checksum.
func seedUDP(payload int, hop []byte) seedPacket {
	u := header.UDP(make([]byte, header.UDPMinimumSize+payload))
	u.Encode(&header.UDPFields{SrcPort: 1, DstPort: 2, Length: uint16(len(u))})
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, addrA, addrB, uint16(len(u)))
	u.SetChecksum(^checksum.Checksum(u, sum))
	ip := header.IPv4(make([]byte, header.IPv4MinimumSize))
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(ip) + len(u)), TTL: 64, Protocol: uint8(header.UDPProtocolNumber), SrcAddr: addrA, DstAddr: addrB,
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	return seedPacket{payload: u.Payload(), hop: hop, shape: 2, network: ip, last: u[:header.UDPMinimumSize]}
}

// seedTCP is data that TCP leaves to be segmented.
func seedTCP(payload int, mss uint16) seedPacket {
	b := tcpFrame(payload, true)
	gso := binary.BigEndian.AppendUint16([]byte{1, 1, 0, 16}, mss)
	return seedPacket{
		payload: b[54:], hop: known, gso: append(gso, 0, header.IPv4MinimumSize), shape: 2, network: b[14:34], last: b[34:54],
	}
}

func outboundSeeds() (all [][]byte) {
	raw := seedPacket{payload: tcpFrame(20, false), hop: unspecified}
	linked := seedUDP(20, unknown)
	linked.link = hwB[:]
	for _, c := range []struct {
		bits     byte
		offloads ethstack.Offloads
		every    byte
		packets  []seedPacket
	}{
		{0, 0, 0, []seedPacket{raw, seedUDP(20, known), linked, seedUDP(20, unknown)}},
		{0, 0, 0, []seedPacket{seedTCP(200, 50)}},
		{0, ethstack.OffloadChecksum | ethstack.OffloadTCPv4, 0, []seedPacket{seedTCP(200, 50), seedTCP(100, 100)}},
		{inVLAN, ethstack.OffloadChecksum | ethstack.OffloadTCPv4, 2, []seedPacket{seedTCP(200, 50), seedUDP(9, known), seedUDP(9, known)}},
		{0, ethstack.OffloadChecksum | ethstack.OffloadUDP, 0, []seedPacket{seedUDP(50, known), seedUDP(50, known), seedUDP(9, known), raw}},
		{0, ethstack.OffloadChecksum | ethstack.OffloadUDP, 2, []seedPacket{seedUDP(50, known), seedUDP(50, known), seedUDP(60, known)}},
		{withQueue, 0, 3, []seedPacket{seedUDP(50, known), seedUDP(255, known), seedUDP(1, known), seedUDP(2, known)}},
		{severalQueues, 0, 3, []seedPacket{seedUDP(50, known), seedUDP(255, unknown), {hop: known, shape: 1}, {hop: known}}},
	} {
		s := []byte{c.bits, byte(c.offloads), c.every, 20, 0xff, 0, byte(len(c.packets) - 1)}
		for _, p := range c.packets {
			s = append(s, p.script()...)
		}
		all = append(all, s)
	}
	return all
}
