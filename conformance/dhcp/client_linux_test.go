package dhcp

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// newStack makes a netstack on a device, with NIC 1, no address, and packet
// sockets.
func newStack(t *testing.T, dev ethstack.Device) (*stack.Stack, *endpoint.Endpoint) {
	t.Helper()
	s := stack.New(stack.Options{
		NetworkProtocols:         []stack.NetworkProtocolFactory{ipv4.NewProtocol, endpoint.NewProtocol},
		TransportProtocols:       []stack.TransportProtocolFactory{icmp.NewProtocol4},
		RawFactory:               raw.EndpointFactory{},
		AllowPacketEndpointWrite: true,
	})
	ep, err := endpoint.New(dev, endpoint.Options{})
	wiretest.Check(t, err)
	t.Cleanup(func() {
		s.Destroy()
		ep.Close()
	})
	if err := s.CreateNICWithOptions(1, ep, stack.NICOptions{DeliverLinkPackets: true}); err != nil {
		t.Fatal(err)
	}
	return s, ep
}

// isFree asks whether another host has an address, in less time than RFC 5227 §1.1
// wants, as one may where it is known how fast the network is.
func isFree(t *testing.T, s *stack.Stack, a netip.Addr) bool {
	t.Helper()
	nep, err := s.GetNetworkEndpoint(1, header.ARPProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	c := stack.DADConfigurations{DupAddrDetectTransmits: 3, RetransmitTimer: 100 * time.Millisecond}
	nep.(stack.DuplicateAddressDetector).SetDADConfigurations(c)
	result := make(chan stack.DADResult, 1)
	d, err := s.CheckDuplicateAddress(1, ipv4.ProtocolNumber, tcpipAddr(a), func(r stack.DADResult) { result <- r })
	if d != stack.DADStarting || err != nil {
		t.Fatalf("asking who has %v: %v, %v", a, d, err)
	}
	switch r := (<-result).(type) {
	case *stack.DADSucceeded:
		return true
	case *stack.DADDupAddrDetected:
		return false
	default:
		t.Fatalf("asking who has %v: %T", a, r)
		panic("unreachable")
	}
}

// lease gets an address, and asks who has it.
func lease(t *testing.T, s *stack.Stack, c *nclient4.Client) (l *nclient4.Lease, a netip.Addr, free bool) {
	t.Helper()
	l, err := c.Request(t.Context())
	wiretest.Check(t, err)
	a, _ = netip.AddrFromSlice(l.ACK.YourIPAddr.To4())
	return l, a, isFree(t, s, a)
}

// TestClient: a client on netstack, without an address and with a packet socket,
// gets one from dnsmasq. Before it uses that, it asks who has it: somebody has,
// so it declines, and uses the next.
func TestClient(t *testing.T) {
	dnsmasq := nstest.NeedProgram(t, "dnsmasq", "dnsmasq-base")
	dev, ns := newTAP(t, serverAddr)
	s, ep := newStack(t, dev)
	dir := t.TempDir()
	server := nstest.Start(t, ns, dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--log-facility=-", "--log-dhcp",
		"--user=root", "--group=root", "--interface="+host, "--bind-interfaces", "--no-ping", "--dhcp-authoritative",
		"--dhcp-range="+takenAddr.String()+","+freeAddr.String()+",1h",
		"--dhcp-leasefile="+filepath.Join(dir, "leases"), "--pid-file="+filepath.Join(dir, "pid"))
	wiretest.WaitFor(t, "dnsmasq serves", func() bool { return strings.Contains(server.Output(), "IP range") })
	hw := ep.Interface().HardwareAddr()
	client, conn := newClient(t, s, hw[:])

	first, taken, free := lease(t, s, client)
	if !free {
		t.Fatalf("%v is in use before anybody has it", taken)
	}
	// RFC 2131 §4.4.1: the client should probe the address; somebody has it now.
	wiretest.Check(t, ns.Do(func() error { return netns.AddAddr(host, onLink(taken)) }))
	if isFree(t, s, taken) {
		t.Fatalf("%v is not found to be in use", taken)
	}
	decline(t, conn, first)
	wiretest.WaitFor(t, "the server is told", func() bool { return strings.Contains(server.Output(), "DHCPDECLINE") })

	second, a, free := lease(t, s, client)
	if !free || a == taken {
		t.Fatalf("after %v was declined the client gets %v, which is free: %v", taken, a, free)
	}
	if got := second.ACK.IPAddressLeaseTime(0); got != time.Hour {
		t.Errorf("the lease is for %v, want %v", got, time.Hour)
	}
	ones, _ := second.ACK.SubnetMask().Size()
	address := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpipAddr(a), PrefixLen: ones}}
	if err := s.AddProtocolAddress(1, address, stack.AddressProperties{}); err != nil {
		t.Fatal(err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: address.AddressWithPrefix.Subnet(), NIC: 1}})
	kernel, err := lab.NewKernelIn(ns, host, nil)
	wiretest.Check(t, err)
	if _, err := lab.Ping(t.Context(), kernel, a, lab.PingSize); err != nil {
		t.Errorf("ping of the address that was leased: %v", err)
	}
}

// decline tells the server that an address is in use.
//
// RFC 2131 §4.4.4 and table 5: it is broadcast, and names address and server.
func decline(t *testing.T, c net.PacketConn, l *nclient4.Lease) {
	t.Helper()
	m, err := dhcpv4.New(
		dhcpv4.WithMessageType(dhcpv4.MessageTypeDecline),
		dhcpv4.WithHwAddr(l.ACK.ClientHWAddr),
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(l.ACK.YourIPAddr)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(l.ACK.ServerIdentifier())))
	wiretest.Check(t, err)
	_, err = c.WriteTo(m.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpv4.ServerPort})
	wiretest.Check(t, err)
}
