package conformance

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// What a NIC does when its MTU is lowered.
var lowered = []check{
	{
		requirement: "C4", clause: "LinkEndpoint, SetMTU", name: "lowered_mtu", level: Must,
		asks: "After SetMTU no packet is longer than that, and what comes may be: it is a limit of what is sent.",
		test: func(t *trial) {
			t.introduce(alice)
			t.introduce6(alice)
			full := int(t.MTU)
			t.setMTU(1300)
			for _, v := range families {
				s := t.listen(v.proto)
				d := bulk(full)
				t.noError("Write", s.send(v.of(alice), d))
				t.wholeDatagram(v, d)
				d = data(full - v.header - header.UDPMinimumSize)
				t.put(t.frameFrom(alice, v, v.udp(v.of(alice), v.own, openPort, d)))
				t.wantDelivered(s, "a packet longer than the MTU that was set, over "+v.name, d)
				s.Close()
			}
		},
	}, {
		requirement: "C4", clause: "LinkEndpoint, SetMTU", name: "lowered_mtu_of_tcp", level: Must,
		asks: "Nor is a segment cut from a super-frame.",
		test: func(t *trial) {
			t.setMTU(1300)
			t.streamsOut(0, 65535, nil)
		},
	}, {
		requirement: "R35", clause: "RFC 8200 §5", name: "below_the_minimum", level: Must,
		asks: "With an MTU below 1280 nothing is sent over IPv6, and IPv4 goes on; with 1280 IPv6 is there again.",
		test: func(t *trial) {
			t.introduce(alice)
			t.introduce6(alice)
			t.setMTU(header.IPv6MinimumMTU - 1)
			s := t.listen(familyIPv6.proto)
			s.send(alice.ipv6, data(10)) // an error is in order
			t.put(t.frameFrom(alice, familyIPv6, echo6(alice.ipv6, ownIPv6, t.token())))
			t.silence("IPv6 on a link of less than 1280 bytes", func(f frame) bool { return f.typ() == typeIPv6 })
			for _, n := range []int{100, header.IPv6MinimumMTU - 1 - 28} {
				d := data(n)
				t.put(t.frameFrom(alice, familyIPv4, echo4(alice.ipv4, ownIPv4, d)))
				t.intact(t.want("an answer over IPv4", isEchoReply(d)))
			}
			t.setMTU(header.IPv6MinimumMTU)
			d := data(header.IPv6MinimumMTU - 48)
			t.put(t.frameFrom(alice, familyIPv6, echo6(alice.ipv6, ownIPv6, d)))
			t.intact(t.want("an answer over IPv6", isEchoReply6(d)))
		},
	}, {
		requirement: "C4", clause: "RFC 1191 §4", name: "router_of_a_lower_mtu", level: Must,
		asks: "A packet that is not to be cut and is too long for the next link is answered with an error that tells the MTU.",
		test: func(t *trial) {
			t.forwards(familyIPv4)
			packet := familyIPv4.udp(alice.ipv4, offLink, openPort, data(1400))
			notToBeCut(packet)
			t.setMTU(1300)
			t.put(t.frameFrom(alice, familyIPv4, packet))
			f := t.want("an ICMP error", isICMPError)
			m, _ := f.icmp4()
			if m.Code() != header.ICMPv4FragmentationNeeded || m.MTU() != 1300 {
				t.errorf("the error has the code %d and the MTU %d, want %d and 1300", m.Code(), m.MTU(), header.ICMPv4FragmentationNeeded)
			}
			t.intact(f)
			t.wantTo("the error", f, alice.hw)
		},
	},
}

// setMTU lowers the MTU to what no frame may be longer than from here on.
func (t *trial) setMTU(mtu uint32) {
	t.noError("SetNICMTU", t.stack.SetNICMTU(nicID, mtu))
	t.MTU = mtu
	t.forget()
}

// notToBeCut sets the flag DF of an IPv4 packet.
func notToBeCut(packet []byte) {
	h := header.IPv4(packet)
	h.SetFlagsFragmentOffset(header.IPv4FlagDontFragment, 0)
	h.SetChecksum(0)
	h.SetChecksum(^h.CalculateChecksum())
}

// forwards makes the endpoint's host a router of a family, between this link and
// the same one, and makes its next hop and alice known.
func (t *trial) forwards(v family) {
	t.noError("SetForwarding", t.stack.SetForwardingDefaultAndAllNICs(v.proto, true))
	t.know(v, alice)
	t.know(v, gateway)
	if v.proto == familyIPv6.proto {
		t.stack.SetRouteTable([]tcpip.Route{
			{Destination: tcpip.AddressWithPrefix{Address: ownIPv6, PrefixLen: 64}.Subnet(), NIC: nicID},
			{Destination: header.IPv6EmptySubnet, Gateway: gateway.ipv6, NIC: nicID},
		})
	}
	t.forget()
}
