package conformance

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

var (
	allHosts  = tcpip.AddrFrom4([4]byte{224, 0, 0, 1})
	groupIPv4 = tcpip.AddrFrom4([4]byte{239, 129, 2, 3}) // its 24th bit from the right is not in the hardware address
)

// Whose frames are taken in.
var addressing = []check{
	{
		requirement: "R23", clause: "IEEE 802.3 §3.2.3", name: "own_and_group_frames", level: Must,
		asks: "Frames to our own address, to everybody, and to the groups of IP are received.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			for _, tt := range []struct {
				what string
				to   hardwareAddr
				ip   tcpip.Address
			}{
				{"our own address", t.own, ownIPv4},
				{"everybody", everybody, subnetBroadcast},
				{"everybody, on all networks", everybody, limitedBroadcast},
				{"all hosts", group4(allHosts), allHosts},
			} {
				d := t.token()
				t.put(ether(tt.to, alice.hw, typeIPv4, udp4(alice.ipv4, tt.ip, openPort, d)))
				t.wantDelivered(s, "a frame to "+tt.what, d)
			}
		},
	}, {
		requirement: "R33", clause: "RFC 1112 §6.4", name: "joined_group", level: Must,
		asks: "Packets to a group that was joined are received.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.noError("JoinGroup", t.stack.JoinGroup(ipv4.ProtocolNumber, nicID, groupIPv4))
			d := t.token()
			t.put(ether(group4(groupIPv4), alice.hw, typeIPv4, udp4(alice.ipv4, groupIPv4, openPort, d)))
			t.wantDelivered(s, "a packet to a joined group", d)
		},
	}, {
		requirement: "R23", clause: "IEEE 802.3 §4.2.9", name: "foreign_unicast", level: Must,
		asks: "A frame to another station's address is dropped, although the IP address in it is ours.",
		test: func(t *trial) { t.foreign() },
	}, {
		requirement: "R23", clause: "IEEE 802.3 §4.2.9", name: "foreign_unicast_in_promiscuous_mode", level: Must,
		asks: "In a stack's promiscuous mode, which is for addresses of IP, frames to other stations do not reach IP either.",
		test: func(t *trial) {
			t.noError("SetPromiscuousMode", t.stack.SetPromiscuousMode(nicID, true))
			t.foreign()
		},
	}, {
		requirement: "R37", clause: "RFC 6085", name: "ipv6_multicast_in_unicast_frame", level: Should,
		asks: "An IPv6 packet to a group that comes in a frame to our own address is received.",
		test: func(t *trial) {
			t.put(ether(t.own, alice.hw, typeIPv6, solicitation(alice, solicitedNode(ownIPv6), ownIPv6)))
			t.once("an answer to a solicitation in a unicast frame", isAdvertisementOf(ownIPv6))
		},
	},
}

// foreign checks that frames for others are dropped, and do no harm.
func (t *trial) foreign() {
	s := t.listen(ipv4.ProtocolNumber)
	t.introduce(alice)
	t.put(ether(bob.hw, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, t.token())))
	t.put(ether(bob.hw, alice.hw, typeIPv4, udp4(alice.ipv4, ownIPv4, openPort, t.token())))
	p := t.stranger()
	t.put(request(p, bob.hw, ownIPv4))
	t.silence("frames to another station", either(isAnyEchoReply, isReplyTo(p)))
	t.wantDelivered(s, "a frame to another station", nil)
	d := t.token()
	t.put(ether(t.own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, d)))
	t.want("an answer after a frame to another station", isEchoReply(d))
}
