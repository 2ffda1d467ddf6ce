package conformance

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
)

// Discovery does to IPv6's neighbor discovery what the checks of [Run] do to ARP.
// It is netstack's on every endpoint, so no endpoint fails Run because of it: the
// report is for those who rely on it.
func Discovery(f Factory) (report Report) {
	for _, c := range attacks6 {
		report = append(report, c.try(f, impatient))
	}
	return report
}

var attacks6 = []check{
	forgery6("solicitation", "a solicitation of our address", func(t *trial) frame {
		group := solicitedNode(ownIPv6)
		return ether(group6(group), mallory.hw, typeIPv6, solicitation(mallory.as6(alice.ipv6), group, ownIPv6))
	}),
	forgery6("advertisement", "an advertisement that nobody asked for", func(t *trial) frame {
		return ether(t.own, mallory.hw, typeIPv6,
			neighbor(header.ICMPv6NeighborAdvert, 0x20, alice.ipv6, ownIPv6, alice.ipv6, optionTarget, mallory.hw)) // override
	}),
	forgery6("answer", "an advertisement that says it was asked for", func(t *trial) frame {
		return ether(t.own, mallory.hw, typeIPv6, advertisement(mallory.as6(alice.ipv6), ownIPv6))
	}),
	{
		requirement: "R61", clause: "policy, Linux gc_thresh", name: "flood_of_solicitations", level: Policy,
		asks: "Two thousand senders that solicit us do not push out a neighbor that is in use.",
		test: func(t *trial) {
			s := t.listen(ipv6.ProtocolNumber)
			t.introduce6(alice)
			t.wantKnown6(s, "before", alice)
			group := solicitedNode(ownIPv6)
			for k := range 2000 {
				p := peer{hw: hardwareAddr{2, 0xba, 0xd0, 0, byte(k >> 8), byte(k)}, ipv6: tcpip.AddrFrom16([16]byte{0: 0xfd, 3: 1, 13: 9, 14: byte(k >> 8), 15: byte(k)})}
				t.put(ether(group6(group), p.hw, typeIPv6, solicitation(p, group, ownIPv6)))
				if k%100 == 0 {
					t.settle()
				}
			}
			t.settle()
			t.forget()
			t.wantKnown6(s, "after a flood", alice)
		},
	}, {
		requirement: "R44", clause: "policy, as RFC 5227 §2.4", name: "address_is_defended", level: Policy,
		asks: "When another station advertises our address, that is contradicted.",
		test: func(t *trial) {
			t.forget()
			t.put(ether(group6(header.IPv6AllNodesMulticastAddress), mallory.hw, typeIPv6,
				neighbor(header.ICMPv6NeighborAdvert, 0x20, ownIPv6, header.IPv6AllNodesMulticastAddress, ownIPv6, optionTarget, mallory.hw)))
			t.want("a defense", isAdvertisementOf(ownIPv6))
		},
	},
}

func (p peer) as6(a tcpip.Address) peer {
	p.ipv6 = a
	return p
}

func forgery6(name, what string, lie func(*trial) frame) check {
	return check{
		requirement: "R55", clause: "policy, poisoning", name: "forged_" + name, level: Policy,
		asks: fmt.Sprintf("A neighbor that is there is not replaced by who says in %s that its address is his.", what),
		test: func(t *trial) {
			s := t.listen(ipv6.ProtocolNumber)
			t.introduce6(alice)
			t.wantKnown6(s, "before", alice)
			t.elapse(lockTime)
			t.put(lie(t))
			t.settle()
			t.elapse(verifyTime)
			t.settle()
			t.forget()
			t.wantKnown6(s, "after a lie", alice)
		},
	}
}

// wantKnown6 is wantKnown for IPv6.
func (t *trial) wantKnown6(s *socket, what string, p peer) {
	d := t.token()
	t.noError("Write", s.send(p.ipv6, d))
	f := t.await(func(f frame) bool { return isDatagram(d)(f) || isSolicitationFor(p.ipv6)(f) })
	switch {
	case f == nil:
		t.fatalf("%s: neither a datagram to %v nor a solicitation of it came", what, p.ipv6)
	case !isDatagram(d)(f):
		t.errorf("%s: %v is asked for, which has been heard of", what, p.ipv6)
	default:
		t.wantTo(what+": a datagram to "+p.ipv6.String(), f, p.hw)
	}
}
