package endpoint

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// NewProtocol is the companion of the endpoints of a stack: a network protocol
// for EtherType 0x0806 that goes where gVisor's arp.NewProtocol would,
//
//	NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, endpoint.NewProtocol},
//
// and answers nothing by itself. It tells each Endpoint below a NIC, at whatever
// depth, what netstack tells a network protocol only; the package's
// documentation has the list. Endpoints work without it. It must not be
// registered together with arp.NewProtocol.
func NewProtocol(s *stack.Stack) stack.NetworkProtocol { return &protocol{stack: s} }

type protocol struct{ stack *stack.Stack }

// Number returns ARP's.
func (*protocol) Number() tcpip.NetworkProtocolNumber { return header.ARPProtocolNumber }

// MinimumPacketSize returns the length of an ARP packet.
func (*protocol) MinimumPacketSize() int { return header.ARPSize }

// ParseAddresses returns nothing: an ARP packet is between no two IP addresses.
func (*protocol) ParseAddresses([]byte) (src, dst tcpip.Address) { return src, dst }

// SetOption knows no option.
func (*protocol) SetOption(tcpip.SettableNetworkProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

// Option knows no option.
func (*protocol) Option(tcpip.GettableNetworkProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

// Close has nothing to stop.
func (*protocol) Close() {}

// Wait has nothing to wait for.
func (*protocol) Wait() {}

// Parse finds the ARP packet, which carries no other.
func (*protocol) Parse(pkt *stack.PacketBuffer) (proto tcpip.TransportProtocolNumber, hasTransportHdr, ok bool) {
	_, ok = pkt.NetworkHeader().Consume(header.ARPSize)
	return 0, false, ok
}

// NewEndpoint makes the companion of one NIC. Netstack's lock is held, and the
// link endpoint is not attached yet.
func (p *protocol) NewEndpoint(nic stack.NetworkInterface, _ stack.TransportDispatcher) stack.NetworkEndpoint {
	c := &companion{stack: p.stack, nic: nic, e: below(nic)}
	if c.e != nil {
		c.e.companion.Store(c)
		c.e.i.SetEnabled(false) // a NIC is made disabled
	}
	return c
}

// A finder is the owner of a packet that goes down to an Endpoint, to tell
// which it is: wrappers pass a packet whose header is to be parsed on.
type finder struct {
	tcpip.PacketOwner // nil; nobody asks
	found             *Endpoint
}

// below returns the Endpoint below a NIC, nil if there is none.
func below(nic stack.NetworkInterface) *Endpoint {
	var f finder
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{})
	defer pkt.DecRef()
	pkt.Owner = &f
	nic.ParseHeader(pkt)
	return f.found
}
