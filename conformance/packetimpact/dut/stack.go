package dut

import (
	"errors"
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// TestNIC is the number of the interface that the suite tests, and so the zone
// of its link-local addresses.
const TestNIC tcpip.NICID = 2

const loopbackNIC tcpip.NICID = 1

// StackOptions say what the stack of a device under test is on.
type StackOptions struct {
	// Endpoint is the link endpoint of the interface that the suite tests.
	Endpoint stack.LinkEndpoint
	// ARP is the network protocol that belongs to the endpoint: gVisor's
	// arp.NewProtocol, or the companion of ethlink's.
	ARP stack.NetworkProtocolFactory
	// Name is the interface's, for SO_BINDTODEVICE.
	Name string
	// IPv4 and IPv6 are its addresses.
	IPv4, IPv6 netip.Prefix
}

// NewStack makes a stack like that of a container under runsc, with a loopback
// interface and the one that is tested. There are routes to their subnets only:
// the suite expects that nothing else can be reached.
func NewStack(o StackOptions) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, o.ARP},
		TransportProtocols: []stack.TransportProtocolFactory{
			tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
		},
		HandleLocal: true,
	})
	err := errors.Join(
		tune(s),
		addNIC(s, loopbackNIC, "lo", loopback.New(), netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128")),
		addNIC(s, TestNIC, o.Name, o.Endpoint, o.IPv4, o.IPv6),
	)
	if err != nil {
		s.Destroy()
		return nil, err
	}
	return s, nil
}

// tune sets what runsc sets, where netstack's default is another.
func tune(s *stack.Stack) error {
	sack, moderate, ttl := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true), tcpip.DefaultTTLOption(64)
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("dut: setting %T: %v", o, err)
		}
	}
	for _, p := range []tcpip.NetworkProtocolNumber{ipv4.ProtocolNumber, ipv6.ProtocolNumber} {
		if err := s.SetNetworkProtocolOption(p, &ttl); err != nil {
			return fmt.Errorf("dut: setting the TTL to %d: %v", ttl, err)
		}
	}
	return nil
}

// addNIC makes an interface with addresses and the routes to their subnets.
func addNIC(s *stack.Stack, id tcpip.NICID, name string, ep stack.LinkEndpoint, addrs ...netip.Prefix) error {
	if err := s.CreateNICWithOptions(id, ep, stack.NICOptions{Name: name}); err != nil {
		return fmt.Errorf("dut: making interface %q: %v", name, err)
	}
	for _, p := range addrs {
		a := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddressWithPrefix{
			Address: tcpip.AddrFromSlice(p.Addr().AsSlice()), PrefixLen: p.Bits(),
		}}
		if p.Addr().Is6() {
			a.Protocol = ipv6.ProtocolNumber
		}
		if err := s.AddProtocolAddress(id, a, stack.AddressProperties{}); err != nil {
			return fmt.Errorf("dut: giving interface %q the address %v: %v", name, p, err)
		}
		s.AddRoute(tcpip.Route{Destination: a.AddressWithPrefix.Subnet(), NIC: id})
	}
	return nil
}
