package conformance

import (
	"bytes"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"
)

// typeExperiment is an EtherType that no stack knows, IEEE 802's first for local
// experiments.
const typeExperiment = 0x88b5

// everyType is what a packet socket is bound to for packets of all types
// (ETH_P_ALL).
const everyType = 3

// showingPackets is a NIC of a stack that has packet sockets.
var showingPackets = stack.NICOptions{DeliverLinkPackets: true}

// Sockets that make headers themselves, or want to see them.
var rawSockets = []check{
	{
		requirement: "C15", clause: "Route, WriteHeaderIncludedPacket", name: "header_included", level: Must,
		asks: "A packet whose IP header a socket has made goes to its next hop, resolved as any, with the header as it was made.",
		test: func(t *trial) {
			t.present = []peer{alice, gateway}
			for _, v := range families {
				s := t.rawSocket(v)
				for _, to := range []tcpip.Address{v.of(alice), v.far()} {
					hop := alice
					if to == v.far() {
						if hop = gateway; v.proto == familyIPv6.proto {
							continue // all of IPv6 is on this link
						}
					}
					d := t.token()
					packet := v.udp(v.own, to, peerPort, d)
					_, err := s.Write(bytes.NewReader(packet), tcpip.WriteOptions{To: &tcpip.FullAddress{NIC: nicID, Addr: to}})
					t.noError("Write", err)
					f := t.want("a packet with its own header over "+v.name, isDatagram(d))
					t.intact(f)
					t.equal("the Ethernet header", f[:headerLen], ether(hop.hw, t.own, uint16(v.proto)))
				}
			}
		},
	}, {
		requirement: "C15", clause: "Route, WriteHeaderIncludedPacket", name: "header_included_broadcast", level: Must,
		asks: "One to everybody is a link-layer broadcast, and one to a group goes to the group.",
		test: func(t *trial) {
			s := t.rawSocket(familyIPv4)
			s.SocketOptions().SetBroadcast(true)
			for to, hw := range map[tcpip.Address]hardwareAddr{limitedBroadcast: everybody, subnetBroadcast: everybody, groupIPv4: group4(groupIPv4)} {
				d := t.token()
				packet := udp4(ownIPv4, to, peerPort, d)
				_, err := s.Write(bytes.NewReader(packet), tcpip.WriteOptions{To: &tcpip.FullAddress{NIC: nicID, Addr: to}})
				t.noError("Write", err)
				t.wantTo("a packet to "+to.String(), t.want("a packet to "+to.String(), isDatagram(d)), hw)
			}
		},
	}, {
		requirement: "C16", clause: "Stack, NewPacketEndpoint", name: "packet_socket_receives", level: Must, bare: true,
		asks: "A raw packet socket gets what comes as whole frames, with a flag that says for whom it was.",
		test: func(t *trial) {
			t.makeStack(showingPackets)
			s := t.packetSocket(false)
			for _, tt := range []struct {
				f    frame
				want tcpip.PacketType
			}{
				{t.frameFrom(alice, familyIPv4, udp4(alice.ipv4, ownIPv4, openPort, t.token())), tcpip.PacketHost},
				{t.frameFrom(alice, familyIPv6, familyIPv6.udp(alice.ipv6, ownIPv6, openPort, t.token())), tcpip.PacketHost},
				{ether(everybody, alice.hw, typeIPv4, udp4(alice.ipv4, limitedBroadcast, openPort, t.token())), tcpip.PacketBroadcast},
				{ether(group4(allHosts), alice.hw, typeIPv4, udp4(alice.ipv4, allHosts, openPort, t.token())), tcpip.PacketMulticast},
			} {
				t.put(tt.f)
				got := t.wantPacket(s, tt.f)
				if got.PktType != tt.want {
					t.errorf("the type of %v is %d, want %d", tt.f, got.PktType, tt.want)
				}
			}
		},
	}, {
		requirement: "C16", clause: "Stack, NewPacketEndpoint", name: "cooked_packet_socket_receives", level: Must, bare: true,
		asks: "A cooked one gets them without the Ethernet header, and is told whom they are from.",
		test: func(t *trial) {
			t.makeStack(showingPackets)
			s := t.packetSocket(true)
			f := t.anyPacket()
			t.put(f)
			got := t.wantPacket(s, f.payload())
			if want := tcpip.LinkAddress(alice.hw[:]); got.from.LinkAddr != want {
				t.errorf("the packet is from %v, want %v", got.from.LinkAddr, want)
			}
		},
	}, {
		requirement: "C16", clause: "Stack, NewPacketEndpoint", name: "packet_socket_sees_what_is_sent", level: Must, bare: true,
		asks: "A raw packet socket gets what the host sends as it is on the wire, with the hardware address of the next hop.",
		test: func(t *trial) {
			t.makeStack(showingPackets)
			for _, v := range families {
				t.know(v, alice)
				s := t.packetSocket(false)
				u := t.listen(v.proto)
				d := data(80)
				t.noError("Write", u.send(v.of(alice), d))
				f := t.want("a datagram", isDatagram(d))
				got := t.wantPacket(s, f)
				if got.PktType != tcpip.PacketOutgoing {
					t.errorf("the type of what was sent is %d, want %d", got.PktType, tcpip.PacketOutgoing)
				}
				u.Close()
			}
		},
	},
}

// rawSocket opens a socket whose user makes the IP header.
func (t *trial) rawSocket(v family) tcpip.Endpoint {
	var queue waiter.Queue
	s, err := t.stack.NewRawEndpoint(header.UDPProtocolNumber, v.proto, &queue, true)
	t.noError("NewRawEndpoint", err)
	t.later(s.Close)
	s.SocketOptions().SetHeaderIncluded(true)
	return s
}

// packetSocket opens a packet socket for all types.
func (t *trial) packetSocket(cooked bool) tcpip.Endpoint {
	var queue waiter.Queue
	s, err := t.stack.NewPacketEndpoint(cooked, everyType, &queue)
	t.noError("NewPacketEndpoint", err)
	t.later(s.Close)
	t.noError("Bind", s.Bind(tcpip.FullAddress{NIC: nicID, Port: everyType}))
	return s
}

// A packetInfo is what a packet socket says of a packet.
type packetInfo struct {
	tcpip.LinkPacketInfo
	from tcpip.FullAddress
}

// wantPacket reads from a packet socket until there is the packet that is
// wanted, once.
func (t *trial) wantPacket(s tcpip.Endpoint, want []byte) (got packetInfo) {
	n := 0
	read := func() {
		var b bytes.Buffer
		for {
			b.Reset()
			r, err := s.Read(&b, tcpip.ReadOptions{NeedRemoteAddr: true, NeedLinkPacketInfo: true})
			if err != nil {
				return
			}
			if bytes.Equal(b.Bytes(), want) {
				n++
				got = packetInfo{r.LinkPacketInfo, r.RemoteAddr}
			}
		}
	}
	t.poll("what a packet socket is for", func() bool { read(); return n > 0 })
	t.settle()
	if read(); n != 1 {
		t.errorf("a packet socket got %v %d times, want once", frame(want), n)
	}
	return got
}
