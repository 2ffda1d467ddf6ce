package conformance

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// The candidates are addresses that the host does not have yet.
var (
	candidate4 = tcpip.AddrFrom4([4]byte{10, 1, 0, 77})
	candidate6 = tcpip.AddrFrom16([16]byte{0: 0xfd, 3: 1, 13: 0xab, 14: 0xcd, 15: 0x77})
)

// IPv6 neighbor discovery is netstack's. It must get through the link, with its
// multicast and with the options that tell hardware addresses.
var rfc4861 = []check{
	{
		requirement: "R36", clause: "RFC 4862 §5.4.2", name: "duplicate_address_detection", level: Must,
		asks: "An address is asked for before use: from nobody, by its solicited-node group, without an option that tells who asks.",
		test: func(t *trial) {
			t.tentative()
			f := t.want("a solicitation of the candidate", isSolicitationFor(candidate6))
			t.wantTo("it", f, group6(solicitedNode(candidate6)))
			t.intact(f)
			if k, _ := f.ip(); k.from != header.IPv6Any {
				t.errorf("it came from %v, want %v", k.from, header.IPv6Any)
			}
			// RFC 4861 §4.3: no source link-layer address from nobody.
			m, _ := f.icmp6()
			for options := m[24:]; len(options) >= 8 && options[1] != 0; options = options[min(len(options), 8*int(options[1])):] {
				if options[0] == optionSource {
					t.errorf("it tells of a source address although it has none: %v", f)
				}
			}
			t.wantAssigned(true)
		},
	}, {
		requirement: "R36", clause: "RFC 4862 §5.4.4", name: "duplicate_address", level: Must,
		asks: "The advertisement of who has it, to all nodes, is received, and the address not taken.",
		test: func(t *trial) {
			t.tentative()
			t.want("a solicitation of the candidate", isSolicitationFor(candidate6))
			t.put(ether(group6(allNodes), alice.hw, typeIPv6,
				neighbor(header.ICMPv6NeighborAdvert, 0x20, candidate6, allNodes, candidate6, optionTarget, alice.hw)))
			t.wantAssigned(false)
		},
	}, {
		requirement: "R22", clause: "RFC 4862 §5.4.3", name: "reflected_solicitation", level: Must,
		asks: "Our own solicitation that a loop returns does not show that somebody has the address.",
		test: func(t *trial) {
			t.tentative()
			t.put(t.want("a solicitation of the candidate", isSolicitationFor(candidate6)))
			t.wantAssigned(true)
		},
	}, {
		requirement: "R36", clause: "RFC 4861 §7.3.3", name: "unreachability_detection", level: Must,
		asks: "Whether a neighbor is still there is asked at its own hardware address.",
		test: func(t *trial) {
			t.takes(2 * time.Minute)
			s := t.listen(ipv6.ProtocolNumber)
			t.introduce6(alice)
			for range 120 {
				t.elapse(time.Second)
				s.send(alice.ipv6, t.token())
				t.listenFor(time.Millisecond)
				if f := t.take(isSolicitationFor(alice.ipv6)); f != nil {
					t.wantTo("a solicitation of a neighbor that is known", f, alice.hw)
					t.intact(f)
					return
				}
			}
			t.errorf("for two minutes nobody has asked whether the neighbor is still there")
		},
	}, {
		requirement: "R36", clause: "RFC 4861 §7.2.2", name: "absent_neighbor", level: Must,
		asks: "All solicitations of an absent neighbor go to its group, and none is a broadcast or an ARP request.",
		test: func(t *trial) {
			t.takes(10 * time.Second)
			s := t.listen(ipv6.ProtocolNumber)
			t.noError("Write", s.send(alice.ipv6, t.token()))
			asked := 0
			for range 10 {
				t.settle()
				for f := t.take(isSolicitationFor(alice.ipv6)); f != nil; f = t.take(isSolicitationFor(alice.ipv6)) {
					t.wantTo("a solicitation", f, group6(solicitedNode(alice.ipv6)))
					asked++
				}
				t.elapse(time.Second)
			}
			if asked == 0 || asked > 4 { // MAX_MULTICAST_SOLICIT is 3
				t.errorf("there were %d solicitations, want from 1 to 4", asked)
			}
			t.silence("an absent neighbor", isRequestFor(alice.ipv4))
		},
	}, {
		requirement: "R30", clause: "RFC 4443 §2.4", name: "no_icmp_error_for_multicast", level: Must,
		asks: "No ICMP error is sent about a packet that came as a link-layer multicast or broadcast.",
		test: func(t *trial) {
			t.introduce6(alice)
			isError := func(f frame) bool {
				m, ok := f.icmp6()
				return ok && m.Type() == header.ICMPv6DstUnreachable
			}
			for _, to := range []hardwareAddr{everybody, group6(allNodes)} {
				t.put(ether(to, alice.hw, typeIPv6, familyIPv6.udp(alice.ipv6, ownIPv6, closedPort, t.token())))
				t.silence("a datagram for a closed port to a group", isError)
			}
			t.put(t.frameFrom(alice, familyIPv6, familyIPv6.udp(alice.ipv6, ownIPv6, closedPort, t.token())))
			t.want("an ICMP error when the same comes by unicast", isError)
		},
	},
}

// tentative has the host ask for candidate6 in order to use it.
func (t *trial) tentative() {
	t.takes(3 * time.Second)
	ep, err := t.stack.GetNetworkEndpoint(nicID, ipv6.ProtocolNumber)
	t.noError("GetNetworkEndpoint", err)
	ep.(stack.DuplicateAddressDetector).SetDADConfigurations(stack.DADConfigurations{DupAddrDetectTransmits: 1, RetransmitTimer: time.Second})
	t.addAddress(ipv6.ProtocolNumber, candidate6, 64)
}

// wantAssigned checks whether the host has taken candidate6 when it has asked.
func (t *trial) wantAssigned(want bool) {
	t.settle()
	t.elapse(3 * time.Second)
	t.settle()
	group := solicitedNode(candidate6)
	t.put(ether(group6(group), alice.hw, typeIPv6, solicitation(alice, group, candidate6)))
	t.settle()
	if got := t.take(isAdvertisementOf(candidate6)) != nil; got != want {
		t.errorf("the host has taken the address: %v, want %v", got, want)
	}
}
