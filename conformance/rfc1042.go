package conformance

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// snap is the LLC and SNAP headers of RFC 1042 for an EtherType.
func snap(typ uint16) string {
	return string([]byte{0xaa, 0xaa, 3, 0, 0, 0, byte(typ >> 8), byte(typ)})
}

const snapLen = 8

// ieee makes an 802.3 frame with LLC and SNAP, whose length field is off by so
// much, padded as Ethernet wants.
func ieee(to, from hardwareAddr, typ uint16, off int, payload []byte) frame {
	length := snapLen + len(payload) + off
	return ether(to, from, uint16(length), []byte(snap(typ)), payload).padded(minFrame)
}

// RFC 1042: IP and ARP in IEEE 802.3 frames.
var rfc1042 = []check{
	{
		requirement: "R12", clause: "RFC 1122 §2.3.3", name: "ipv4_in_802_3", level: Should,
		asks: "IPv4 that comes in an 802.3 frame with LLC and SNAP (RFC 1042) is received.",
		test: func(t *trial) {
			t.introduce(alice)
			for _, n := range []int{0, 100, 1492 - 28} {
				d := data(n)
				t.put(ieee(t.own, alice.hw, typeIPv4, 0, echo4(alice.ipv4, ownIPv4, d)))
				t.once("an answer to an echo request in an 802.3 frame", isEchoReply(d))
			}
		},
	}, {
		requirement: "R12", clause: "RFC 1122 §2.3.3", name: "arp_in_802_3", level: Should,
		asks: "ARP that comes in an 802.3 frame with LLC and SNAP (RFC 1042) is received.",
		test: func(t *trial) {
			m := newARP(opRequest, alice.hw, alice.ipv4, nobody, ownIPv4)
			t.put(ieee(everybody, alice.hw, typeARP, 0, m.bytes()))
			t.once("an answer to a request in an 802.3 frame", isReplyTo(alice))
		},
	}, {
		requirement: "R13", clause: "RFC 1122 §2.3.3", name: "answers_in_rfc894", level: Must,
		asks: "The encapsulation that is sent unless configured otherwise is that of RFC 894, also to who sends 802.3.",
		test: func(t *trial) {
			t.introduce(alice)
			t.receives8023()
			d := t.token()
			t.put(ieee(t.own, alice.hw, typeIPv4, 0, echo4(alice.ipv4, ownIPv4, d)))
			f := t.want("an echo reply", isEchoReply(d))
			t.equal("the Ethernet header", f[:headerLen], ether(alice.hw, t.own, typeIPv4))
		},
	}, {
		requirement: "R16", clause: "IEEE 802.3 §3.2.6", name: "length_field", level: Must,
		asks: "The payload of an 802.3 frame is as long as its length field says: what follows is padding.",
		test: func(t *trial) {
			t.introduce(alice)
			t.receives8023()
			short := data(10) // 38 bytes of IP in a frame of 60
			t.put(ieee(t.own, alice.hw, typeIPv4, 0, echo4(alice.ipv4, ownIPv4, short)))
			t.want("an answer to what was padded", isEchoReply(short))
			// The length ends the packet before its own: the rest is padding.
			t.put(ieee(t.own, alice.hw, typeIPv4, -4, echo4(alice.ipv4, ownIPv4, data(100))))
			m := newARP(opRequest, bob.hw, bob.ipv4, nobody, ownIPv4)
			t.put(ieee(everybody, bob.hw, typeARP, -1, m.bytes()))
			t.silence("packets cut off by the length field", either(isAnyEchoReply, isReplyTo(bob)))
		},
	}, {
		requirement: "R16", clause: "IEEE 802.3 §3.2.6", name: "length_too_large", level: Must,
		asks: "A frame whose length field is larger than what is there is dropped.",
		test: func(t *trial) {
			t.introduce(alice)
			t.receives8023()
			t.put(ieee(t.own, alice.hw, typeIPv4, 1, echo4(alice.ipv4, ownIPv4, data(100))))
			t.put(ieee(t.own, alice.hw, typeIPv4, 1000, echo4(alice.ipv4, ownIPv4, data(100))))
			t.silence("frames with a length that is not there", isAnyEchoReply)
		},
	}, {
		requirement: "R12", clause: "RFC 1042, header format", name: "other_llc", level: Must,
		asks: "An 802.3 frame that is not for SNAP with an organization code of zero carries no IP, however it looks.",
		test: func(t *trial) {
			t.introduce(alice)
			packet := echo4(alice.ipv4, ownIPv4, data(100))
			for _, head := range []string{
				"\x42\x42\x03\x00\x00\x00\x08\x00", // spanning tree
				"\xaa\xaa\x03\x00\x00\x0c\x08\x00", // another organization
				"\xaa\xaa\x00\x00\x00\x00\x08\x00", // not unnumbered information
				"\x06\x06\x03",                     // IP by its number in LLC, which nobody uses
				"",                                 // IP right behind the length
			} {
				t.put(ether(t.own, alice.hw, uint16(len(head)+len(packet)), []byte(head), packet))
			}
			for n := range snapLen {
				t.put(ether(t.own, alice.hw, uint16(n), []byte(snap(typeIPv4))[:n]))
			}
			t.silence("802.3 frames without SNAP", func(f frame) bool {
				m, ok := f.icmp4()
				return ok && m.Type() == header.ICMPv4EchoReply
			})
		},
	},
}

// receives8023 skips a check if 802.3 frames are not received at all, which is
// another check's concern.
func (t *trial) receives8023() {
	d := t.token()
	t.put(ieee(t.own, alice.hw, typeIPv4, 0, echo4(alice.ipv4, ownIPv4, d)))
	t.settle()
	if t.take(isEchoReply(d)) == nil {
		t.skip("the endpoint receives no 802.3 frames")
	}
}
