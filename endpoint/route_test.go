package endpoint

import (
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

// routeTo is the route of an IPv4 packet as netstack fills it in.
func routeTo(remote string) (r stack.RouteInfo) {
	r.NetProto = header.IPv4ProtocolNumber
	r.LocalAddress = addrA
	r.LocalLinkAddress = tcpip.LinkAddress(hwA[:])
	r.RemoteAddress = address(remote)
	r.Loop = stack.PacketOut
	return r
}

func address(s string) tcpip.Address { return tcpip.AddrFromSlice(netip.MustParseAddr(s).AsSlice()) }

func via(r stack.RouteInfo, gateway string) stack.RouteInfo {
	r.NextHop = address(gateway)
	return r
}

func looped(r stack.RouteInfo) stack.RouteInfo {
	r.Loop |= stack.PacketLoop
	return r
}

func linked(r stack.RouteInfo, a tcpip.LinkAddress) stack.RouteInfo {
	r.RemoteLinkAddress = a
	return r
}

// TestClassify: where a packet goes follows from its route alone.
func TestClassify(t *testing.T) {
	ipv6 := stack.RouteInfo{}
	ipv6.NetProto = header.IPv6ProtocolNumber
	ipv6.RemoteAddress = address("fd00::2")
	cooked := stack.RouteInfo{}
	cooked.NetProto = header.IPv4ProtocolNumber
	broadcast := arp.Broadcast
	for _, tt := range []struct {
		name string
		r    stack.RouteInfo
		how  routing
		to   ethstack.HardwareAddr
		hop  [4]byte
	}{
		{"on-link", routeTo("10.0.0.5"), routeResolve, ethstack.HardwareAddr{}, [4]byte{10, 0, 0, 5}},
		{"gateway", via(routeTo("8.8.8.8"), "10.0.0.254"), routeResolve, ethstack.HardwareAddr{}, [4]byte{10, 0, 0, 254}},
		{"resolved by netstack", linked(routeTo("10.0.0.5"), "\x02\x00\x00\x00\x00\x05"), routeReady, ethstack.HardwareAddr{2, 0, 0, 0, 0, 5}, [4]byte{}},
		{"RFC 1122 §3.3.6, limited broadcast", looped(routeTo("255.255.255.255")), routeReady, broadcast, [4]byte{}},
		{"RFC 1122 §3.3.6, subnet broadcast", looped(routeTo("10.0.0.255")), routeReady, broadcast, [4]byte{}},
		{"looped by way of a gateway", looped(via(routeTo("10.1.0.255"), "10.0.0.254")), routeResolve, ethstack.HardwareAddr{}, [4]byte{10, 0, 0, 254}},
		{"RFC 1112 §6.4, multicast", looped(routeTo("224.128.64.32")), routeReady, ethstack.HardwareAddr{1, 0, 0x5e, 0, 0x40, 0x20}, [4]byte{}},
		{"multicast, not looped", routeTo("239.255.1.2"), routeReady, ethstack.HardwareAddr{1, 0, 0x5e, 0x7f, 1, 2}, [4]byte{}},
		{"multicast with a gateway", via(routeTo("239.1.2.3"), "10.0.0.254"), routeReady, ethstack.HardwareAddr{1, 0, 0x5e, 1, 2, 3}, [4]byte{}},
		{"ourselves", routeTo("10.0.0.1"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{10, 0, 0, 1}},
		{"0/8", routeTo("0.1.2.3"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{0, 1, 2, 3}},
		{"127/8", routeTo("127.0.0.1"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{127, 0, 0, 1}},
		{"class E", routeTo("240.0.0.1"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{240, 0, 0, 1}},
		{"multicast gateway", via(routeTo("8.8.8.8"), "224.0.0.1"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{224, 0, 0, 1}},
		{"raw packet socket", stack.RouteInfo{}, routeReady, ethstack.HardwareAddr{}, [4]byte{}},
		{"packet socket without a destination", cooked, routeInvalid, ethstack.HardwareAddr{}, [4]byte{}},
		{"IPv6 unresolved", ipv6, routeInvalid, ethstack.HardwareAddr{}, [4]byte{}},
		{"link address that is not Ethernet's", linked(cooked, "123"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{}},
	} {
		if how, to, hop := classify(&tt.r); how != tt.how || to != tt.to || hop != tt.hop {
			t.Errorf("%s: %d, %v, %v; want %d, %v, %v", tt.name, how, to, hop, tt.how, tt.to, tt.hop)
		}
	}
}
