package conformance

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// The rules of IEEE 802.3 and 802.1D for frames, whatever is in them.
var ieee8023 = []check{
	{
		requirement: "R15", clause: "IEEE 802.3 §3.2.6", name: "undefined_types", level: Must,
		asks: "A type field from 1501 to 1535 is neither a length nor a type: the frame is dropped.",
		test: func(t *trial) {
			t.introduce(alice)
			for _, typ := range []uint16{1501, 1518, 1535} {
				t.put(ether(t.own, alice.hw, typ, echo4(alice.ipv4, ownIPv4, t.token())))
				t.put(ether(t.own, alice.hw, typ, []byte(snap(typeIPv4)), echo4(alice.ipv4, ownIPv4, t.token())))
				t.silence(fmt.Sprintf("a frame with type %d", typ), isAnyEchoReply)
			}
		},
	}, {
		requirement: "R18", clause: "IEEE 802.3 §3.1.1", name: "runts", level: Must,
		asks: "A frame shorter than its header is dropped, and what follows is received.",
		test: func(t *trial) {
			whole, sent := request(alice, t.own, ownIPv4), 0
			for n := range headerLen {
				if t.Wire.Send(whole[:n]) == nil {
					sent++
				}
			}
			if sent == 0 {
				t.skip("the wire carries no frame shorter than %d bytes", headerLen)
			}
			t.silence("runts", isReplyFor(ownIPv4))
		},
	}, {
		requirement: "R20", clause: "IEEE 802.3 §31.3", name: "mac_control", level: Must,
		asks: "A MAC control frame, such as PAUSE, is neither passed up nor answered, whatever follows its opcode.",
		test: func(t *trial) {
			t.introduce(alice)
			for _, to := range []hardwareAddr{t.own, {1, 0x80, 0xc2, 0, 0, 1}, everybody} {
				t.put(ether(to, alice.hw, 0x8808, []byte{0, 1, 0xff, 0xff}).padded(minFrame))
				t.put(ether(to, alice.hw, 0x8808, echo4(alice.ipv4, ownIPv4, t.token())))
			}
			t.settle()
			t.wantKnown(t.listen(ipv4.ProtocolNumber), "after a PAUSE", alice) // and nothing pauses
			t.silence("MAC control frames", isAnyEchoReply)
		},
	}, {
		requirement: "R20", clause: "IEEE 802.1D §7.12.6", name: "reserved_groups", level: Must,
		asks: "Frames to 01:80:c2:00:00:00 to 0f never reach IP or ARP and are never answered.",
		test: func(t *trial) {
			t.introduce(alice)
			for last := range byte(16) {
				to := hardwareAddr{1, 0x80, 0xc2, 0, 0, last}
				t.put(request(bob, to, ownIPv4))
				t.put(ether(to, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, t.token())))
			}
			t.silence("frames to reserved groups", either(isReplyTo(bob), isAnyEchoReply))
		},
	}, {
		requirement: "R21", clause: "IEEE 802.3 §3.2.3", name: "source_group", level: Must,
		asks: "A frame whose source address has the group bit set is dropped and teaches nothing.",
		test: func(t *trial) { t.badSource(hardwareAddr{3, 0xc0, 0x4f, 0, 0, 10}, everybody) },
	}, {
		requirement: "R21", clause: "policy, source address zero", name: "source_zero", level: Policy,
		asks: "A frame whose source address is zero is dropped and teaches nothing.",
		test: func(t *trial) { t.badSource(nobody) },
	}, {
		requirement: "R22", clause: "policy, reflection", name: "reflected", level: Policy,
		asks: "A frame with our own source address, which a loop returns, is dropped before IP and ARP.",
		test: func(t *trial) {
			t.introduce(alice)
			t.put(ether(t.own, t.own, typeIPv4, echo4(alice.ipv4, ownIPv4, t.token())))
			t.put(request(peer{hw: t.own, ipv4: bob.ipv4}, everybody, ownIPv4))
			t.silence("reflected frames", either(isAnyEchoReply, func(f frame) bool {
				m, ok := f.arp()
				return ok && m.op == opReply && m.tpa == bob.ipv4
			}))
			t.wantUnknown(t.listen(ipv4.ProtocolNumber), "after a reflected request", bob)
		},
	}, {
		requirement: "R22", clause: "policy, reflection", name: "reflected_announcement", level: Policy,
		asks: "Our own announcement that a loop returns is no conflict: nothing is sent because of it.",
		test: func(t *trial) {
			t.ask(alice) // after that, what the endpoint announces by itself may be on its way
			t.put(request(peer{hw: t.own, ipv4: ownIPv4}, everybody, ownIPv4))
			t.silence("a reflected announcement", func(f frame) bool {
				m, ok := f.arp()
				return ok && m.op == opReply && m.tpa == ownIPv4
			})
			t.ask(alice)
		},
	}, {
		requirement: "R24", clause: "IEEE 802.3 §3.2.7", name: "oversize", level: Policy,
		asks: "A frame longer than the MTU allows is dropped.",
		test: func(t *trial) {
			t.introduce(alice)
			most := int(t.MTU) - 28
			fits, over := data(most), data(most+8)
			t.put(ether(t.own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, fits)))
			t.want("an answer to the largest echo request", isEchoReply(fits))
			// The reply to this one would be in fragments.
			t.put(ether(t.own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, over)))
			t.silence("a frame over the MTU", func(f frame) bool {
				h, ok := f.ipv4()
				return ok && h.DestinationAddress() == alice.ipv4
			})
		},
	},
}

// isAnyEchoReply matches echo replies, whole ones.
func isAnyEchoReply(f frame) bool {
	m, ok := f.icmp4()
	return ok && isEchoReply(m.Payload())(f)
}

// isReplyTo matches ARP replies to a peer.
func isReplyTo(p peer) func(frame) bool {
	return func(f frame) bool {
		m, ok := f.arp()
		return ok && m.op == opReply && m.tpa == p.ipv4
	}
}

// badSource checks that frames from sources that no station has are dropped.
func (t *trial) badSource(sources ...hardwareAddr) {
	t.introduce(alice)
	for _, from := range sources {
		t.put(ether(t.own, from, typeIPv4, echo4(alice.ipv4, ownIPv4, t.token())))
		f := request(bob, everybody, ownIPv4)
		copy(f[6:12], from[:])
		t.put(f)
		t.silence(fmt.Sprintf("frames from % x", from), either(isAnyEchoReply, isReplyTo(bob)))
	}
	t.wantUnknown(t.listen(ipv4.ProtocolNumber), "after such a request", bob)
}

// data returns n bytes, none of them zero, no two lengths alike.
func data(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i+n) | 1
	}
	return b
}
