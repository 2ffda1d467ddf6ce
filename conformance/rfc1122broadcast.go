package conformance

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// RFC 1122 and RFC 1112 on broadcast and multicast.
var rfc1122Broadcast = []check{
	{
		requirement: "R30", clause: "RFC 1122 §3.2.2", name: "no_icmp_error_for_broadcast", level: Must,
		asks: "No ICMP error is sent about a packet that came as a link-layer broadcast or multicast.",
		test: func(t *trial) {
			t.introduce(alice)
			for _, to := range groups {
				t.put(ether(to, alice.hw, typeIPv4, udp4(alice.ipv4, ownIPv4, closedPort, t.token())))
				t.silence("a datagram for a closed port to a group", isICMPError)
			}
			t.put(ether(t.own, alice.hw, typeIPv4, udp4(alice.ipv4, ownIPv4, closedPort, t.token())))
			t.want("an ICMP error when the same comes by unicast", isICMPError)
		},
	}, {
		requirement: "R30", clause: "RFC 1122 §3.3.6", name: "unicast_ip_in_broadcast", level: Should,
		asks: "A packet to our IP address that came as a link-layer broadcast or multicast is silently discarded.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.introduce(alice)
			for _, to := range groups {
				t.put(ether(to, alice.hw, typeIPv4, udp4(alice.ipv4, ownIPv4, openPort, t.token())))
				t.put(ether(to, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, t.token())))
			}
			t.silence("packets to our IP address in frames to groups", isAnyEchoReply)
			t.wantDelivered(s, "packets to our IP address in frames to groups", nil)
		},
	}, {
		requirement: "R33", clause: "RFC 1122 §3.3.6", name: "broadcast_mapping", level: Must,
		asks: "A packet to 255.255.255.255 or to the subnet's broadcast address is a link-layer broadcast, and nobody is asked for it.",
		test: func(t *trial) {
			for _, a := range []tcpip.Address{limitedBroadcast, subnetBroadcast} {
				t.mapped(a, everybody)
			}
		},
	}, {
		requirement: "R33", clause: "RFC 1112 §6.4", name: "multicast_mapping", level: Must,
		asks: "A packet to a group goes to 01:00:5e and the last 23 bits of the group, and nobody is asked for it.",
		test: func(t *trial) {
			for _, tt := range []struct {
				group [4]byte
				want  hardwareAddr
			}{
				{[4]byte{224, 128, 64, 32}, hardwareAddr{0x01, 0x00, 0x5e, 0x00, 0x40, 0x20}},
				{[4]byte{224, 0, 0, 251}, hardwareAddr{0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb}},
				{[4]byte{239, 255, 255, 250}, hardwareAddr{0x01, 0x00, 0x5e, 0x7f, 0xff, 0xfa}},
				{[4]byte{239, 127, 1, 2}, hardwareAddr{0x01, 0x00, 0x5e, 0x7f, 0x01, 0x02}},
			} {
				t.mapped(tcpip.AddrFrom4(tt.group), tt.want)
			}
		},
	},
}

// groups are destinations of frames that are no single station's.
var groups = []hardwareAddr{everybody, group4(allHosts), {0x33, 0x33, 0, 0, 0, 1}}

// mapped checks where a datagram to a group goes.
func (t *trial) mapped(group tcpip.Address, want hardwareAddr) {
	if len(t.sockets) == 0 {
		t.listen(ipv4.ProtocolNumber)
	}
	d := t.token()
	t.noError("Write to "+group.String(), t.sockets[0].send(group, d))
	t.wantTo("a datagram to "+group.String(), t.want("the datagram to "+group.String(), isDatagram(d)), want)
	t.silence("a datagram to "+group.String(), isRequestFor(group))
}
