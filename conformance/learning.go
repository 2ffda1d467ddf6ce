package conformance

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// From what an endpoint must not learn: policies that Linux has, too.
var learning = []check{
	{
		requirement: "R53", clause: "policy, Linux arp_accept", name: "unsolicited_is_not_added", level: Policy,
		asks: "A reply that nobody asked for and an announcement, in any form, make no new entry.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			for _, tt := range []struct {
				what string
				f    func(p peer) frame
			}{
				{"a reply to us", func(p peer) frame {
					return reply(p, t.own)
				}},
				{"a reply to everybody", func(p peer) frame {
					return ether(everybody, p.hw, typeARP, newARP(opReply, p.hw, p.ipv4, everybody, p.ipv4).bytes())
				}},
				{"an announcement", func(p peer) frame { return request(p, everybody, p.ipv4) }},
			} {
				p := t.stranger()
				t.put(tt.f(p))
				t.settle()
				t.wantUnknown(s, "after "+tt.what, p)
			}
		},
	}, {
		requirement: "R57", clause: "policy, sender hardware address", name: "impossible_senders", level: Policy,
		asks: "A hardware address that no other station can have, a group's, everybody's, zero or our own, is not learned.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			for _, hw := range []hardwareAddr{everybody, {1, 0, 0x5e, 0, 0, 5}, {3, 0xc0, 0x4f, 0, 0, 9}, nobody, t.own} {
				p := t.stranger()
				t.put(ether(everybody, p.hw, typeARP, newARP(opRequest, hw, p.ipv4, nobody, ownIPv4).bytes()).padded(minFrame))
				t.settle()
				t.wantUnknown(s, fmt.Sprintf("after a request with the sender % x", hw), p)
			}
		},
	}, {
		requirement: "R57", clause: "policy, sender hardware address", name: "impossible_answers", level: Policy,
		asks: "Such a hardware address is not believed in an answer that was asked for, either.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			for _, hw := range []hardwareAddr{everybody, {1, 0, 0x5e, 0, 0, 5}, nobody} {
				p := t.stranger()
				d := t.token()
				s.send(p.ipv4, d)
				t.want("a request", isRequestFor(p.ipv4))
				t.put(ether(t.own, p.hw, typeARP, newARP(opReply, hw, p.ipv4, t.own, ownIPv4).bytes()))
				t.silence(fmt.Sprintf("an answer with the sender % x", hw), isDatagram(d))
				t.put(reply(p, t.own))
				t.wantTo("the datagram after a proper answer", t.want("the datagram", isDatagram(d)), p.hw)
			}
		},
	}, {
		requirement: "R57", clause: "policy, sender protocol address", name: "group_senders", level: Policy,
		asks: "Broadcast and multicast addresses are learned from nobody: what is sent to them goes to everybody and to the group.",
		test: func(t *trial) {
			for _, tt := range []struct {
				spa tcpip.Address
				to  hardwareAddr
			}{
				{subnetBroadcast, everybody},
				{limitedBroadcast, everybody},
				{groupIPv4, group4(groupIPv4)},
			} {
				t.put(request(peer{hw: alice.hw, ipv4: tt.spa}, everybody, ownIPv4))
				t.settle()
				t.mapped(tt.spa, tt.to)
			}
		},
	}, {
		requirement: "R57", clause: "policy, sender protocol address", name: "own_address", level: Policy,
		asks: "Who claims our address is no neighbor of that address, and does not get answered as one who asks.",
		test: func(t *trial) {
			thief := peer{hw: alice.hw, ipv4: ownIPv4}
			t.ask(bob)
			t.put(request(thief, everybody, ownIPv4))
			t.silence("an announcement of our address by another station", func(f frame) bool {
				m, ok := f.arp()
				return ok && m.op == opReply && f.to() == alice.hw
			})
			t.wantNoNeighbor(ownIPv4)
			t.ask(bob)
		},
	},
}

// wantNoNeighbor fails the check if netstack's table, where the stack has one
// for IPv4, has an entry for an address.
func (t *trial) wantNoNeighbor(a tcpip.Address) {
	list, _ := t.stack.Neighbors(nicID, ipv4.ProtocolNumber)
	for _, n := range list {
		if n.Addr == a {
			t.errorf("%v has become a neighbor, at %v", a, n.LinkAddr)
		}
	}
}
