package endpoint

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// upper is whom frames are delivered to.
type upper struct {
	stack.NetworkDispatcher
	// nic is the dispatcher, if it is a NIC. A wrapper around the endpoint or
	// a bridge port is none, and knows nothing of addresses.
	nic stack.NetworkInterface
	// bridged: ARP is a frame like any other, between other hosts or for the
	// bridge's NIC.
	bridged bool
}

// bridgePort is what a dispatcher is that is a port of a netstack bridge: no NIC
// and no link endpoint, but with this method of the latter.
type bridgePort interface {
	ParseHeader(*stack.PacketBuffer) bool
}

// newUpper looks whether a dispatcher is a NIC. If it is a wrapper, the
// companion knows the NIC above it; a bridge port's is not the one to ask.
func newUpper(d stack.NetworkDispatcher, c *companion) *upper {
	u := &upper{NetworkDispatcher: d}
	switch d := d.(type) {
	case stack.NetworkInterface:
		u.nic = d
	case stack.LinkEndpoint:
		if c != nil {
			u.nic = c.nic
		}
	case bridgePort:
		u.bridged = true
	}
	return u
}

// resolvesIPv4 reports whether the stack has an ARP of its own: if not, it
// does not support confirming an IPv4 neighbor. (The address is nobody's, so
// that nothing is confirmed.)
func (u *upper) resolvesIPv4() bool {
	if u.nic == nil {
		return false
	}
	err := u.nic.HandleNeighborConfirmation(ipv4.ProtocolNumber, header.IPv4Any, "", stack.ReachabilityConfirmationFlags{})
	_, unsupported := err.(*tcpip.ErrNotSupported)
	return !unsupported
}

// isForOne reports whether the packet of a frame to everybody or to a group is
// for a single host, other than this one for IPv4, whose own the demux drops.
// Netstack does not look at the frame: it would forward the packet, and send
// ICMP errors about it.
//
// RFC 1812 §5.3.4: a router MUST NOT forward what came as a link-layer broadcast.
// RFC 4443 §2.4(e): no error about what came as a link-layer multicast.
func (u *upper) isForOne(dst tcpip.Address) bool {
	switch dst.Len() {
	case header.IPv4AddressSize:
		// The NIC says yes to the broadcast addresses of its subnets.
		return dst != header.IPv4Broadcast && !header.IsV4MulticastAddress(dst) && !u.nic.CheckLocalAddress(ipv4.ProtocolNumber, dst)
	case header.IPv6AddressSize:
		return !header.IsV6MulticastAddress(dst)
	}
	return false // not IP
}

// host lets the resolver ask the NIC. It is asked on the resolver's goroutines
// only: the NIC's answers take locks that are held when netstack sends.
type host struct{ e *Endpoint }

// Enabled reports whether there is somebody to resolve for. Netstack tells
// nobody when a NIC is disabled.
func (h host) Enabled() bool {
	u := h.e.up.Load()
	return u != nil && (u.nic == nil || u.nic.Enabled())
}

// IsLocal reports whether addr is the NIC's, with the cases taken out in which
// the NIC says yes to what is not.
func (h host) IsLocal(addr netip.Addr) bool {
	u := h.e.up.Load()
	if u == nil || u.nic == nil || !addr.Is4() {
		return false
	}
	a := tcpip.AddrFrom4(addr.As4())
	spoofing := u.nic.Spoofing() // then it says yes to every address
	if !spoofing && !u.nic.CheckLocalAddress(ipv4.ProtocolNumber, a) {
		return false // first, for it costs the least and nearly all are not
	}
	main, _ := u.nic.PrimaryAddress(ipv4.ProtocolNumber)
	c := h.e.companion.Load()
	switch {
	case a == main.Address:
		return true
	case c != nil:
		return c.has(a) // and is no broadcast address
	case spoofing:
		return false
	}
	return !isBroadcast(a, main)
}

// isBroadcast reports whether a is a broadcast address, given the NIC's primary
// address. The NIC says yes to these, too.
//
// Choice: the subnets of further addresses cannot be asked for. Outside the
// primary address's subnet, an address that ends in 255 is held to be a
// broadcast address. So one shared by a subnet longer than /24 is answered for,
// and a host's own that ends in 255 is not, unless AddIPv4 is given it.
func isBroadcast(a tcpip.Address, main tcpip.AddressWithPrefix) bool {
	if a == header.IPv4Broadcast {
		return true
	}
	if main.Address.Len() == header.IPv4AddressSize {
		if subnet := main.Subnet(); subnet.Contains(a) {
			return subnet.IsBroadcast(a)
		}
	}
	return a.As4()[3] == 255
}

// OnLink reports whether addr is in a subnet of the NIC's: of its primary
// address, or of any if the companion can tell. A NIC without an address, or with
// one that is alone in its subnet, does not tell who is on its link.
func (h host) OnLink(addr netip.Addr) bool {
	u := h.e.up.Load()
	if u == nil || u.nic == nil {
		return true
	}
	var prefixes []tcpip.AddressWithPrefix
	if c := h.e.companion.Load(); c != nil {
		prefixes = c.prefixes()
	} else if main, err := u.nic.PrimaryAddress(ipv4.ProtocolNumber); err == nil {
		prefixes = append(prefixes, main)
	}
	known := false
	for _, p := range prefixes {
		if p.Address.Len() != header.IPv4AddressSize || p.PrefixLen == header.IPv4AddressSizeBits {
			continue
		}
		if subnet := p.Subnet(); subnet.Contains(toAddress(addr)) {
			return true
		}
		known = true
	}
	return !known
}

// SourceFor returns the address to send a request from. The route's own may
// be another NIC's, when packets are forwarded or the host model is weak.
func (h host) SourceFor(target, preferred netip.Addr) netip.Addr {
	if c := h.e.companion.Load(); c != nil {
		return addrFrom(c.sourceFor(toAddress(target), toAddress(preferred)))
	}
	if h.IsLocal(preferred) {
		return preferred
	}
	u := h.e.up.Load()
	if u == nil || u.nic == nil {
		return netip.Addr{}
	}
	main, _ := u.nic.PrimaryAddress(ipv4.ProtocolNumber)
	return addrFrom(main.Address)
}

// addrFrom converts an IPv4 address; what is none becomes the zero Addr.
func addrFrom(a tcpip.Address) netip.Addr {
	if a.Len() != header.IPv4AddressSize {
		return netip.Addr{}
	}
	return netip.AddrFrom4(a.As4())
}
