package endpoint_test

import (
	"errors"
	"fmt"
	"io"
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
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// A host is a netstack on a segment. Number n has the addresses 10.0.0.n and
// fd00::n.
type host struct {
	t     testing.TB
	n     byte
	stack *stack.Stack
	ep    *endpoint.Endpoint
	port  *ethtest.Port
}

const nicID = 1

type hostOptions struct {
	port     ethtest.PortOptions
	endpoint endpoint.Options
	stack    stack.Options
	nic      stack.NICOptions
	// wrap puts something around the endpoint.
	wrap func(stack.LinkEndpoint) stack.LinkEndpoint
	// qdisc makes a queue before the endpoint.
	qdisc func(stack.LinkWriter) stack.QueueingDiscipline
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
	for _, a := range []tcpip.ProtocolAddress{
		{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: h.addr4().WithPrefix()},
		{Protocol: ipv6.ProtocolNumber, AddressWithPrefix: h.addr6().WithPrefix()},
	} {
		a.AddressWithPrefix.PrefixLen = 24
		if a.Protocol == ipv6.ProtocolNumber {
			a.AddressWithPrefix.PrefixLen = 64
		}
		if err := h.stack.AddProtocolAddress(nicID, a, stack.AddressProperties{}); err != nil {
			t.Fatal(err)
		}
	}
	h.stack.SetRouteTable([]tcpip.Route{
		{Destination: subnet(tcpip.AddrFrom4([4]byte{10, 0, 0, 0}), 24), NIC: nicID},
		{Destination: header.IPv4EmptySubnet, Gateway: tcpip.AddrFrom4([4]byte{10, 0, 0, 1}), NIC: nicID},
		{Destination: header.IPv6EmptySubnet, NIC: nicID},
	})
	return h
}

// newBareHost makes a host without addresses and routes.
func newBareHost(t testing.TB, s *ethtest.Segment, n byte, o hostOptions) *host {
	t.Helper()
	if o.port.HardwareAddr.IsZero() {
		o.port.HardwareAddr = ethstack.HardwareAddr{2, 0, 0, 0, 0, n}
	}
	if o.port.QueueLen == 0 {
		// More than TCP has under way: netstack takes a retransmission timeout
		// for each segment of a burst that was lost.
		o.port.QueueLen = 1 << 14
	}
	port, err := s.NewPort(o.port)
	if err != nil {
		t.Fatal(err)
	}
	ep, err := endpoint.New(port, o.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if o.stack.NetworkProtocols == nil {
		o.stack.NetworkProtocols = []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol}
	}
	o.stack.TransportProtocols = []stack.TransportProtocolFactory{
		tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
	}
	o.stack.RawFactory = rawFactory{}
	o.stack.AllowPacketEndpointWrite = true
	h := &host{t: t, n: n, stack: stack.New(o.stack), ep: ep, port: port}
	t.Cleanup(h.destroy)
	var link stack.LinkEndpoint = ep
	if o.wrap != nil {
		link = o.wrap(ep)
	}
	if o.qdisc != nil {
		o.nic.QDisc = o.qdisc(link)
	}
	if err := h.stack.CreateNICWithOptions(nicID, link, o.nic); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *host) destroy() {
	h.stack.Destroy()
	h.ep.Close()
}

func (h *host) addr4() tcpip.Address { return tcpip.AddrFrom4([4]byte{10, 0, 0, h.n}) }

func (h *host) addr6() tcpip.Address { return tcpip.AddrFrom16([16]byte{0: 0xfd, 15: h.n}) }

func (h *host) ip4() netip.Addr { return netip.AddrFrom4(h.addr4().As4()) }

// addr returns the host's address of a network protocol, with a port.
func (h *host) addr(proto tcpip.NetworkProtocolNumber, port uint16) tcpip.FullAddress {
	a := h.addr4()
	if proto == ipv6.ProtocolNumber {
		a = h.addr6()
	}
	return tcpip.FullAddress{NIC: nicID, Addr: a, Port: port}
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

// ping sends an echo request with so many bytes from a socket of h and waits
// for the reply.
func (h *host) ping(proto tcpip.NetworkProtocolNumber, to tcpip.Address, size int) error {
	var wq waiter.Queue
	transport, request := header.ICMPv4ProtocolNumber, byte(header.ICMPv4Echo)
	if proto == ipv6.ProtocolNumber {
		transport, request = header.ICMPv6ProtocolNumber, byte(header.ICMPv6EchoRequest)
	}
	ep, err := h.stack.NewEndpoint(transport, proto, &wq)
	if err != nil {
		return errors.New(err.String())
	}
	defer ep.Close()
	we, ready := waiter.NewChannelEntry(waiter.ReadableEvents)
	wq.EventRegister(&we)
	defer wq.EventUnregister(&we)
	payload := make([]byte, 8+size)
	payload[0] = request
	payload[7] = 1
	for i := range size {
		payload[8+i] = byte(i)
	}
	if _, err := ep.Write(newPayload(payload), tcpip.WriteOptions{To: &tcpip.FullAddress{NIC: nicID, Addr: to}}); err != nil {
		return errors.New(err.String())
	}
	select {
	case <-ready:
	case <-time.After(patience):
		return fmt.Errorf("no reply from %v", to)
	}
	var got sliceWriter
	if _, err := ep.Read(&got, tcpip.ReadOptions{}); err != nil {
		return errors.New(err.String())
	}
	if len(got) != len(payload) || string(got[8:]) != string(payload[8:]) {
		return fmt.Errorf("reply of %d bytes differs from the request of %d", len(got), len(payload))
	}
	return nil
}

func (h *host) mustPing(proto tcpip.NetworkProtocolNumber, to tcpip.Address, size int) {
	h.t.Helper()
	if err := h.ping(proto, to, size); err != nil {
		h.t.Fatalf("ping of %v with %d bytes: %v", to, size, err)
	}
}

type sliceWriter []byte

func (w *sliceWriter) Write(b []byte) (int, error) {
	*w = append(*w, b...)
	return len(b), nil
}

// A payload is what a netstack socket is given to write.
type payload struct {
	b  []byte
	at int
}

func newPayload(b []byte) *payload { return &payload{b: b} }

func (p *payload) Len() int { return len(p.b) - p.at }

func (p *payload) Read(b []byte) (int, error) {
	if p.Len() == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.b[p.at:])
	p.at += n
	return n, nil
}
