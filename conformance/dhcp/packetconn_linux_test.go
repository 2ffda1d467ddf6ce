package dhcp

import (
	"bytes"
	"errors"
	"net"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/internal/wiretest"
)

// A packetConn is a packet socket of netstack's, on NIC 1: it sends IPv4 packets
// as they are, to everybody, from a NIC that needs no address for that.
type packetConn struct {
	*gonet.UDPConn // which a packet socket is like when it is read
	ep             tcpip.Endpoint
}

func (c packetConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	n, err := c.ep.Write(bytes.NewReader(b), tcpip.WriteOptions{To: &tcpip.FullAddress{
		NIC: 1, Port: uint16(header.IPv4ProtocolNumber), LinkAddr: header.EthernetBroadcastAddress,
	}})
	if err != nil {
		return int(n), errors.New(err.String())
	}
	return int(n), nil
}

// newClient makes a DHCP client on a packet socket of NIC 1, and returns what it
// sends by, too.
func newClient(t *testing.T, s *stack.Stack, hw net.HardwareAddr) (*nclient4.Client, net.PacketConn) {
	t.Helper()
	var wq waiter.Queue
	ep, err := s.NewPacketEndpoint(true, header.IPv4ProtocolNumber, &wq)
	if err != nil {
		t.Fatal(err)
	}
	if err := ep.Bind(tcpip.FullAddress{NIC: 1, Port: uint16(header.IPv4ProtocolNumber)}); err != nil {
		t.Fatal(err)
	}
	raw := packetConn{gonet.NewUDPConn(&wq, ep), ep}
	conn := nclient4.NewBroadcastUDPConn(raw, &net.UDPAddr{Port: dhcpv4.ClientPort})
	client, failed := nclient4.NewWithConn(conn, hw)
	wiretest.Check(t, failed)
	t.Cleanup(func() { client.Close() })
	return client, conn
}
