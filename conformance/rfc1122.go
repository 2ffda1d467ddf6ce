package conformance

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// RFC 1122 §2: what a host's link layer has to do about resolution.
var rfc1122 = []check{
	{
		requirement: "R25", clause: "RFC 1122 §2.3.2.1", name: "out_of_date_entries", level: Must,
		asks: "The address of a neighbor that does not answer any more is given up although it is used, so that its successor is found.",
		test: func(t *trial) {
			const seconds = 120
			t.takes(seconds * time.Second)
			s := t.listen(ipv4.ProtocolNumber)
			t.ask(alice)
			successor := alice.movedTo(1)
			for range seconds {
				t.elapse(time.Second)
				d := t.token()
				s.send(alice.ipv4, d)
				t.listenFor(time.Millisecond)
				// A poll goes to the old address, where nobody is any more.
				if t.take(broadcastRequestFor(alice.ipv4)) != nil {
					t.put(reply(successor, t.own))
					t.wantTo("the datagram after its next hop was found", t.want("the datagram", isDatagram(d)), successor.hw)
					return
				}
			}
			t.errorf("after %d s packets still go to the old address", seconds)
		},
	}, {
		requirement: "R26", clause: "RFC 1122 §2.3.2.1", name: "one_request_per_second", level: Must,
		asks: "There is at most one broadcast request per second for one destination, however much is sent to it.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			const seconds, perSecond = 12, 10
			t.takes(seconds * time.Second)
			requests, start := 0, t.Clock.Elapsed()
			for range seconds * perSecond {
				s.send(alice.ipv4, t.token())
				t.listenFor(time.Millisecond)
				for t.take(broadcastRequestFor(alice.ipv4)) != nil {
					requests++
				}
				t.elapse(time.Second / perSecond)
			}
			// Real time has passed, too.
			passed := t.Clock.Elapsed() - start
			if most := int(passed/time.Second) + 1; requests == 0 || requests > most {
				t.errorf("%d requests in %v, want at least 1 and at most %d", requests, passed, most)
			}
		},
	}, {
		requirement: "R26", clause: "RFC 1122 §2.3.2.1", name: "one_request_for_a_burst", level: Must,
		asks: "Many packets at once to one destination make one request.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			for range 50 {
				s.send(alice.ipv4, t.token())
			}
			t.once("a request", isRequestFor(alice.ipv4))
		},
	}, {
		requirement: "R26", clause: "RFC 1122 §2.3.2.1", name: "destinations_apart", level: Must,
		asks: "The limit is one destination's: another one is asked for at once.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			for range 20 {
				p := t.stranger()
				s.send(p.ipv4, t.token())
				t.want("a request at once for each destination", isRequestFor(p.ipv4))
			}
		},
	}, {
		requirement: "R27", clause: "RFC 1122 §2.3.2.2", name: "latest_packet_is_kept", level: Should,
		asks: "At least the latest packet to a destination that is not resolved is kept, and sent when it is.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			for range 9 {
				s.send(alice.ipv4, t.token())
			}
			last := t.token()
			s.send(alice.ipv4, last)
			t.want("a request", isRequestFor(alice.ipv4))
			t.put(reply(alice, t.own))
			t.wantTo("the latest packet", t.want("the latest packet", isDatagram(last)), alice.hw)
		},
	}, {
		requirement: "R27", clause: "RFC 1122 §2.3.2.2", name: "first_datagram_in_fragments", level: Should,
		asks: "All fragments of the first datagram to a destination are kept.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.present = []peer{alice}
			size := 5 * int(t.MTU)
			s.send(alice.ipv4, data(size))
			t.fragments(alice, size+header.UDPMinimumSize)
		},
	}, {
		requirement: "R28", clause: "RFC 1122 §2.4", name: "no_error_before_the_answer", level: Must,
		asks: "That there is no entry yet for a destination is no error to who sends to it.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			for range 10 {
				t.noError("Write", s.send(alice.ipv4, t.token()))
			}
			t.want("a request", isRequestFor(alice.ipv4))
			t.settle()
			t.noError("the socket's error", s.LastError())
		},
	}, {
		requirement: "R32", clause: "RFC 1122 §3.3.1.1", name: "gateway", level: Must,
		asks: "What is not on the link goes to the gateway's hardware address; the gateway is asked for, not the destination.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.present = []peer{gateway}
			d := t.token()
			s.send(offLink, d)
			t.wantTo("the datagram", t.want("a datagram by way of the gateway", isDatagram(d)), gateway.hw)
			t.silence("a destination that is not on the link", isRequestFor(offLink))
		},
	}, {
		requirement: "R34", clause: "RFC 1122 §3.2.1.3", name: "impossible_next_hops", level: Should,
		asks: "Nobody is asked for 0.0.0.0/8, 127.0.0.0/8, class E or our own address.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nicID}})
			for _, a := range [][4]byte{{0, 0, 0, 1}, {0, 1, 2, 3}, {127, 0, 0, 1}, {240, 0, 0, 1}, {255, 255, 255, 254}, ownIPv4.As4()} {
				to := tcpip.AddrFrom4(a)
				s.send(to, t.token())
				t.silence("a datagram to "+to.String(), isRequestFor(to))
			}
		},
	},
}

// broadcastRequestFor matches requests for an address that are no polls.
func broadcastRequestFor(a tcpip.Address) func(frame) bool {
	return func(f frame) bool { return isRequestFor(a)(f) && f.to() == everybody }
}
