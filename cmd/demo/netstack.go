package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
)

// nic is the number of a netstack's only interface.
const nic = 1

// netstackOptions configure a netstack.
type netstackOptions struct {
	// name is what people are shown.
	name string
	// addrs are its addresses, with the subnet that is on the link.
	addrs []netip.Prefix
	// gateways lead to everything else, at most one for each kind of address.
	gateways []netip.Addr
	endpoint endpoint.Options
}

// A netstack is a gVisor network stack on a device.
type netstack struct {
	name string
	s    *stack.Stack
	ep   *endpoint.Endpoint
}

var _ station = (*netstack)(nil)

// newNetstack makes a netstack. The device belongs to it from here on, and is
// closed also when there is an error.
func newNetstack(dev ethstack.Device, o netstackOptions) (*netstack, error) {
	ep, err := endpoint.New(dev, o.endpoint)
	if err != nil {
		dev.Close()
		return nil, err
	}
	n := &netstack{name: o.name, ep: ep, s: stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{
			tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
		},
		HandleLocal: true,
	})}
	if err := n.configure(o); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

func (n *netstack) configure(o netstackOptions) error {
	if err := n.tuneTCP(); err != nil {
		return err
	}
	if err := n.s.CreateNIC(nic, n.ep); err != nil {
		return fmt.Errorf("%s: making its interface: %v", n.name, err)
	}
	var routes []tcpip.Route
	for _, p := range o.addrs {
		a := tcpip.ProtocolAddress{Protocol: protocolOf(p.Addr()), AddressWithPrefix: tcpip.AddressWithPrefix{
			Address: tcpip.AddrFromSlice(p.Addr().AsSlice()), PrefixLen: p.Bits(),
		}}
		if err := n.s.AddProtocolAddress(nic, a, stack.AddressProperties{}); err != nil {
			return fmt.Errorf("%s: adding address %v: %v", n.name, p, err)
		}
		routes = append(routes, tcpip.Route{Destination: a.AddressWithPrefix.Subnet(), NIC: nic})
	}
	for _, gw := range o.gateways {
		all := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		if gw.Is4() {
			all = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		}
		subnet := tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(all.Addr().AsSlice())}.Subnet()
		routes = append(routes, tcpip.Route{Destination: subnet, Gateway: tcpip.AddrFromSlice(gw.AsSlice()), NIC: nic})
	}
	n.s.SetRouteTable(routes)
	return nil
}

// tuneTCP gives TCP the buffers that a fast link needs; netstack's defaults are
// for slow ones.
func (n *netstack) tuneTCP() error {
	const least, usual, most = 4 << 10, 4 << 20, 8 << 20
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: least, Default: usual, Max: most}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: least, Default: usual, Max: most}
	sack, moderate := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true)
	for _, o := range []tcpip.SettableTransportProtocolOption{&receive, &send, &sack, &moderate} {
		if err := n.s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("%s: setting %T: %v", n.name, o, err)
		}
	}
	return nil
}

// Close ends all connections, and waits until nothing of the netstack runs.
func (n *netstack) Close() {
	n.s.Destroy()
	// Where there is no interface yet, nobody else has done it.
	n.ep.Close()
}

func (n *netstack) Name() string { return n.name }

func (n *netstack) HardwareAddr() ethstack.HardwareAddr { return n.ep.Interface().HardwareAddr() }

func (n *netstack) Ping(to netip.Addr) (packetConn, error) {
	protocol := tcpip.TransportProtocolNumber(icmp.ProtocolNumber4)
	if to.Is6() {
		protocol = icmp.ProtocolNumber6
	}
	var wq waiter.Queue
	ep, err := n.s.NewEndpoint(protocol, protocolOf(to), &wq)
	if err != nil {
		return nil, errors.New(err.String())
	}
	if err := ep.Connect(fullAddress(netip.AddrPortFrom(to, 0))); err != nil {
		ep.Close()
		return nil, errors.New(err.String())
	}
	// A ping socket is like a UDP socket.
	return gonet.NewUDPConn(&wq, ep), nil
}

func (n *netstack) Dial(ctx context.Context, to netip.AddrPort) (streamConn, error) {
	c, err := gonet.DialContextTCP(ctx, n.s, fullAddress(to), protocolOf(to.Addr()))
	if err != nil {
		return nil, err // a nil *TCPConn must not become a streamConn
	}
	return c, nil
}

func (n *netstack) Listen(at netip.AddrPort) (net.Listener, error) {
	l, err := gonet.ListenTCP(n.s, fullAddress(at), protocolOf(at.Addr()))
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (n *netstack) DialUDP(to netip.AddrPort) (packetConn, error) {
	a := fullAddress(to)
	c, err := gonet.DialUDP(n.s, nil, &a, protocolOf(to.Addr()))
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (n *netstack) ListenUDP(at netip.AddrPort) (net.PacketConn, error) {
	a := fullAddress(at)
	c, err := gonet.DialUDP(n.s, &a, nil, protocolOf(at.Addr()))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Neighbors returns our ARP's table for IPv4, and netstack's own for IPv6.
func (n *netstack) Neighbors() ([]neighbor, error) {
	var list []neighbor
	for e := range n.ep.Interface().Neighbors() {
		list = append(list, neighbor{e.Addr, e.HardwareAddr, e.State.String()})
	}
	entries, err := n.s.Neighbors(nic, ipv6.ProtocolNumber)
	if err != nil {
		return nil, fmt.Errorf("%s: listing IPv6 neighbors: %v", n.name, err)
	}
	for _, e := range entries {
		a, _ := netip.AddrFromSlice(e.Addr.AsSlice())
		var hw ethstack.HardwareAddr
		copy(hw[:], e.LinkAddr)
		list = append(list, neighbor{a, hw, strings.ToLower(e.State.String())})
	}
	sortNeighbors(list)
	return list, nil
}

// protocolOf returns netstack's number for the kind of an address.
func protocolOf(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// fullAddress converts an address; an unspecified one means any.
func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	f := tcpip.FullAddress{Port: a.Port()}
	if !a.Addr().IsUnspecified() {
		f.Addr = tcpip.AddrFromSlice(a.Addr().AsSlice())
	}
	return f
}
