package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/link/qdisc/fifo"
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

// NetstackOptions configure a [Netstack].
type NetstackOptions struct {
	// Name is what people are shown.
	Name string
	// Addrs are its addresses, with the subnet that is on the link.
	Addrs []netip.Prefix
	// Gateways lead to everything else, at most one for each kind of address.
	Gateways []netip.Addr
	// Companion registers [endpoint.NewProtocol].
	Companion bool
	// Proxy turns spoofing and promiscuous mode on, as proxies have it, and
	// HandleLocal off, with which promiscuous mode drops every packet.
	Proxy bool
	// FIFO puts netstack's queue of so many packets before each interface; 0
	// means that there is none.
	FIFO int
	// Clock is the time of IP and TCP; nil means real time. The endpoint's own
	// is among its options.
	Clock tcpip.Clock
	// IPv4 and IPv6 are given on; IGMP, MLD and router discovery are off by
	// default.
	IPv4     ipv4.Options
	IPv6     ipv6.Options
	Endpoint endpoint.Options
}

// A Netstack is a gVisor network stack on a device.
type Netstack struct {
	name string
	s    *stack.Stack
	eps  []*endpoint.Endpoint // of NIC 1 and so on
	fifo int
}

var _ Station = (*Netstack)(nil)

// NewNetstack makes a netstack. The device belongs to it from here on, and is
// closed also when there is an error.
func NewNetstack(dev ethstack.Device, o NetstackOptions) (*Netstack, error) {
	ep, err := endpoint.New(dev, o.Endpoint)
	if err != nil {
		dev.Close()
		return nil, err
	}
	return NewNetstackOn(ep, o)
}

// NewNetstackOn makes a netstack on an endpoint, which belongs to it from here
// on.
func NewNetstackOn(ep *endpoint.Endpoint, o NetstackOptions) (*Netstack, error) {
	protocols := []stack.NetworkProtocolFactory{ipv4.NewProtocolWithOptions(o.IPv4), ipv6.NewProtocolWithOptions(o.IPv6)}
	if o.Companion {
		protocols = append(protocols, endpoint.NewProtocol)
	}
	n := &Netstack{name: o.Name, fifo: o.FIFO, s: stack.New(stack.Options{
		NetworkProtocols: protocols,
		TransportProtocols: []stack.TransportProtocolFactory{
			tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
		},
		HandleLocal: !o.Proxy, Clock: o.Clock,
	})}
	err := n.tuneTCP()
	if err == nil {
		err = n.AddNIC(ep, o.Addrs, o.Gateways)
	}
	if err == nil && o.Proxy {
		err = n.proxy()
	}
	if err != nil {
		n.Close()
		ep.Close()
		return nil, err
	}
	return n, nil
}

// proxy makes the first interface one for all addresses.
func (n *Netstack) proxy() error {
	if err := n.s.SetSpoofing(1, true); err != nil {
		return fmt.Errorf("%s: turning spoofing on: %v", n.name, err)
	}
	if err := n.s.SetPromiscuousMode(1, true); err != nil {
		return fmt.Errorf("%s: turning promiscuous mode on: %v", n.name, err)
	}
	return nil
}

// AddNIC makes a network interface of an endpoint, with addresses and gateways
// as in the options. The first has number 1. If there is no error the endpoint
// belongs to the netstack from here on.
func (n *Netstack) AddNIC(ep *endpoint.Endpoint, addrs []netip.Prefix, gateways []netip.Addr) error {
	nic := tcpip.NICID(len(n.eps) + 1)
	var nicOptions stack.NICOptions
	if n.fifo > 0 {
		nicOptions.QDisc = fifo.New(ep, 1, n.fifo)
	}
	if err := n.s.CreateNICWithOptions(nic, ep, nicOptions); err != nil {
		return fmt.Errorf("%s: making its interface: %v", n.name, err)
	}
	n.eps = append(n.eps, ep)
	routes := n.s.GetRouteTable()
	for _, p := range addrs {
		a := tcpip.ProtocolAddress{Protocol: protocolOf(p.Addr()), AddressWithPrefix: tcpip.AddressWithPrefix{
			Address: tcpip.AddrFromSlice(p.Addr().AsSlice()), PrefixLen: p.Bits(),
		}}
		if err := n.s.AddProtocolAddress(nic, a, stack.AddressProperties{}); err != nil {
			return fmt.Errorf("%s: adding address %v: %v", n.name, p, err)
		}
		routes = append(routes, tcpip.Route{Destination: a.AddressWithPrefix.Subnet(), NIC: nic})
	}
	for _, gw := range gateways {
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
func (n *Netstack) tuneTCP() error {
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
func (n *Netstack) Close() {
	n.s.Destroy()
	for _, ep := range n.eps {
		// If its interface was removed before, nobody else has waited for it.
		ep.Close()
	}
}

// Stack returns the stack, to be configured further.
func (n *Netstack) Stack() *stack.Stack { return n.s }

// Endpoint returns the endpoint of the first interface.
func (n *Netstack) Endpoint() *endpoint.Endpoint { return n.eps[0] }

// Name returns the name that the options gave.
func (n *Netstack) Name() string { return n.name }

// HardwareAddr returns the address of the first interface.
func (n *Netstack) HardwareAddr() ethstack.HardwareAddr {
	return n.Endpoint().Interface().HardwareAddr()
}

// Ping opens a ping socket.
func (n *Netstack) Ping(to netip.Addr) (PacketConn, error) {
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

// Dial makes a TCP connection.
func (n *Netstack) Dial(ctx context.Context, to netip.AddrPort) (StreamConn, error) {
	c, err := gonet.DialContextTCP(ctx, n.s, fullAddress(to), protocolOf(to.Addr()))
	if err != nil {
		return nil, err // a nil *TCPConn must not become a StreamConn
	}
	return c, nil
}

// Listen waits for TCP connections.
func (n *Netstack) Listen(at netip.AddrPort) (net.Listener, error) {
	l, err := gonet.ListenTCP(n.s, fullAddress(at), protocolOf(at.Addr()))
	if err != nil {
		return nil, err
	}
	return l, nil
}

// DialUDP opens a connected UDP socket.
func (n *Netstack) DialUDP(to netip.AddrPort) (PacketConn, error) {
	a := fullAddress(to)
	c, err := gonet.DialUDP(n.s, nil, &a, protocolOf(to.Addr()))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// ListenUDP opens a UDP socket.
func (n *Netstack) ListenUDP(at netip.AddrPort) (net.PacketConn, error) {
	a := fullAddress(at)
	c, err := gonet.DialUDP(n.s, &a, nil, protocolOf(at.Addr()))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Neighbors returns what the first interface knows: our ARP's table for IPv4,
// and netstack's own for IPv6.
func (n *Netstack) Neighbors() ([]Neighbor, error) {
	var list []Neighbor
	for e := range n.Endpoint().Interface().Neighbors() {
		list = append(list, Neighbor{e.Addr, e.HardwareAddr, e.State.String()})
	}
	entries, err := n.s.Neighbors(1, ipv6.ProtocolNumber)
	if err != nil {
		return nil, fmt.Errorf("%s: listing IPv6 neighbors: %v", n.name, err)
	}
	for _, e := range entries {
		a, _ := netip.AddrFromSlice(e.Addr.AsSlice())
		var hw ethstack.HardwareAddr
		copy(hw[:], e.LinkAddr)
		list = append(list, Neighbor{a, hw, strings.ToLower(e.State.String())})
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
