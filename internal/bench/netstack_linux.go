package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// nic is the number of the only interface.
const nic = 1

// A netstack is gVisor's network stack on a link endpoint, with all that is the
// same whatever that endpoint is.
type netstack struct{ s *stack.Stack }

var _ station = netstack{}

func openNetstack(l link, expert bool) (netstack, error) {
	protocols := []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol}
	if l.needsARP {
		protocols = append(protocols, arp.NewProtocol)
	}
	n := netstack{stack.New(stack.Options{
		NetworkProtocols:   protocols,
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})}
	if err := n.tune(expert); err != nil {
		return n, err
	}
	if err := n.s.CreateNICWithOptions(nic, l.endpoint, stack.NICOptions{QDisc: l.queue}); err != nil {
		return n, fmt.Errorf("making the NIC: %v", err)
	}
	var routes []tcpip.Route
	for _, p := range []netip.Prefix{subjectIPv4, subjectIPv6} {
		a := tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(p.Addr().AsSlice()), PrefixLen: p.Bits()}
		pa := tcpip.ProtocolAddress{Protocol: protocolOf(p.Addr()), AddressWithPrefix: a}
		if err := n.s.AddProtocolAddress(nic, pa, stack.AddressProperties{}); err != nil {
			return n, fmt.Errorf("adding address %v: %v", p, err)
		}
		routes = append(routes, tcpip.Route{Destination: a.Subnet(), NIC: nic})
	}
	n.s.SetRouteTable(routes)
	return n, nil
}

// tune gives sockets the buffers that the kernel's have. Congestion control is
// left at netstack's default, with which it is at its best.
func (n netstack) tune(expert bool) error {
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: minBuffer, Default: defaultBuffer, Max: maxBuffer}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: minBuffer, Default: defaultBuffer, Max: maxBuffer}
	sack, moderate := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true)
	options := []tcpip.SettableTransportProtocolOption{&receive, &send, &sack, &moderate}
	if expert {
		// RACK looks at all that is on its way for each acknowledgment.
		none := tcpip.TCPRecovery(0)
		options = append(options, &none)
	}
	for _, o := range options {
		if err := n.s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("setting %T: %v", o, err)
		}
	}
	for _, o := range []any{
		tcpip.ReceiveBufferSizeOption{Min: minBuffer, Default: defaultBuffer, Max: maxBuffer},
		tcpip.SendBufferSizeOption{Min: minBuffer, Default: defaultBuffer, Max: maxBuffer},
	} {
		if err := n.s.SetOption(o); err != nil {
			return fmt.Errorf("setting %T: %v", o, err)
		}
	}
	return nil
}

func (n netstack) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	c, err := gonet.DialContextTCP(ctx, n.s, fullAddress(to), protocolOf(to.Addr()))
	if err != nil {
		return nil, err // a nil *TCPConn must not become a net.Conn
	}
	return c, nil
}

func (n netstack) listen(at netip.AddrPort) (net.Listener, error) {
	l, err := gonet.ListenTCP(n.s, fullAddress(at), protocolOf(at.Addr()))
	if err != nil {
		return nil, err
	}
	return shutListener{l}, nil
}

// A shutListener's Close ends Accept, as package net promises.
type shutListener struct{ *gonet.TCPListener }

func (l shutListener) Close() error {
	l.Shutdown()
	return l.TCPListener.Close()
}

func (n netstack) dialUDP(to netip.AddrPort) (net.Conn, error) {
	a := fullAddress(to)
	c, err := gonet.DialUDP(n.s, nil, &a, protocolOf(to.Addr()))
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (n netstack) listenUDP(at netip.AddrPort) (net.PacketConn, error) {
	a := fullAddress(at)
	c, err := gonet.DialUDP(n.s, &a, nil, protocolOf(at.Addr()))
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (n netstack) sendTo(to netip.AddrPort) (datagrams, error) {
	e, err := n.newUDP(to.Addr())
	if err != nil {
		return nil, err
	}
	if err := e.ep.Connect(fullAddress(to)); err != nil {
		return nil, fmt.Errorf("connecting to %v: %v", to, err)
	}
	return e, nil
}

func (n netstack) receiveAt(at netip.AddrPort) (datagrams, error) {
	e, err := n.newUDP(at.Addr())
	if err != nil {
		return nil, err
	}
	if err := e.ep.Bind(fullAddress(at)); err != nil {
		return nil, fmt.Errorf("binding to %v: %v", at, err)
	}
	return e, nil
}

func (n netstack) newUDP(a netip.Addr) (*endpointUDP, error) {
	e := &endpointUDP{closed: make(chan struct{})}
	var err tcpip.Error
	if e.ep, err = n.s.NewEndpoint(udp.ProtocolNumber, protocolOf(a), &e.wq); err != nil {
		return nil, fmt.Errorf("making a UDP endpoint: %v", err)
	}
	e.entry, e.ready = waiter.NewChannelEntry(waiter.ReadableEvents)
	e.wq.EventRegister(&e.entry)
	return e, nil
}

// endpointUDP is netstack's own UDP socket: package gonet would take more time
// than the rest.
type endpointUDP struct {
	ep     tcpip.Endpoint
	wq     waiter.Queue
	entry  waiter.Entry
	ready  chan struct{}
	closed chan struct{}
	reader bytes.Reader
	buffer bytes.Buffer
}

func (e *endpointUDP) send(batch [][]byte) {
	for _, b := range batch {
		e.reader.Reset(b)
		e.ep.Write(&e.reader, tcpip.WriteOptions{})
	}
}

func (e *endpointUDP) receive(each func([]byte)) error {
	for {
		e.buffer.Reset()
		_, err := e.ep.Read(&e.buffer, tcpip.ReadOptions{})
		switch err.(type) {
		case nil:
			each(e.buffer.Bytes())
			return nil
		case *tcpip.ErrWouldBlock:
		default:
			return fmt.Errorf("reading: %v", err)
		}
		select {
		case <-e.ready:
		case <-e.closed:
			return net.ErrClosed
		}
	}
}

func (e *endpointUDP) port() uint16 {
	a, _ := e.ep.GetLocalAddress()
	return a.Port
}

func (e *endpointUDP) Close() error {
	close(e.closed)
	e.ep.Close()
	return nil
}

// protocolOf returns netstack's number for the kind of an address.
func protocolOf(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// fullAddress converts an address.
func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{Addr: tcpip.AddrFromSlice(a.Addr().AsSlice()), Port: a.Port()}
}
