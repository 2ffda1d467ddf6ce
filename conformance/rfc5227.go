package conformance

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

var unspecified = tcpip.AddrFrom4([4]byte{})

// RFC 5227 and RFC 3927 on probes, announcements and link-local addresses.
var rfc5227 = []check{
	{
		requirement: "R43", clause: "RFC 5227 §2.3", name: "announcement", level: Must,
		asks: "An address is announced when it is taken into use: by a broadcast request whose sender and target are both the address.",
		test: func(t *trial) {
			t.put(request(alice, everybody, ownIPv4)) // shows that it is in use
			f := t.want("an announcement", isAnnouncementOf(ownIPv4))
			want := ether(everybody, t.own, typeARP, newARP(opRequest, t.own, ownIPv4, nobody, ownIPv4).bytes())
			t.equal("the announcement", f[:len(want)], want)
		},
	}, {
		requirement: "R46", clause: "RFC 5227 §2.5", name: "probe_is_answered", level: Must,
		asks: "A probe for our address is answered as any request, to the hardware address that it comes from.",
		test: func(t *trial) {
			t.put(request(peer{hw: alice.hw, ipv4: unspecified}, everybody, ownIPv4))
			f := t.once("an answer to a probe", isReplyFor(ownIPv4))
			want := ether(alice.hw, t.own, typeARP, newARP(opReply, t.own, ownIPv4, alice.hw, unspecified).bytes())
			t.equal("the answer", f[:len(want)], want)
		},
	}, {
		requirement: "R46", clause: "RFC 5227 §2.1.1", name: "probe_teaches_nothing", level: Must,
		asks: "A probe tells no address of its sender: neither 0.0.0.0 nor the address that it is for is learned.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.put(request(peer{hw: alice.hw, ipv4: unspecified}, everybody, alice.ipv4))
			t.settle()
			t.wantUnknown(s, "after a probe for an address", alice)
			t.put(request(peer{hw: alice.hw, ipv4: unspecified}, everybody, ownIPv4))
			t.settle()
			t.wantNoNeighbor(unspecified)
		},
	}, {
		requirement: "R48", clause: "RFC 3927 §2.5", name: "link_local_replies_are_broadcast", level: Must,
		asks: "ARP whose sender address is in 169.254/16 is broadcast, also a reply.",
		test: func(t *trial) {
			linkLocal := tcpip.AddrFrom4([4]byte{169, 254, 1, 2})
			t.addAddress(ipv4.ProtocolNumber, linkLocal, 16)
			t.put(request(peer{hw: alice.hw, ipv4: tcpip.AddrFrom4([4]byte{169, 254, 1, 3})}, everybody, linkLocal))
			t.wantTo("the reply for a link-local address", t.once("a reply", isReplyFor(linkLocal)), everybody)
		},
	},
}
