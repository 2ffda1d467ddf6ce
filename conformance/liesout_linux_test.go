package conformance

import (
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// goodGSO is what netstack's TCP gives a packet of several segments.
var goodGSO = stack.GSO{Type: stack.GSOTCPv4, NeedsCsum: true, CsumOffset: tcpField, MSS: 500, L3HdrLen: header.IPv4MinimumSize}

// TestLyingGSO: a packet of netstack's whose metadata contradicts it is dropped
// and counted, by whatever it would be sent through, and nothing that is wrong
// gets on the wire.
func TestLyingGSO(t *testing.T) {
	for _, n := range nears {
		if n.vlan != (ethstack.VLAN{}) || n.fifo > 0 || n.queue.Len > 0 {
			continue // written by the same code
		}
		t.Run(n.name, func(t *testing.T) {
			lasting(t, time.Minute)
			c := newCopper(t)
			ep, err := endpoint.New(n.open(c), endpoint.Options{})
			wiretest.Check(t, err)
			t.Cleanup(ep.Close)
			wire := startCapture(t, c.ns, c.far)
			for _, tt := range []struct {
				name   string
				change func(*stack.GSO)
				good   bool
			}{
				{"as netstack makes it", func(*stack.GSO) {}, true},
				{"segments of no bytes", func(g *stack.GSO) { g.MSS = 0 }, false},
				{"TCP over IPv6 in IPv4", func(g *stack.GSO) { g.Type = stack.GSOTCPv6 }, false},
				{"checksum starts behind the packet", func(g *stack.GSO) { g.L3HdrLen = 5000 }, false},
				{"checksum starts at 65535", func(g *stack.GSO) { g.L3HdrLen = 65535 - headerLen }, false},
				{"checksum belongs behind the packet", func(g *stack.GSO) { g.CsumOffset = 5000 }, false},
				{"again as netstack makes it", func(*stack.GSO) {}, true},
			} {
				pkt := superPacket(ep)
				pkt.GSOOptions = goodGSO
				tt.change(&pkt.GSOOptions)
				var l stack.PacketBufferList
				l.PushBack(pkt)
				before := ep.Interface().Stats()
				sent, failed := ep.WritePackets(l)
				pkt.DecRef()
				now := ep.Interface().Stats()
				dropped := now.Drops[ethstack.DropTxOffload] - before.Drops[ethstack.DropTxOffload]
				if tt.good && (sent != 1 || failed != nil || dropped != 0) {
					t.Errorf("%s: %d sent, %v, %d dropped; want 1, nil, 0", tt.name, sent, failed, dropped)
				}
				if _, full := failed.(*tcpip.ErrNoBufferSpace); !tt.good && (sent != 0 || !full || dropped != 1 || now.TxFrames != before.TxFrames) {
					t.Errorf("%s: %d sent, %v, %d dropped; want 0, no buffer space, 1", tt.name, sent, failed, dropped)
				}
			}
			wire.verify(t, "IPv4 TCP")
			if n := wire.kinds["IPv4 TCP"]; n != 2*3 {
				t.Errorf("%d segments were on the wire, want 3 of each good packet", n)
			}
		})
	}
}

// superPacket makes an outgoing packet with 1400 bytes of TCP and a partial
// checksum.
func superPacket(ep *endpoint.Endpoint) *stack.PacketBuffer {
	b := segment4(ownIPv4, alice.ipv4, header.TCPFlagAck, data(1400))
	h := header.TCP(header.IPv4(b).Payload())
	h.SetChecksum(header.PseudoHeaderChecksum(header.TCPProtocolNumber, ownIPv4, alice.ipv4, uint16(len(h))))
	ip, tcp := b[:header.IPv4MinimumSize], b[header.IPv4MinimumSize:][:header.TCPMinimumSize]
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: headerLen + len(ip) + len(tcp), Payload: buffer.MakeWithData(b[len(ip)+len(tcp):]),
	})
	copy(pkt.TransportHeader().Push(len(tcp)), tcp)
	copy(pkt.NetworkHeader().Push(len(ip)), ip)
	pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
	pkt.EgressRoute = stack.RouteInfo{RemoteLinkAddress: tcpip.LinkAddress(alice.hw[:])}
	pkt.EgressRoute.LocalAddress, pkt.EgressRoute.RemoteAddress = ownIPv4, alice.ipv4
	ep.AddHeader(pkt)
	return pkt
}
