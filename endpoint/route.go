package endpoint

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// routing says how a packet gets its destination hardware address.
type routing uint8

const (
	// routeReady: it has one, netstack's or one that follows from the
	// destination, or the packet comes with its Ethernet header.
	routeReady routing = iota
	// routeResolve: by ARP.
	routeResolve
	// routeInvalid: it must not be sent.
	routeInvalid
)

// classify looks at the route of a packet. With routeReady it returns the
// destination (zero if the packet has its header), with routeResolve the next
// hop.
func classify(r *stack.RouteInfo) (how routing, to ethstack.HardwareAddr, hop [4]byte) {
	if to, ok := parseLinkAddress(r.RemoteLinkAddress); ok {
		return routeReady, to, hop
	}
	// By pointer: netstack's addresses are long to copy.
	b := r.RemoteAddress.AsSlice()
	if len(b) != header.IPv4AddressSize {
		if len(b) == 0 && r.NetProto == 0 && r.RemoteLinkAddress == "" {
			return routeReady, to, hop // a raw packet socket, or a bridge
		}
		return routeInvalid, to, hop
	}
	remote := [4]byte(b)
	next := r.NextHop.AsSlice()
	gateway := len(next) == header.IPv4AddressSize
	switch {
	case remote[0]&0xf0 == 0xe0:
		return routeReady, multicast(remote), hop
	case remote == [4]byte{255, 255, 255, 255}, !gateway && r.Loop == stack.PacketOut|stack.PacketLoop:
		// RFC 1122 §3.3.6: an IP broadcast goes by link-layer broadcast. The
		// second case is the subnet's: netstack has found that out.
		return routeReady, ethstack.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, hop
	}
	hop = remote
	if gateway {
		hop = [4]byte(next)
	}
	// RFC 1122 §3.2.1.3: 0/8 and 127/8 never leave a host, from 224 on no host
	// has the address; and nobody else has ours.
	local := r.LocalAddress.AsSlice()
	own := len(local) == header.IPv4AddressSize && hop == [4]byte(local)
	if hop[0] == 0 || hop[0] == 127 || hop[0] >= 224 || own {
		return routeInvalid, to, hop
	}
	return routeResolve, to, hop
}

// multicast returns the hardware address of an IPv4 group.
//
// RFC 1112 §6.4: the low 23 bits behind 01:00:5e.
func multicast(group [4]byte) ethstack.HardwareAddr {
	return ethstack.HardwareAddr{0x01, 0x00, 0x5e, group[1] & 0x7f, group[2], group[3]}
}
