package endpoint

import (
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// companion is a network endpoint of [NewProtocol]: what an Endpoint knows of
// its NIC beyond what the dispatcher tells.
type companion struct {
	stack  *stack.Stack
	nic    stack.NetworkInterface
	e      *Endpoint // nil: the NIC's link is none of ours
	checks checks
}

var _ stack.NetworkEndpoint = (*companion)(nil)

// Enable restarts ARP on a NIC that was disabled, and announces its addresses.
// Locks of netstack are held, here and in Disable.
func (c *companion) Enable() tcpip.Error {
	if c.e != nil {
		c.e.i.SetEnabled(true)
	}
	return nil
}

// Enabled reports whether the NIC is.
func (c *companion) Enabled() bool { return c.nic.Enabled() }

// Disable stops ARP and forgets the neighbors: nobody knows who will be there
// when the NIC is enabled again.
func (c *companion) Disable() {
	if c.e != nil {
		c.e.i.SetEnabled(false)
	}
}

// Close parts from an endpoint whose NIC is removed. It may be another NIC's
// next, of a stack without the companion.
func (c *companion) Close() {
	c.checks.abort()
	if c.e != nil && c.e.companion.CompareAndSwap(c, nil) {
		c.e.i.SetEnabled(true)
	}
}

// HandlePacket does nothing: ARP was taken in before the packet got here, which
// it does for packet sockets.
func (*companion) HandlePacket(*stack.PacketBuffer) {}

// DefaultTTL is of no use for ARP.
func (*companion) DefaultTTL() uint8 { return 0 }

// MTU returns the NIC's.
func (c *companion) MTU() uint32 { return c.nic.MTU() }

// EndpointHeaderSize returns the length of an ARP packet.
func (*companion) EndpointHeaderSize() uint32 { return header.ARPSize }

// MaxHeaderLength returns the length of an ARP packet with its link header.
func (c *companion) MaxHeaderLength() uint16 { return c.nic.MaxHeaderLength() + header.ARPSize }

// WritePacket is not supported: nothing is sent over ARP.
func (*companion) WritePacket(*stack.Route, stack.NetworkHeaderParams, *stack.PacketBuffer) tcpip.Error {
	return &tcpip.ErrNotSupported{}
}

// WriteHeaderIncludedPacket is not supported: nothing is sent over ARP.
func (*companion) WriteHeaderIncludedPacket(*stack.Route, *stack.PacketBuffer) tcpip.Error {
	return &tcpip.ErrNotSupported{}
}

// NetworkProtocolNumber returns ARP's.
func (*companion) NetworkProtocolNumber() tcpip.NetworkProtocolNumber {
	return header.ARPProtocolNumber
}

// Stats returns nothing: the counters are those of [Endpoint.Interface].
func (*companion) Stats() stack.NetworkEndpointStats { return noStats{} }

type noStats struct{}

// IsNetworkEndpointStats says that this stands for statistics.
func (noStats) IsNetworkEndpointStats() {}

// prefixes returns the NIC's IPv4 addresses, in no order. It takes locks of
// netstack, as do all methods below.
func (c *companion) prefixes() []tcpip.AddressWithPrefix {
	ep, _ := c.stack.GetNetworkEndpoint(c.nic.ID(), ipv4.ProtocolNumber)
	a, ok := ep.(stack.AddressableEndpoint)
	if !ok {
		return nil // there is no IPv4, or the NIC was removed
	}
	return slices.DeleteFunc(a.PermanentAddresses(), func(p tcpip.AddressWithPrefix) bool {
		return p.Address == header.IPv4Broadcast // netstack lists it with the others
	})
}

// has reports whether addr is one of the NIC's addresses, whatever modes the
// NIC is in.
func (c *companion) has(addr tcpip.Address) bool {
	for _, p := range c.prefixes() {
		if p.Address == addr {
			return true
		}
	}
	return false
}

// sourceFor returns the address to send a request for target from: one in its
// subnet if there is any (Linux, arp_announce), rather preferred, or else the
// primary one; none if the NIC has none.
func (c *companion) sourceFor(target, preferred tcpip.Address) tcpip.Address {
	main, _ := c.nic.PrimaryAddress(ipv4.ProtocolNumber)
	best, rank := main.Address, 0
	for _, p := range c.prefixes() {
		r := 0
		if subnet := p.Subnet(); subnet.Contains(target) {
			r += 4
		}
		if p.Address == preferred {
			r += 2
		}
		if p == main {
			r++
		}
		if r > rank {
			best, rank = p.Address, r
		}
	}
	return best
}

// reportUnreachable tells who sent a packet, here or elsewhere, that its next
// hop did not answer, the way netstack's own resolver does.
func (c *companion) reportUnreachable(pkt *stack.PacketBuffer) {
	ep, err := c.stack.GetNetworkEndpoint(c.nic.ID(), ipv4.ProtocolNumber)
	if err != nil {
		return // the NIC was removed
	}
	if r, ok := ep.(stack.LinkResolvableNetworkEndpoint); ok {
		if pkt.NetworkPacketInfo.IsForwardedPacket {
			r.HandleLinkResolutionFailure(pkt)
			return
		}
		// Of a packet of ours it reads from the first byte on, which must be
		// IP's.
		bare := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: stack.BufferSince(pkt.NetworkHeader())})
		defer bare.DecRef()
		r.HandleLinkResolutionFailure(bare)
	}
}

// wants reports whether IP has any use for a multicast frame.
func (c *companion) wants(f *ethstack.Frame, h ethstack.Header) bool {
	group := destination(f, h)
	proto := ipv4.ProtocolNumber
	if group.Len() == header.IPv6AddressSize {
		proto = ipv6.ProtocolNumber
	}
	if group.Len() == 0 || !header.IsV4MulticastAddress(group) && !header.IsV6MulticastAddress(group) || c.nic.Promiscuous() {
		return true
	}
	joined, err := c.stack.IsInGroup(c.nic.ID(), group)
	if joined || err != nil {
		return true
	}
	forwards, err := c.stack.NICMulticastForwarding(c.nic.ID(), proto)
	return forwards || err != nil
}

// showARP shows an ARP frame to packet sockets, which see what a NIC sends and
// receives.
func (e *Endpoint) showARP(frame []byte, h ethstack.Header, sent bool) {
	u := e.up.Load()
	if u == nil || e.companion.Load() == nil {
		return
	}
	pkt := copyPacket(&ethstack.Frame{Bufs: [][]byte{frame}}, h)
	defer pkt.DecRef()
	if sent {
		pkt.PktType = tcpip.PacketOutgoing
		u.DeliverLinkPacket(pkt.NetworkProtocolNumber, pkt)
		return
	}
	u.DeliverNetworkPacket(pkt.NetworkProtocolNumber, pkt)
}

// toAddress converts an IPv4 address.
func toAddress(a netip.Addr) tcpip.Address {
	if !a.Is4() {
		return tcpip.Address{}
	}
	return tcpip.AddrFrom4(a.As4())
}
