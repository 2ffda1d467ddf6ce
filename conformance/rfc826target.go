package conformance

import (
	"fmt"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// lockTime is for how long an endpoint may refuse to believe that a neighbor
// has moved again (Linux, locktime, and some more).
const lockTime = 1100 * time.Millisecond

// verifyTime is for how long it may ask at the old hardware address first.
const verifyTime = 250 * time.Millisecond

// What RFC 826 says of those who are asked, and of those who ask.
var rfc826Target = []check{
	{
		requirement: "R7", clause: "RFC 826, opcode", name: "other_opcodes", level: Must,
		asks: "Only a request is answered: no reply to any other opcode.",
		test: func(t *trial) {
			for _, op := range []uint16{0, opReply, 3, 4, 8, 9, 24, 25, 256, 65535} {
				t.put(ether(everybody, alice.hw, typeARP, newARP(op, alice.hw, alice.ipv4, nobody, ownIPv4).bytes()).padded(minFrame))
				t.silence(fmt.Sprintf("opcode %d", op), isReplyFor(ownIPv4))
			}
		},
	}, {
		requirement: "R8", clause: "RFC 826, reply", name: "reply_fields", level: Must,
		asks: "The reply goes to the requester's hardware address alone, with our addresses as the sender and the requester's as the target.",
		test: func(t *trial) {
			t.put(request(alice, everybody, ownIPv4))
			f := t.once("a reply", isReplyFor(ownIPv4))
			want := ether(alice.hw, t.own, typeARP, newARP(opReply, t.own, ownIPv4, alice.hw, alice.ipv4).bytes())
			t.equal("the reply", f[:len(want)], want)
		},
	}, {
		requirement: "R9", clause: "RFC 826, packet generation", name: "request_fields", level: Must,
		asks: "A request is broadcast, with our addresses as the sender, the wanted one as the target, and a target hardware address of zero.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			_, f := t.sent(s, alice.ipv4)
			if f == nil {
				t.fatalf("a datagram was sent to a neighbor that nobody knows")
			}
			want := ether(everybody, t.own, typeARP, newARP(opRequest, t.own, ownIPv4, nobody, alice.ipv4).bytes())
			t.equal("the request", f[:len(want)], want)
		},
	}, {
		requirement: "R7", clause: "RFC 826, packet reception", name: "request_lengths", level: Must,
		asks: "A request is answered once, whether its frame has 42 bytes, 60, or the most that a frame may have.",
		test: func(t *trial) {
			for _, n := range []int{headerLen + arpLen, 43, minFrame, 64, headerLen + int(t.MTU)} {
				t.put(request(alice, everybody, ownIPv4)[:headerLen+arpLen].padded(n))
				t.once(fmt.Sprintf("a reply to a request of %d bytes", n), isReplyFor(ownIPv4))
			}
		},
	}, {
		requirement: "R7", clause: "RFC 826, packet reception", name: "unicast_request", level: Must,
		asks: "A request that comes by unicast, as a poll does (RFC 1122 §2.3.2.1), is answered.",
		test: func(t *trial) {
			t.put(request(alice, t.own, ownIPv4))
			t.wantTo("the reply", t.once("a reply", isReplyFor(ownIPv4)), alice.hw)
		},
	}, {
		requirement: "R7", clause: "RFC 826, am I the target", name: "foreign_targets", level: Must,
		asks: "No request for an address that is not ours is answered.",
		test: func(t *trial) {
			t.unanswered(bob.ipv4, offLink, tcpip.AddrFrom4([4]byte{10, 1, 0, 3}), tcpip.AddrFrom4([4]byte{10, 1, 1, 2}))
		},
	}, {
		requirement: "R59", clause: "policy, Linux arp_process", name: "unspecified_target", level: Policy,
		asks: "No request for 0.0.0.0 is answered.",
		test: func(t *trial) { t.unanswered(tcpip.AddrFrom4([4]byte{})) },
	}, {
		requirement: "R59", clause: "policy, Linux arp_process", name: "limited_broadcast_target", level: Policy,
		asks: "No request for 255.255.255.255 is answered.",
		test: func(t *trial) { t.unanswered(limitedBroadcast) },
	}, {
		requirement: "R59", clause: "policy, Linux arp_process", name: "subnet_broadcast_target", level: Policy,
		asks: "No request for the broadcast address of our subnet is answered.",
		test: func(t *trial) { t.unanswered(subnetBroadcast) },
	}, {
		requirement: "R59", clause: "policy, Linux arp_process", name: "multicast_and_loopback_targets", level: Policy,
		asks: "No request for a multicast or loopback address is answered.",
		test: func(t *trial) {
			t.unanswered(tcpip.AddrFrom4([4]byte{224, 0, 0, 1}), tcpip.AddrFrom4([4]byte{239, 1, 2, 3}), tcpip.AddrFrom4([4]byte{127, 0, 0, 1}))
		},
	}, {
		requirement: "R52", clause: "RFC 1027 §2.1", name: "no_proxy_by_spoofing", level: Must,
		asks: "Spoofing and promiscuous mode, which let a stack use any address, do not make it answer for the addresses of others.",
		test: func(t *trial) {
			t.noError("SetSpoofing", t.stack.SetSpoofing(nicID, true))
			t.noError("SetPromiscuousMode", t.stack.SetPromiscuousMode(nicID, true))
			t.unanswered(bob.ipv4, offLink)
		},
	}, {
		requirement: "R66", clause: "policy, NIC disabled", name: "disabled", level: Policy,
		asks: "A NIC that is disabled answers no request, and one that is enabled again does.",
		test: func(t *trial) {
			t.ask(alice)
			t.noError("DisableNIC", t.stack.DisableNIC(nicID))
			t.put(request(bob, everybody, ownIPv4))
			t.listenFor(10 * grace)
			if f := t.take(isReplyFor(ownIPv4)); f != nil {
				t.errorf("a request to a disabled NIC: want no answer, got %v", f)
			}
			t.noError("EnableNIC", t.stack.EnableNIC(nicID))
			t.ask(alice)
		},
	},
}

// unanswered checks that requests for addresses are not answered.
func (t *trial) unanswered(targets ...tcpip.Address) {
	for _, a := range targets {
		for _, to := range []hardwareAddr{everybody, t.own} {
			t.put(request(alice, to, a))
		}
		t.silence("a request for "+a.String(), isReplyFor(a))
	}
}
