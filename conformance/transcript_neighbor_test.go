package conformance

import (
	"net/netip"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

// neighborScenes are about neighbors: how they are found, kept and lost.
var neighborScenes = []scene{
	{
		file: "cold-resolution",
		says: `A sends three packets to a neighbor that it does not know: they wait, one
request is sent for all (RFC 826; RFC 1122 2.3.2), and the answer lets them go in
order. B, who was asked, knows A from then on, and a packet from it needs no
request.`,
		play: func(s *stage) {
			a, b := s.enter("10.0.0.1", ethstack.Options{}), s.enter("10.0.0.2", ethstack.Options{})
			s.send(a, "10.0.0.2", 1, 3)
			s.pass(500 * time.Millisecond)
			s.send(a, "10.0.0.2", 4, 4)
			s.send(b, "10.0.0.1", 1, 1)
			s.pass(500 * time.Millisecond)
		},
	}, {
		file: "no-answer",
		says: `Nobody has 10.0.0.2. Three requests, one a second (RFC 1122 2.3.2.1), then the
packets that wait are given up and the next hop is held to have failed: others are
refused at once, and asked for no more than once a second. 20 s after the last of
them that is forgotten. Then a host with the address comes.`,
		play: func(s *stage) {
			a := s.enter("10.0.0.1", ethstack.Options{})
			s.send(a, "10.0.0.2", 1, 2)
			s.pass(3500 * time.Millisecond)
			for n := 3; n <= 6; n++ {
				s.send(a, "10.0.0.2", n, n)
				s.pass(400 * time.Millisecond)
			}
			s.pass(30 * time.Second)
			s.enter("10.0.0.2", ethstack.Options{})
			s.send(a, "10.0.0.2", 7, 7)
			s.pass(time.Second)
		},
	}, {
		file: "ageing",
		says: `A neighbor that answered is reachable for 15 to 45 s, then stale. The first packet
that uses a stale one goes at once; 5 s later the neighbor is asked, by unicast (RFC
1122 2.3.2.1, method 2). It answers, once. Then its link is down: three requests
without an answer, and it is removed. Who uses nobody is asked nothing: that one is
removed after a minute.`,
		play: func(s *stage) {
			a, b := s.enter("10.0.0.1", ethstack.Options{}), s.enter("10.0.0.2", ethstack.Options{})
			s.send(a, "10.0.0.2", 1, 1)
			s.pass(46 * time.Second)
			s.send(a, "10.0.0.2", 2, 2)
			s.pass(50 * time.Second)
			s.says(b, "is unplugged")
			b.port.SetLinkState(ethstack.LinkDown)
			s.send(a, "10.0.0.2", 3, 3)
			s.pass(time.Minute)
			s.says(b, "is plugged in")
			b.port.SetLinkState(ethstack.LinkUp)
			s.pass(5 * time.Second)
			s.send(a, "10.0.0.2", 4, 4)
			s.pass(2 * time.Minute)
		},
	}, {
		file: "fail-over",
		says: `10.0.0.2 moves from B, which is dead, to C, which announces it. That could as
well be a forgery: so A asks B, twice in 50 ms, and packets go to B meanwhile. B is
silent, so it is true.`,
		play: func(s *stage) {
			a, b, c := s.enter("10.0.0.1", ethstack.Options{}), s.enter("10.0.0.2", ethstack.Options{}), s.enter("10.0.0.3", ethstack.Options{})
			s.send(a, "10.0.0.2", 1, 1)
			s.pass(5 * time.Second)
			s.says(b, "dies")
			b.port.SetLinkState(ethstack.LinkDown)
			s.add(c, "10.0.0.2")
			s.pass(20 * time.Millisecond)
			s.send(a, "10.0.0.2", 2, 2)
			s.pass(80 * time.Millisecond)
			s.send(a, "10.0.0.2", 3, 3)
			s.pass(10 * time.Second)
		},
	}, {
		file: "forgery",
		says: `C says that 10.0.0.2 is at C, in an announcement to everybody and in a reply to A
alone. A asks B, which is there: rejected. B hears the announcement itself, and
defends its address (RFC 5227 2.4(c)).`,
		play: func(s *stage) {
			a, b, c := s.enter("10.0.0.1", ethstack.Options{}), s.enter("10.0.0.2", ethstack.Options{}), s.enter("", ethstack.Options{})
			s.send(a, "10.0.0.2", 1, 1)
			s.pass(5 * time.Second)
			s.forge(c, arp.Broadcast, announcement("10.0.0.2", c))
			s.pass(10 * time.Millisecond)
			s.send(a, "10.0.0.2", 2, 2)
			s.pass(5 * time.Second)
			reply := announcement("10.0.0.2", c)
			reply.Operation, reply.TargetHardwareAddr, reply.TargetAddr = arp.OperationReply, a.hw, netip.MustParseAddr("10.0.0.1")
			s.forge(c, a.hw, reply)
			s.pass(10 * time.Millisecond)
			s.send(a, "10.0.0.2", 3, 3)
			s.send(b, "10.0.0.1", 1, 1)
			s.pass(time.Second)
		},
	}, {
		file: "static",
		says: `A static neighbor is not asked for, and nothing that comes in changes it. When it
is removed, ARP has its turn.`,
		play: func(s *stage) {
			a := s.enter("10.0.0.1", ethstack.Options{})
			c := s.enter("10.0.0.2", ethstack.Options{})
			s.says(a, "is given a static neighbor, 10.0.0.2 at 02:00:00:00:00:99")
			if err := a.Interface().AddStaticNeighbor(netip.MustParseAddr("10.0.0.2"), ethstack.HardwareAddr{2, 5: 0x99}); err != nil {
				s.t.Fatal(err)
			}
			s.send(a, "10.0.0.2", 1, 1)
			s.forge(c, arp.Broadcast, announcement("10.0.0.2", c))
			s.pass(10 * time.Minute)
			s.send(a, "10.0.0.2", 2, 2)
			a.Interface().RemoveNeighbor(netip.MustParseAddr("10.0.0.2"))
			s.send(a, "10.0.0.2", 3, 3)
			s.pass(time.Second)
		},
	}, {
		file: "link-down-and-up",
		says: `When a link goes down, its neighbors are forgotten and what waits is given up:
nobody knows who will be there. When it comes up, addresses are announced anew.`,
		play: func(s *stage) {
			a := s.enter("10.0.0.1", ethstack.Options{})
			s.enter("10.0.0.2", ethstack.Options{})
			s.send(a, "10.0.0.2", 1, 1)
			s.pass(time.Second)
			s.send(a, "10.0.0.9", 2, 2)
			s.pass(100 * time.Millisecond)
			s.plug(a, ethstack.LinkDown)
			s.pass(time.Second)
			s.send(a, "10.0.0.2", 3, 3)
			s.pass(500 * time.Millisecond)
			s.plug(a, ethstack.LinkUp)
			s.pass(5 * time.Second)
		},
	}, {
		file: "flush",
		says: `A flush forgets all neighbors but the static ones, and gives up what waits. What
was asked for less than a second ago is not asked for again before that second is
over.`,
		play: func(s *stage) {
			a := s.enter("10.0.0.1", ethstack.Options{})
			s.enter("10.0.0.2", ethstack.Options{})
			s.send(a, "10.0.0.2", 1, 1)
			s.pass(2 * time.Second)
			s.send(a, "10.0.0.9", 2, 2)
			s.pass(300 * time.Millisecond)
			s.says(a, "flushes its neighbors")
			a.Interface().FlushNeighbors()
			s.send(a, "10.0.0.2", 3, 3)
			s.send(a, "10.0.0.9", 4, 4)
			s.pass(900 * time.Millisecond)
		},
	},
}

// add gives a host a further address.
func (s *stage) add(h *lanHost, addr string) {
	s.says(h, "has %s from now on", addr)
	if err := h.AddIPv4(netip.MustParseAddr(addr)); err != nil {
		s.t.Fatal(err)
	}
}

// plug changes the state of a host's link.
func (s *stage) plug(h *lanHost, state ethstack.LinkState) {
	s.says(h, "has a link that is %v", state)
	h.port.SetLinkState(state)
}
