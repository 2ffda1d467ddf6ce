package conformance

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
)

// IPv6 over Ethernet, and what of neighbor discovery goes through the link.
var rfc2464 = []check{
	{
		requirement: "R35", clause: "RFC 2464 §7", name: "multicast_mapping", level: Must,
		asks: "An IPv6 packet to a group goes to 33:33 and the last 32 bits of the group.",
		test: func(t *trial) {
			s := t.listen(ipv6.ProtocolNumber)
			for _, tail := range [][4]byte{{0, 0, 0, 1}, {0x12, 0x34, 0x56, 0x78}, {0xff, 0xff, 0xff, 0xff}} {
				a := [16]byte{0: 0xff, 1: 0x02, 11: 9}
				copy(a[12:], tail[:])
				group, d := tcpip.AddrFrom16(a), t.token()
				t.noError("Write", s.send(group, d))
				t.wantTo("a datagram to "+group.String(), t.want("the datagram", isDatagram(d)), group6(group))
			}
		},
	}, {
		requirement: "R36", clause: "RFC 4861 §7.2.2", name: "neighbor_discovery", level: Must,
		asks: "A neighbor is asked for by its solicited-node group, and the packet that waited goes to the address that it tells.",
		test: func(t *trial) {
			s := t.listen(ipv6.ProtocolNumber)
			d := t.token()
			t.noError("Write", s.send(alice.ipv6, d))
			ns := t.want("a solicitation", isSolicitationFor(alice.ipv6))
			t.wantTo("the solicitation", ns, group6(solicitedNode(alice.ipv6)))
			if _, hw, _ := ns.neighborMessage(135); hw != t.own {
				t.errorf("the solicitation says that we are at % x, want % x", hw, t.own)
			}
			t.put(ether(t.own, alice.hw, typeIPv6, advertisement(alice, ownIPv6)))
			t.wantTo("the packet that waited", t.want("the packet that waited", isDatagram(d)), alice.hw)
		},
	}, {
		requirement: "R36", clause: "RFC 4861 §7.2.4", name: "solicited_by_multicast", level: Must,
		asks: "A solicitation that comes by our solicited-node group is answered with our hardware address, and never by ARP.",
		test: func(t *trial) {
			group := solicitedNode(ownIPv6)
			t.put(ether(group6(group), alice.hw, typeIPv6, solicitation(alice, group, ownIPv6)))
			f := t.once("an advertisement", isAdvertisementOf(ownIPv6))
			t.wantTo("the advertisement", f, alice.hw)
			if _, hw, _ := f.neighborMessage(136); hw != t.own {
				t.errorf("the advertisement says that we are at % x, want % x", hw, t.own)
			}
			t.silence("a solicitation", isRequestFor(alice.ipv4))
		},
	}, {
		requirement: "R38", clause: "RFC 4861 §7.2.6", name: "new_address_in_advertisements", level: Must,
		asks: "After the hardware address was changed, advertisements and frames carry the new one.",
		test: func(t *trial) {
			t.introduce6(alice)
			t.changeAddress()
			group := solicitedNode(ownIPv6)
			t.put(ether(group6(group), alice.hw, typeIPv6, solicitation(alice, group, ownIPv6)))
			f := t.want("an advertisement", isAdvertisementOf(ownIPv6))
			if _, hw, _ := f.neighborMessage(136); hw != t.own || f.from() != t.own {
				t.errorf("the advertisement, from % x, says that we are at % x, want % x", f.from(), hw, t.own)
			}
		},
	}, {
		requirement: "R38", clause: "RFC 826, packet generation", name: "new_address_in_arp", level: Must,
		asks: "After the hardware address was changed, ARP and frames carry the new one, and frames to it are received.",
		test: func(t *trial) {
			t.changeAddress()
			t.put(request(alice, everybody, ownIPv4))
			f := t.want("a reply", isReplyTo(alice))
			if m, _ := f.arp(); m.sha != t.own || f.from() != t.own {
				t.errorf("the reply, from % x, says that we are at % x, want % x", f.from(), m.sha, t.own)
			}
			t.put(request(bob, t.own, ownIPv4))
			t.want("a reply to a request to the new address", isReplyTo(bob))
		},
	}, {
		requirement: "R38", clause: "IEEE 802.3 §3.2.3", name: "old_address_is_foreign", level: Must,
		asks: "After the hardware address was changed, frames to the old one are another station's.",
		test: func(t *trial) {
			old := t.own
			t.changeAddress()
			t.put(request(bob, old, ownIPv4))
			t.silence("a request to the old address", isReplyTo(bob))
		},
	}, {
		requirement: "R38", clause: "IEEE 802.3 §3.2.4", name: "new_source_of_old_routes", level: Policy,
		asks: "A connection that was made before the hardware address was changed sends from the new one.",
		test: func(t *trial) {
			t.introduce(alice)
			s := t.listen(ipv4.ProtocolNumber)
			t.noError("Connect", s.Connect(tcpip.FullAddress{NIC: nicID, Addr: alice.ipv4, Port: peerPort}))
			t.changeAddress()
			d := t.token()
			t.noError("Write", s.write(d))
			if f := t.want("a datagram", isDatagram(d)); f.from() != t.own {
				t.errorf("the datagram came from % x, want % x", f.from(), t.own)
			}
		},
	},
}

// changeAddress gives the NIC another hardware address.
func (t *trial) changeAddress() {
	t.own = hardwareAddr{0x02, 0xee, 0, 0, 0, 7}
	t.noError("SetNICAddress", t.stack.SetNICAddress(nicID, tcpip.LinkAddress(t.own[:])))
	if got := t.Endpoint.LinkAddress(); got != tcpip.LinkAddress(t.own[:]) {
		t.fatalf("LinkAddress after SetNICAddress: %v, want % x", got, t.own)
	}
}
