package conformance

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// The reception algorithm of RFC 826, seen from the wire.
var rfc826 = []check{
	{
		requirement: "R1", clause: "RFC 826, hardware type", name: "hardware_type", level: Must,
		asks: "A packet whose hardware type is not Ethernet's is neither answered nor learned from.",
		test: func(t *trial) {
			for _, typ := range []uint16{0, 2, 15, 24, 0x0100, 65535} {
				t.malformed(fmt.Sprintf("hardware type %d", typ), func(m *arpMessage) { m.hardware = typ })
			}
		},
	}, {
		requirement: "R2", clause: "RFC 826, hardware address length", name: "hardware_length", level: May,
		asks: "A packet whose hardware addresses are not 6 bytes long is dropped, and nothing is read beyond its end.",
		test: func(t *trial) {
			for _, n := range []byte{0, 4, 5, 7, 8, 255} {
				t.malformed(fmt.Sprintf("hardware address length %d", n), func(m *arpMessage) { m.hlen = n })
			}
		},
	}, {
		requirement: "R3", clause: "RFC 826, protocol type", name: "protocol_type", level: Must,
		asks: "A packet whose protocol is not IPv4 is neither answered nor learned from.",
		test: func(t *trial) {
			for _, typ := range []uint16{0, typeARP, typeIPv6, 0x0008, 65535} {
				t.malformed(fmt.Sprintf("protocol type %#04x", typ), func(m *arpMessage) { m.protocol = typ })
			}
		},
	}, {
		requirement: "R4", clause: "RFC 826, protocol address length", name: "protocol_length", level: May,
		asks: "A packet whose protocol addresses are not 4 bytes long is dropped, and nothing is read beyond its end.",
		test: func(t *trial) {
			for _, n := range []byte{0, 3, 5, 16, 255} {
				t.malformed(fmt.Sprintf("protocol address length %d", n), func(m *arpMessage) { m.plen = n })
			}
		},
	}, {
		requirement: "R4", clause: "RFC 826, packet format", name: "truncated", level: Must,
		asks: "A packet shorter than 28 bytes is dropped.",
		test: func(t *trial) {
			whole := request(alice, everybody, ownIPv4)
			for n := headerLen; n < headerLen+arpLen; n++ {
				t.put(whole[:n])
			}
			t.silence("requests that are cut off", isReplyFor(ownIPv4))
		},
	}, {
		requirement: "R5", clause: "RFC 826, Merge_flag", name: "known_sender_asks_for_another", level: Must,
		asks: "The entry of a known sender follows a request of its for a third host.",
		test: func(t *trial) {
			t.moves(func(p peer) frame { return request(p, everybody, bob.ipv4) })
		},
	}, {
		requirement: "R5", clause: "RFC 826, Merge_flag", name: "known_sender_announces", level: Must,
		asks: "The entry of a known sender follows its announcement, a broadcast request for its own address.",
		test: func(t *trial) {
			t.moves(func(p peer) frame { return request(p, everybody, p.ipv4) })
		},
	}, {
		requirement: "R5", clause: "RFC 826, Merge_flag", name: "known_sender_replies_to_everybody", level: Must,
		asks: "The entry of a known sender follows a reply of its, whoever is the target.",
		test: func(t *trial) {
			t.moves(func(p peer) frame {
				return ether(everybody, p.hw, typeARP, newARP(opReply, p.hw, p.ipv4, everybody, p.ipv4).bytes())
			})
		},
	}, {
		requirement: "R6", clause: "RFC 826, add the triplet", name: "asker_is_learned", level: Must,
		asks: "Who asks for our address is learned: what we send to it needs no request.",
		test: func(t *trial) {
			t.ask(alice)
			t.wantKnown(t.listen(ipv4.ProtocolNumber), "after its request", alice)
		},
	}, {
		requirement: "R6", clause: "RFC 826, add the triplet", name: "asker_for_another_is_not", level: Must,
		asks: "Who asks for another's address is not learned.",
		test: func(t *trial) {
			t.put(request(alice, everybody, bob.ipv4))
			t.settle()
			t.wantUnknown(t.listen(ipv4.ProtocolNumber), "after a request for another", alice)
		},
	}, {
		requirement: "R10", clause: "RFC 826, sender hardware address", name: "sender_in_packet", level: Should,
		asks: "The sender's address is the one inside the packet, not the frame's: the answer goes there, and what follows.",
		test: func(t *trial) {
			f := request(alice, everybody, ownIPv4)
			copy(f[6:12], bob.hw[:]) // by way of a bridge that does proxy ARP
			t.put(f)
			t.wantTo("the reply", t.want("a reply", isReplyFor(ownIPv4)), alice.hw)
			t.wantKnown(t.listen(ipv4.ProtocolNumber), "after its request", alice)
		},
	}, {
		requirement: "R10", clause: "RFC 826, packet reception", name: "not_forwarded", level: Should,
		asks: "A request for another host is not sent on.",
		test: func(t *trial) {
			t.forget()
			t.put(request(alice, everybody, bob.ipv4))
			t.silence("a request for another host", func(f frame) bool {
				m, ok := f.arp()
				return ok && (m.tpa == bob.ipv4 || m.spa == alice.ipv4)
			})
		},
	},
}

// malformed sends a request with one field changed, which must be neither
// answered nor learned from.
func (t *trial) malformed(what string, change func(*arpMessage)) {
	p := t.stranger()
	m := newARP(opRequest, p.hw, p.ipv4, nobody, ownIPv4)
	change(&m)
	t.put(ether(everybody, p.hw, typeARP, m.bytes()).padded(minFrame))
	t.silence(what, isReplyFor(ownIPv4))
	if len(t.sockets) == 0 {
		t.listen(ipv4.ProtocolNumber)
	}
	t.wantUnknown(t.sockets[0], what, p)
}

// moves makes a peer known, has it tell of a new hardware address, and checks
// that what is sent to it goes there.
func (t *trial) moves(tell func(peer) frame) {
	s := t.listen(ipv4.ProtocolNumber)
	t.introduce(alice)
	t.wantKnown(s, "at its old address", alice)
	moved := alice.movedTo(1)
	t.present = []peer{moved}
	// Choice: a second between two addresses is allowed to pass; some hold on
	// to the first for that long, so that the first of several replies wins.
	t.elapse(lockTime)
	t.put(tell(moved))
	t.settle()
	// Choice: so is the time to ask at the old address whether it is still there,
	// since who moves and who lies say the same.
	t.elapse(verifyTime)
	t.forget()
	t.wantKnown(s, "after it has moved", moved)
}
