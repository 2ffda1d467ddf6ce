package endpoint_test

import (
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

var withCompanion = hostOptions{stack: stack.Options{
	NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, endpoint.NewProtocol},
}}

func (h *host) addAddress(a netip.Prefix) {
	h.t.Helper()
	err := h.stack.AddProtocolAddress(nicID, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(a.Addr().As4()), PrefixLen: a.Bits()},
	}, stack.AddressProperties{})
	if err != nil {
		h.t.Fatal(err)
	}
}

// TestWhoIsOnLink is R57: the NIC's subnets tell who is learned for having asked;
// all of them with the companion, and without one the primary address's. A NIC
// whose address is alone in its subnet tells nothing.
func TestWhoIsOnLink(t *testing.T) {
	for _, tt := range []struct {
		name  string
		o     hostOptions
		bits  int
		asker string
		want  bool
	}{
		{"in the subnet", hostOptions{}, 24, "10.0.0.77", true},
		{"in none", hostOptions{}, 24, "192.0.2.77", false},
		{"in the second one", hostOptions{}, 24, "10.7.0.77", false},
		{"in the second one, with the companion", withCompanion, 24, "10.7.0.77", true},
		{"in none, with the companion", withCompanion, 24, "192.0.2.77", false},
		{"no subnet", hostOptions{}, 32, "192.0.2.77", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSegment(t, ethtest.SegmentOptions{})
			h := newBareHost(t, s, 2, tt.o)
			h.addAddress(netip.PrefixFrom(h.ip4(), tt.bits))
			if tt.bits < 32 {
				h.addAddress(netip.MustParsePrefix("10.7.0.2/24"))
			}
			asker, err := s.NewPort(ethtest.PortOptions{HardwareAddr: ethstack.HardwareAddr{2, 0, 0, 0, 0, 77}})
			if err != nil {
				t.Fatal(err)
			}
			defer asker.Close()
			addr := netip.MustParseAddr(tt.asker)
			frame := make([]byte, ethstack.HeaderLen+arp.PacketLen)
			ethstack.Header{Destination: arp.Broadcast, Source: asker.Info().HardwareAddr, EtherType: ethstack.EtherTypeARP}.
				Put((*[ethstack.HeaderLen]byte)(frame))
			arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: asker.Info().HardwareAddr, SenderAddr: addr, TargetAddr: h.ip4()}.
				Put((*[arp.PacketLen]byte)(frame[ethstack.HeaderLen:]))
			if _, err := asker.Write(0, []ethstack.Frame{{Bufs: [][]byte{frame}}}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is answered", func() bool { return h.ep.Interface().Stats().ARPReplies == 1 })
			if _, known := h.ep.Interface().Neighbor(addr); known != tt.want {
				t.Errorf("%v is a neighbor: %v, want %v", addr, known, tt.want)
			}
		})
	}
}

// TestRequestSource is R60 (Linux, arp_announce): a request carries an address in
// the target's subnet if there is one, whatever the packet's source is.
func TestRequestSource(t *testing.T) {
	var log arpLog
	s := newSegment(t, ethtest.SegmentOptions{Capture: log.capture})
	h := newHost(t, s, 2, withCompanion)
	h.addAddress(netip.MustParsePrefix("10.7.0.2/24"))
	h.stack.AddRoute(tcpip.Route{Destination: subnet(tcpip.AddrFrom4([4]byte{10, 7, 0, 0}), 24), NIC: nicID})
	var wq waiter.Queue
	c, err := h.stack.NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, &wq)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(tcpip.FullAddress{Addr: h.addr4(), Port: 1234}); err != nil {
		t.Fatal(err)
	}
	to := tcpip.FullAddress{Addr: tcpip.AddrFrom4([4]byte{10, 7, 0, 9}), Port: 1}
	if _, err := c.Write(newPayload([]byte("x")), tcpip.WriteOptions{To: &to}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is asked for from 10.7.0.2", func() bool {
		return log.count(func(p arp.Packet) bool {
			return p.TargetAddr == netip.MustParseAddr("10.7.0.9") && p.SenderAddr == netip.MustParseAddr("10.7.0.2")
		}) > 0
	})
}
