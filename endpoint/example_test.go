package endpoint_test

import (
	"fmt"
	"io"
	"log"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// newStack makes a stack with one NIC on a device. There is nothing to
// configure but its address.
func newStack(dev ethstack.Device, addr tcpip.AddressWithPrefix) *stack.Stack {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol}, // no arp.NewProtocol
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	ep, err := endpoint.New(dev, endpoint.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.CreateNIC(1, ep); err != nil {
		log.Fatal(err)
	}
	if err := s.AddProtocolAddress(1, tcpip.ProtocolAddress{
		Protocol: ipv4.ProtocolNumber, AddressWithPrefix: addr,
	}, stack.AddressProperties{}); err != nil {
		log.Fatal(err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: addr.Subnet(), NIC: 1}})
	return s
}

// Two stacks at the ends of a cable: one says hello, the other answers.
func Example() {
	// In place of the cable, a TAP: tap.Open(tap.Options{Name: "tap0"}).
	left, right, err := ethtest.Pipe(ethtest.PortOptions{}, ethtest.PortOptions{})
	if err != nil {
		log.Fatal(err)
	}
	alice := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4([4]byte{10, 0, 0, 1}), PrefixLen: 24}
	bob := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4([4]byte{10, 0, 0, 2}), PrefixLen: 24}
	a, b := newStack(left, alice), newStack(right, bob)
	defer a.Destroy()
	defer b.Destroy()

	server := tcpip.FullAddress{NIC: 1, Addr: bob.Address, Port: 7}
	l, err := gonet.ListenTCP(b, server, ipv4.ProtocolNumber)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "hello %v, I am %v", c.RemoteAddr().String()[:8], bob.Address)
	}()

	c, err := gonet.DialTCP(a, server, ipv4.ProtocolNumber)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	answer, err := io.ReadAll(c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(answer))
	// Output: hello 10.0.0.1, I am 10.0.0.2
}
