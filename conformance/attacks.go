package conformance

import (
	"fmt"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// mallory says of others what is not so.
var mallory = newPeer(66)

// as returns what mallory says to be.
func (p peer) as(a tcpip.Address) peer {
	p.ipv4 = a
	return p
}

// Poisoning, floods, and thefts of our address. No standard asks for protection
// from the first two; that the answers to an address are a MUST is RFC 5227's.
var attacks = []check{
	forgery("request_to_us", "a request to us alone",
		func(t *trial) frame { return request(mallory.as(alice.ipv4), t.own, ownIPv4) }),
	forgery("request_to_all", "a request for us to everybody",
		func(t *trial) frame { return request(mallory.as(alice.ipv4), everybody, ownIPv4) }),
	forgery("request_for_another", "a request for a third host",
		func(t *trial) frame { return request(mallory.as(alice.ipv4), everybody, bob.ipv4) }),
	forgery("reply", "a reply to us",
		func(t *trial) frame { return reply(mallory.as(alice.ipv4), t.own) }),
	forgery("announcement", "an announcement",
		func(t *trial) frame { return request(mallory.as(alice.ipv4), everybody, alice.ipv4) }),
	forgery("announcement_reply", "an announcement of the older form",
		func(t *trial) frame {
			return ether(everybody, mallory.hw, typeARP, newARP(opReply, mallory.hw, alice.ipv4, everybody, alice.ipv4).bytes())
		}),
	{
		requirement: "R61", clause: "policy, Linux gc_thresh", name: "flood_of_senders", level: Policy,
		asks: "Two thousand senders that ask for us do not push out a neighbor that is in use.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.introduce(alice)
			t.wantKnown(s, "before", alice)
			for k := range 2000 {
				p := peer{hw: hardwareAddr{2, 0xba, 0xd0, 0, byte(k >> 8), byte(k)}, ipv4: tcpip.AddrFrom4([4]byte{10, 1, byte(1 + k>>8), byte(k)})}
				t.put(request(p, everybody, ownIPv4))
				if k%100 == 0 { // no flood comes in no time
					t.elapse(10 * time.Millisecond)
					t.settle()
				}
			}
			t.settle()
			t.forget()
			t.wantKnown(s, "after a flood", alice)
		},
	}, {
		requirement: "R57", clause: "policy, sender protocol address", name: "off_subnet_senders", level: Policy,
		asks: "A sender that is in no subnet of ours is not learned.",
		test: func(t *trial) {
			p := peer{hw: mallory.hw, ipv4: offLink}
			t.put(request(p, everybody, ownIPv4))
			t.settle()
			t.wantNoNeighbor(offLink)
			t.introduce(gateway)
			s := t.listen(ipv4.ProtocolNumber)
			data, _ := t.sent(s, offLink)
			if data == nil {
				t.errorf("what is for %v does not go to the gateway", offLink)
				return
			}
			t.wantTo("a datagram for a sender off the link", data, gateway.hw)
		},
	}, {
		requirement: "R44", clause: "RFC 5227 §2.4", name: "address_is_defended", level: Must,
		asks: "When another station uses our address it is given up or defended, by an announcement.",
		test: func(t *trial) {
			t.ask(bob)
			t.announced()
			t.put(request(mallory.as(ownIPv4), everybody, bob.ipv4))
			f := t.want("a defense", isAnnouncementOf(ownIPv4))
			t.equal("the defense", f[:headerLen+arpLen], ether(everybody, t.own, typeARP, newARP(opRequest, t.own, ownIPv4, nobody, ownIPv4).bytes()))
		},
	}, {
		requirement: "R44", clause: "RFC 5227 §2.4", name: "defense_is_limited", level: Must,
		asks: "It is defended no more than once in ten seconds, however often it is used.",
		test: func(t *trial) {
			t.ask(bob)
			t.announced()
			for range 100 {
				t.put(reply(mallory.as(ownIPv4), t.own))
			}
			t.settle()
			n := 0
			for t.take(isAnnouncementOf(ownIPv4)) != nil {
				n++
			}
			if n > 1 {
				t.errorf("after 100 packets there were %d defenses, want one", n)
			}
		},
	},
}

// forgery is the check that a neighbor that is there is still sent to when
// somebody else says that its address is his.
func forgery(name, what string, lie func(*trial) frame) check {
	return check{
		requirement: "R55", clause: "policy, poisoning", name: "forged_" + name, level: Policy,
		asks: fmt.Sprintf("A neighbor that is there is not replaced by who says in %s that its address is his.", what),
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.introduce(alice)
			t.wantKnown(s, "before", alice)
			t.elapse(lockTime)
			t.put(lie(t))
			t.settle()
			t.settle() // who is asked has answered
			t.elapse(verifyTime)
			t.settle()
			t.forget()
			t.wantKnown(s, "after a lie", alice)
		},
	}
}

// announced waits until the announcements of our address, which was asked for,
// are over.
func (t *trial) announced() {
	t.elapse(3 * time.Second)
	t.settle()
	t.forget()
}

func isAnnouncementOf(a tcpip.Address) func(frame) bool {
	return func(f frame) bool {
		m, ok := f.arp()
		return ok && m.spa == a && m.tpa == a
	}
}
