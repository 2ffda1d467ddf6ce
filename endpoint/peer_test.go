package endpoint_test

import (
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// companion is what a stack needs for endpoints with a companion.
var companion = []stack.NetworkProtocolFactory{endpoint.NewProtocol}

// arpRequest returns a frame in which the peer asks everybody for target.
func arpRequest(target [4]byte) []byte {
	b := make([]byte, ethstack.HeaderLen+arp.PacketLen)
	ethstack.Header{Destination: arp.Broadcast, Source: peerHardware, EtherType: ethstack.EtherTypeARP}.Put((*[ethstack.HeaderLen]byte)(b))
	arp.Packet{
		Operation: arp.OperationRequest, SenderHardwareAddr: peerHardware, SenderAddr: netip.AddrFrom4(peerAddr.As4()), TargetAddr: netip.AddrFrom4(target),
	}.Put((*[arp.PacketLen]byte)(b[ethstack.HeaderLen:]))
	return b
}

// A peer sends frames to a host, and sees what ARP packets there are.
type peer struct {
	t    testing.TB
	port *ethtest.Port
	log  arpLog
}

// newPeered makes a segment with a peer on it.
func newPeered(t testing.TB) (*ethtest.Segment, *peer) {
	t.Helper()
	p := &peer{t: t}
	s := newSegment(t, ethtest.SegmentOptions{Capture: p.log.capture})
	var err error
	if p.port, err = s.NewPort(ethtest.PortOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.port.Close() })
	return s, p
}

func (p *peer) write(frames ...[]byte) {
	p.t.Helper()
	for _, f := range frames {
		if _, err := p.port.Write(0, []ethstack.Frame{{Bufs: [][]byte{f}}}); err != nil {
			p.t.Fatal(err)
		}
	}
}

// settle waits until all that was sent to h has been taken in.
func (p *peer) settle(h *host) {
	p.t.Helper()
	eventually(p.t, "all frames are taken in", func() bool {
		st := h.port.Stats()
		return st.Waiting == 0 && h.ep.Interface().Stats().RxFrames == st.Delivered
	})
}

// answers returns how many answers of h the peer gets to one request for target.
func (p *peer) answers(h *host, target [4]byte) int {
	p.t.Helper()
	count := func() int {
		return p.log.count(func(a arp.Packet) bool {
			return a.Operation == arp.OperationReply && a.SenderAddr == netip.AddrFrom4(target)
		})
	}
	before := count()
	p.write(arpRequest(target))
	p.settle(h)
	// Whoever acts for the resolver just then gives the answer in a moment.
	for deadline := time.Now().Add(20 * time.Millisecond); count() == before && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	return count() - before
}

// announcements returns how many times addr was announced.
func (p *peer) announcements(addr [4]byte) int {
	return p.log.count(func(a arp.Packet) bool { return a.IsAnnouncement() && a.SenderAddr == netip.AddrFrom4(addr) })
}

// add gives the host's NIC one more IPv4 address.
func (h *host) add(prefix string) [4]byte {
	h.t.Helper()
	p := netip.MustParsePrefix(prefix)
	a := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddressWithPrefix{
		Address: tcpip.AddrFrom4(p.Addr().As4()), PrefixLen: p.Bits(),
	}}
	if err := h.stack.AddProtocolAddress(nicID, a, stack.AddressProperties{}); err != nil {
		h.t.Fatal(err)
	}
	return p.Addr().As4()
}

// groupFrame returns a frame with an UDP datagram for a group, IPv4's or IPv6's.
func groupFrame(group tcpip.Address) []byte {
	if group.Len() == header.IPv4AddressSize {
		g := group.As4()
		to := ethstack.HardwareAddr{0x01, 0x00, 0x5e, g[1] & 0x7f, g[2], g[3]}
		return frame(nil, to, header.IPv4Fields{Protocol: uint8(header.UDPProtocolNumber), DstAddr: group}, datagramTo(peerAddr, group, 10))
	}
	g := group.As16()
	payload := datagramTo(peerAddr6, group, 10)
	b := make([]byte, ethstack.HeaderLen+header.IPv6MinimumSize)
	ethstack.Header{Destination: ethstack.HardwareAddr{0x33, 0x33, g[12], g[13], g[14], g[15]}, Source: peerHardware, EtherType: ethstack.EtherTypeIPv6}.Put((*[ethstack.HeaderLen]byte)(b))
	header.IPv6(b[ethstack.HeaderLen:]).Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(payload)), TransportProtocol: header.UDPProtocolNumber, HopLimit: 64, SrcAddr: peerAddr6, DstAddr: group,
	})
	return append(b, payload...)
}

// requests returns how many requests from an address asked for another.
func (p *peer) requests(from, target [4]byte) int {
	return p.log.count(func(a arp.Packet) bool {
		return a.Operation == arp.OperationRequest && a.SenderAddr == netip.AddrFrom4(from) && a.TargetAddr == netip.AddrFrom4(target)
	})
}

// sendTo sends one datagram from an address of h.
func sendTo(t testing.TB, h *host, to, from tcpip.Address) {
	t.Helper()
	c, err := gonet.DialUDP(h.stack, &tcpip.FullAddress{Addr: from}, &tcpip.FullAddress{Addr: to, Port: 7}, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
}

// multicastProtocols are IP with the protocols for groups, and others.
func multicastProtocols(more ...stack.NetworkProtocolFactory) []stack.NetworkProtocolFactory {
	return append(more,
		ipv4.NewProtocolWithOptions(ipv4.Options{IGMP: ipv4.IGMPOptions{Enabled: true}}),
		ipv6.NewProtocolWithOptions(ipv6.Options{MLD: ipv6.MLDOptions{Enabled: true}}),
	)
}

// echoRequest is the header of a packet with echo in it.
var echoRequest = header.IPv4Fields{Protocol: uint8(header.ICMPv4ProtocolNumber)}

// echo returns an ICMP echo request.
func echo() []byte {
	b := header.ICMPv4(make([]byte, header.ICMPv4MinimumSize))
	b.SetType(header.ICMPv4Echo)
	b.SetChecksum(^checksum.Checksum(b, 0))
	return b
}
