package endpoint

import (
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// maxQuoted is how much of a packet an ICMP error quotes, so that the whole is
// at most 576 bytes long (RFC 1812 §4.3.2.3).
const maxQuoted = 576 - header.IPv4MinimumSize - header.ICMPv4MinimumSize

// reportUnreachable tells netstack that a packet could not be sent because hop
// did not answer.
//
// It is called on the resolver's goroutines, with no lock held: netstack may
// take any of its own.
func (e *Endpoint) reportUnreachable(pkt *stack.PacketBuffer, hop [4]byte) {
	if c := e.companion.Load(); c != nil {
		c.reportUnreachable(pkt)
	} else if !pkt.NetworkPacketInfo.IsForwardedPacket {
		e.injectUnreachable(pkt, hop)
	}
}

// injectUnreachable tells it of a packet of its own by the one way that needs
// no *stack.Stack: an ICMP message comes in, as it would from a router.
//
// Its sender is the next hop. An address of ours, which would be more honest,
// is dropped as martian by a stack that handles local traffic by itself.
func (e *Endpoint) injectUnreachable(pkt *stack.PacketBuffer, hop [4]byte) {
	u := e.up.Load()
	quoted := stack.BufferSince(pkt.NetworkHeader())
	defer quoted.Release()
	if u == nil || quoted.Size() < header.IPv4MinimumSize {
		return
	}
	quoted.Truncate(maxQuoted)
	frame := unreachable(quoted.Flatten(), hop)
	h := ethstack.Header{Destination: e.i.HardwareAddr(), EtherType: ethstack.EtherTypeIPv4}
	h.Put((*[ethstack.HeaderLen]byte)(frame.AsSlice()))
	in := newPacket(buffer.MakeWithView(frame), h)
	u.DeliverNetworkPacket(header.IPv4ProtocolNumber, in)
	in.DecRef()
}

// unreachable makes an ICMP message of type 3 code 1 (RFC 792) from hop to the
// sender of the quoted packet, behind room for an Ethernet header.
func unreachable(quoted []byte, hop [4]byte) *buffer.View {
	const start = ethstack.HeaderLen
	size := header.IPv4MinimumSize + header.ICMPv4MinimumSize + len(quoted)
	v := buffer.NewViewSize(start + size)
	ip := header.IPv4(v.AsSlice()[start:])
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(size),
		TTL:         64,
		Protocol:    uint8(header.ICMPv4ProtocolNumber),
		SrcAddr:     tcpip.AddrFrom4(hop),
		DstAddr:     header.IPv4(quoted).SourceAddress(),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	icmp := header.ICMPv4(ip[header.IPv4MinimumSize:])
	icmp.SetType(header.ICMPv4DstUnreachable)
	icmp.SetCode(header.ICMPv4HostUnreachable)
	copy(icmp[header.ICMPv4MinimumSize:], quoted)
	icmp.SetChecksum(^checksum.Checksum(icmp, 0))
	return v
}
