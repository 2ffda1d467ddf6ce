package conformance

import (
	"fmt"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// The life of a neighbor's entry, as far as the wire shows it.
var neighbors = []check{
	{
		requirement: "R63", clause: "RFC 1122 §2.3.2.1", name: "polls_are_unicast", level: Policy,
		asks: "Whether a neighbor that is in use is still there is asked at its own hardware address first, and not by broadcast.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.ask(alice) // and then she is gone
			f := t.nextRequest(s, 2*time.Minute)
			if f == nil {
				t.fatalf("in two minutes nobody has asked whether the neighbor is still there")
			}
			t.wantTo("the first poll", f, alice.hw)
			want := ether(alice.hw, t.own, typeARP, newARP(opRequest, t.own, ownIPv4, nobody, alice.ipv4).bytes())
			f = f[:len(want)]
			copy(f[headerLen+18:], nobody[:]) // a poll may tell whom it means
			t.equal("the poll", f, want)
		},
	}, {
		requirement: "R63", clause: "RFC 1122 §2.3.2.1", name: "answered_polls", level: Policy,
		asks: "A neighbor that answers polls is never asked for by broadcast, and what is sent to it never waits.",
		test: func(t *trial) {
			t.takes(5 * time.Minute)
			s := t.listen(ipv4.ProtocolNumber)
			t.introduce(alice)
			for range 5 * 60 {
				t.elapse(time.Second)
				d := t.token()
				s.send(alice.ipv4, d)
				t.wantTo("a datagram", t.want("a datagram", isDatagram(d)), alice.hw)
				t.sync() // a poll has been answered
			}
			t.silence("a neighbor that answers", broadcastRequestFor(alice.ipv4))
		},
	}, {
		requirement: "R63", clause: "policy, RFC 4861 §7.3.2", name: "idle_neighbor", level: Policy,
		asks: "A neighbor that nothing is sent to is not polled.",
		test: func(t *trial) {
			t.takes(time.Hour)
			s := t.listen(ipv4.ProtocolNumber)
			t.introduce(alice)
			t.wantKnown(s, "before", alice)
			// What was in use a moment ago may still be polled.
			t.seconds(60)
			t.forget()
			for range 60 {
				t.elapse(time.Minute)
			}
			t.silence("an hour without traffic", isRequestFor(alice.ipv4))
		},
	}, {
		requirement: "R63", clause: "policy, Linux mcast_solicit", name: "absent_host", level: Policy,
		asks: "An absent host is asked for again, a few times, about a second apart; then that ends until something else is sent to it.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.takes(time.Minute)
			s.send(alice.ipv4, t.token())
			asked := 0
			for range 60 {
				t.listenFor(time.Millisecond)
				for t.take(isRequestFor(alice.ipv4)) != nil {
					asked++
				}
				t.elapse(time.Second)
			}
			if asked < 2 || asked > 6 {
				t.errorf("there were %d requests because of one datagram, want from 2 to 6", asked)
			}
		},
	}, {
		requirement: "R63", clause: "policy, Linux mcast_solicit", name: "absent_host_comes_back", level: Policy,
		asks: "A host that was absent for long is asked for again when something is sent to it, and found.",
		test: func(t *trial) {
			t.takes(2 * time.Minute)
			s := t.listen(ipv4.ProtocolNumber)
			for range 10 {
				s.send(alice.ipv4, t.token())
				t.elapse(time.Second)
			}
			t.seconds(60)
			t.forget()
			t.present = []peer{alice}
			d := t.token()
			t.noError("Write", s.send(alice.ipv4, d))
			t.wantTo("a datagram", t.want("a datagram", isDatagram(d)), alice.hw)
		},
	}, {
		requirement: "R56", clause: "policy, Linux arp_process", name: "unicast_reply_confirms", level: Policy,
		asks: "An answer to us shows that a neighbor is there: for ten seconds it is not polled.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.answered(s, t.own)
			if f := t.nextRequest(s, 10*time.Second); f != nil {
				t.errorf("a neighbor that has just answered is asked for: %v", f)
			}
		},
	}, {
		requirement: "R56", clause: "policy, Linux arp_process", name: "broadcast_reply_is_verified", level: Policy,
		asks: "An answer to everybody is used, and verified by a poll within ten seconds.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.answered(s, everybody)
			if f := t.nextRequest(s, 10*time.Second); f == nil {
				t.errorf("nobody verifies an answer that everybody got")
			}
		},
	}, {
		requirement: "R55", clause: "policy, Linux locktime", name: "first_reply_wins", level: Policy,
		asks: "Of two answers at once from different hardware addresses the first is believed.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.answered(s, t.own)
			t.put(reply(mallory.as(alice.ipv4), t.own))
			t.settle()
			t.wantKnown(s, "after a second answer", alice)
		},
	}, {
		requirement: "R60", clause: "policy, Linux arp_announce", name: "sender_in_subnet", level: Policy,
		asks: "The sender of a request is our address in the subnet of the target.",
		test: func(t *trial) {
			own, to := tcpip.AddrFrom4([4]byte{10, 2, 0, 2}), tcpip.AddrFrom4([4]byte{10, 2, 0, 9})
			t.addAddress(ipv4.ProtocolNumber, own, 24)
			t.stack.AddRoute(tcpip.Route{Destination: tcpip.AddressWithPrefix{Address: own, PrefixLen: 24}.Subnet(), NIC: nicID})
			s := t.listen(ipv4.ProtocolNumber)
			for _, tt := range [][2]tcpip.Address{{own, to}, {ownIPv4, alice.ipv4}} {
				_, f := t.sent(s, tt[1])
				if m, ok := f.arp(); !ok || m.spa != tt[0] {
					t.errorf("a request for %v: %v, want the sender %v", tt[1], f, tt[0])
				}
			}
		},
	}, {
		requirement: "R61", clause: "policy, Linux gc_thresh", name: "scan_of_a_subnet", level: Policy,
		asks: "Sending to a thousand hosts that are not there does not push out a neighbor that is.",
		test: func(t *trial) {
			t.noError("RemoveAddress", t.stack.RemoveAddress(nicID, ownIPv4))
			t.addAddress(ipv4.ProtocolNumber, ownIPv4, 16)
			t.stack.AddRoute(tcpip.Route{Destination: tcpip.AddressWithPrefix{Address: ownIPv4, PrefixLen: 16}.Subnet(), NIC: nicID})
			s := t.listen(ipv4.ProtocolNumber)
			t.introduce(alice)
			t.wantKnown(s, "before", alice)
			for k := range 1000 {
				s.send(tcpip.AddrFrom4([4]byte{10, 1, byte(1 + k>>8), byte(k)}), t.token())
				if k%100 == 0 {
					t.elapse(10 * time.Millisecond)
					t.settle()
				}
			}
			t.settle()
			t.forget()
			t.wantKnown(s, "after a scan", alice)
		},
	}, {
		requirement: "R62", clause: "policy, Linux unres_qlen_bytes", name: "waiting_packets", level: Policy,
		asks: "What waits for a next hop is bounded, and what is left at the end is sent in order.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			const most = 1 << 20
			s.SocketOptions().SetSendBufferSize(4*most, true) // no limit of its own
			size := int(t.MTU) - 28
			n := 4 * most / size
			for k := range n {
				s.send(alice.ipv4, fmt.Appendf(nil, "%08d%s", k, data(size-8)))
			}
			t.want("a request", isRequestFor(alice.ipv4))
			t.put(reply(alice, t.own))
			last, sum := -1, 0
			for f := t.want("what has waited", isAnyDatagram); f != nil; f = t.take(isAnyDatagram) {
				d, _ := f.datagram()
				var k int
				if fmt.Sscanf(string(d[:8]), "%08d", &k); k <= last {
					t.fatalf("packet %d was sent after %d", k, last)
				}
				last, sum = k, sum+len(f)
				t.listenFor(time.Millisecond)
			}
			if sum > most {
				t.errorf("%d bytes have waited for one next hop, want at most %d", sum, most)
			}
		},
	}, {
		requirement: "R65", clause: "policy, Linux arp_notify", name: "new_hardware_address", level: Policy,
		asks: "A change of the hardware address is announced: others would send to the old one.",
		test: func(t *trial) {
			t.ask(alice)
			t.announced()
			t.changeAddress()
			f := t.want("an announcement", isAnnouncementOf(ownIPv4))
			want := ether(everybody, t.own, typeARP, newARP(opRequest, t.own, ownIPv4, nobody, ownIPv4).bytes())
			t.equal("the announcement", f[:len(want)], want)
		},
	}, {
		requirement: "R65", clause: "policy, Linux arp_notify", name: "link_up", level: Policy,
		asks: "When the link has come up, the address is announced.",
		test: func(t *trial) {
			t.interrupt()
			t.want("an announcement", isAnnouncementOf(ownIPv4))
		},
	}, {
		requirement: "R64", clause: "policy, Linux arp_evict_nocarrier", name: "link_down", level: Policy,
		asks: "When the link has gone down and come up, nobody is believed to be where it was.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.answered(s, t.own)
			moved := alice.movedTo(3)
			t.present = []peer{moved}
			t.interrupt()
			for range 6 { // half a second each: too little for polls to tell
				d := t.token()
				s.send(alice.ipv4, d)
				t.elapse(time.Second / 2)
				t.listenFor(grace)
				if f := t.take(isDatagram(d)); f != nil && f.to() == moved.hw {
					return
				}
			}
			t.errorf("what is sent to who has another hardware address now does not go there")
		},
	},
}

// isAnyDatagram matches datagrams.
func isAnyDatagram(f frame) bool {
	_, ok := f.datagram()
	return ok
}

// seconds lets so many pass, in each of which the endpoint may do something.
func (t *trial) seconds(n int) {
	for range n {
		t.elapse(time.Second)
		t.listenFor(time.Millisecond)
	}
}

// nextRequest sends to alice each second, and returns the first request for her
// that there is within the time; nil if there is none.
func (t *trial) nextRequest(s *socket, within time.Duration) frame {
	t.takes(within)
	for range within / time.Second {
		t.elapse(time.Second)
		s.send(alice.ipv4, t.token())
		t.listenFor(time.Millisecond)
		if f := t.take(isRequestFor(alice.ipv4)); f != nil {
			return f
		}
	}
	return nil
}

// answered has alice answer the request for her, in a frame to whom it says.
func (t *trial) answered(s *socket, to hardwareAddr) {
	d := t.token()
	s.send(alice.ipv4, d)
	t.want("a request", isRequestFor(alice.ipv4))
	t.put(reply(alice, to))
	t.wantTo("the datagram that waited", t.want("the datagram that waited", isDatagram(d)), alice.hw)
}

// interrupt takes the link down for a while, and up again.
func (t *trial) interrupt() {
	if t.SetLink == nil {
		t.skip("the subject has no SetLink")
	}
	t.ask(bob)
	t.announced()
	t.SetLink(false)
	t.listenFor(grace) // it is told of that by another goroutine
	t.elapse(5 * time.Second)
	t.forget()
	t.SetLink(true)
}
