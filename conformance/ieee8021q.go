package conformance

import (
	"fmt"
	"slices"
)

const (
	typeVLAN    = 0x8100
	typeService = 0x88a8
)

// tagged puts tags, each of a type and its content, behind the addresses.
func (f frame) tagged(tags ...uint16) frame {
	var b []byte
	for _, x := range tags {
		b = append(b, byte(x>>8), byte(x))
	}
	return slices.Concat(f[:12], b, f[12:])
}

// IEEE 802.1Q: tags, for a station that no VLAN has been configured for.
var ieee8021Q = []check{
	{
		requirement: "R19", clause: "IEEE 802.1Q §9.6", name: "priority_tag", level: Must,
		asks: "A frame with a tag of VLAN 0 belongs to the untagged network, whatever its priority, and is received.",
		test: func(t *trial) {
			t.introduce(alice)
			for _, tci := range []uint16{0x0000, 0x2000, 0xe000, 0x1000, 0xf000} {
				d := t.token()
				t.put(ether(t.own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, d)).tagged(typeVLAN, tci))
				f := t.want(fmt.Sprintf("an answer to a frame with tag %#04x", tci), isEchoReply(d))
				t.equal("the answer's Ethernet header", f[:headerLen], ether(alice.hw, t.own, typeIPv4))
				t.put(request(bob, everybody, ownIPv4).tagged(typeVLAN, tci))
				t.once(fmt.Sprintf("an answer to a request with tag %#04x", tci), isReplyTo(bob))
			}
		},
	}, {
		requirement: "R19", clause: "IEEE 802.1Q §9.6", name: "foreign_vlan", level: Must,
		asks: "A frame of a VLAN that is not configured is dropped, and so is one of the reserved VLAN 4095.",
		test: func(t *trial) {
			for _, tci := range []uint16{1, 0x123, 0xe123, 4094, 4095, 0xefff} {
				t.ignored(fmt.Sprintf("tag %#04x", tci), typeVLAN, tci)
			}
		},
	}, {
		requirement: "R19", clause: "IEEE 802.1ad §9.5", name: "service_and_nested_tags", level: Policy,
		asks: "Service tags (0x88a8) and tags within tags are dropped unless configured.",
		test: func(t *trial) {
			t.ignored("a service tag", typeService, 5)
			t.ignored("a tag in a service tag", typeService, 5, typeVLAN, 6)
			t.ignored("a tag in a tag", typeVLAN, 5, typeVLAN, 6)
			t.ignored("three tags", typeVLAN, 0, typeVLAN, 0, typeVLAN, 0)
		},
	}, {
		requirement: "R19", clause: "IEEE 802.1Q §9.3", name: "truncated_tag", level: Must,
		asks: "A frame that ends within its tag is dropped.",
		test: func(t *trial) {
			whole := request(alice, everybody, ownIPv4).tagged(typeVLAN, 0)
			for n := headerLen; n < headerLen+4+arpLen; n++ {
				t.put(whole[:n])
			}
			t.silence("tagged frames that are cut off", isReplyTo(alice))
		},
	},
}

// ignored checks that frames with such tags are dropped.
func (t *trial) ignored(what string, tags ...uint16) {
	p := t.stranger()
	t.ask(alice)
	t.put(request(p, everybody, ownIPv4).tagged(tags...))
	t.put(ether(t.own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, t.token())).tagged(tags...))
	t.silence(what, either(isReplyTo(p), isAnyEchoReply))
}
