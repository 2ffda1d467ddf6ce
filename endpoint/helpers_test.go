package endpoint_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// A host is a netstack on a segment. Number n of a network has the addresses
// 10.0.net.n and fd00:net::n.
type host struct {
	t     testing.TB
	net   byte
	n     byte
	stack *stack.Stack
	ep    *endpoint.Endpoint
	port  *ethtest.Port
}

const (
	nicID = 1
	// portID is the NIC that is a bridge's port.
	portID = 9
)

type hostOptions struct {
	net byte
	// device is what the host is on in place of a port.
	device ethstack.Device

	port     ethtest.PortOptions
	endpoint endpoint.Options
	stack    stack.Options
	nic      stack.NICOptions
	// wrap puts something around the endpoint.
	wrap func(stack.LinkEndpoint) stack.LinkEndpoint
	// qdisc makes a queue before the endpoint.
	qdisc func(stack.LinkWriter) stack.QueueingDiscipline
	// bridge makes the endpoint the port of a bridge, which is the NIC then.
	bridge bool
	// more are network protocols besides IP.
	more []stack.NetworkProtocolFactory
}

func newSegment(t testing.TB, o ethtest.SegmentOptions) *ethtest.Segment {
	t.Helper()
	nstest.CheckLeaks(t)
	s, err := ethtest.NewSegment(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newHost(t testing.TB, s *ethtest.Segment, n byte, o hostOptions) *host {
	t.Helper()
	h := newBareHost(t, s, n, o)
	for _, p := range protocols {
		a := tcpip.ProtocolAddress{Protocol: p.number, AddressWithPrefix: h.prefix(p.number)}
		if err := h.stack.AddProtocolAddress(nicID, a, stack.AddressProperties{}); err != nil {
			t.Fatal(err)
		}
	}
	h.stack.SetRouteTable([]tcpip.Route{
		{Destination: h.prefix(ipv4.ProtocolNumber).Subnet(), NIC: nicID},
		{Destination: h.prefix(ipv6.ProtocolNumber).Subnet(), NIC: nicID},
		{Destination: header.IPv4EmptySubnet, Gateway: h.neighbor(1).addr4(), NIC: nicID},
		{Destination: header.IPv6EmptySubnet, Gateway: h.neighbor(1).addr6(), NIC: nicID},
	})
	return h
}

// newBareHost makes a host without addresses and routes.
func newBareHost(t testing.TB, s *ethtest.Segment, n byte, o hostOptions) *host {
	t.Helper()
	h := &host{t: t, net: o.net, n: n}
	if o.device == nil {
		h.port = newPort(t, s, n, o.port)
		o.device = h.port
	}
	var err error
	if h.ep, err = endpoint.New(o.device, o.endpoint); err != nil {
		t.Fatal(err)
	}
	if o.stack.NetworkProtocols == nil {
		o.stack.NetworkProtocols = append(o.more, ipv4.NewProtocol, ipv6.NewProtocol)
	}
	o.stack.TransportProtocols = []stack.TransportProtocolFactory{
		tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
	}
	o.stack.RawFactory = rawFactory{}
	o.stack.AllowPacketEndpointWrite = true
	h.stack = stack.New(o.stack)
	t.Cleanup(h.destroy)
	var link stack.LinkEndpoint = h.ep
	if o.wrap != nil {
		link = o.wrap(h.ep)
	}
	if o.qdisc != nil {
		o.nic.QDisc = o.qdisc(link)
	}
	id := tcpip.NICID(nicID)
	if o.bridge {
		id = portID
	}
	if err := h.stack.CreateNICWithOptions(id, link, o.nic); err != nil {
		t.Fatal(err)
	}
	if o.bridge {
		h.addBridge(o.nic)
	}
	return h
}

// newPort makes a port with what a host needs.
func newPort(t testing.TB, s *ethtest.Segment, n byte, o ethtest.PortOptions) *ethtest.Port {
	t.Helper()
	if o.HardwareAddr.IsZero() {
		o.HardwareAddr = ethstack.HardwareAddr{2, 0, 0, 0, 0, n}
	}
	if o.QueueLen == 0 {
		// More than TCP has under way: netstack takes a retransmission timeout
		// for each segment of a burst that was lost.
		o.QueueLen = 1 << 14
	}
	port, err := s.NewPort(o)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// addBridge makes a bridge with the host's NIC as its only port.
func (h *host) addBridge(o stack.NICOptions) {
	h.t.Helper()
	if err := h.stack.CreateNICWithOptions(nicID, stack.NewBridgeEndpoint(1514), o); err != nil {
		h.t.Fatal(err)
	}
	if err := h.stack.SetNICCoordinator(portID, nicID); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) destroy() {
	h.stack.Destroy()
	h.ep.Close()
}

func (h *host) addr4() tcpip.Address { return tcpip.AddrFrom4([4]byte{10, 0, h.net, h.n}) }

func (h *host) addr6() tcpip.Address { return tcpip.AddrFrom16([16]byte{0: 0xfd, 3: h.net, 15: h.n}) }

// neighbor returns who has number n in the same network, as far as its addresses
// go.
func (h *host) neighbor(n byte) *host { return &host{net: h.net, n: n} }

func (h *host) ip4() netip.Addr { return netip.AddrFrom4(h.addr4().As4()) }

// addr returns the host's address of a network protocol, with a port.
func (h *host) addr(proto tcpip.NetworkProtocolNumber, port uint16) tcpip.FullAddress {
	a := h.addr4()
	if proto == ipv6.ProtocolNumber {
		a = h.addr6()
	}
	return tcpip.FullAddress{NIC: nicID, Addr: a, Port: port}
}

// prefix returns the host's address with the length of its network's prefix.
func (h *host) prefix(proto tcpip.NetworkProtocolNumber) tcpip.AddressWithPrefix {
	if proto == ipv6.ProtocolNumber {
		return tcpip.AddressWithPrefix{Address: h.addr6(), PrefixLen: 64}
	}
	return tcpip.AddressWithPrefix{Address: h.addr4(), PrefixLen: 24}
}

func subnet(a tcpip.Address, prefix int) tcpip.Subnet {
	return tcpip.AddressWithPrefix{Address: a, PrefixLen: prefix}.Subnet()
}

// within ends the test if f does not return in time.
func within(t testing.TB, what string, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		panic(fmt.Sprintf("%s: %s did not return within %v", t.Name(), what, limit))
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", patience, what)
		}
	}
}
