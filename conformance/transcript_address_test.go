package conformance

import (
	"net/netip"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

// addressScenes are about our own addresses, and those that we answer for.
var addressScenes = []scene{
	{
		file: "claim",
		says: `A claims an address that nobody has (RFC 5227 2.1.1, 2.3): a random wait, three
probes 1 to 2 s apart, 2 s of silence, then it is A's, which says so twice.`,
		play: func(s *stage) {
			a := s.enter("", ethstack.Options{})
			s.enter("10.0.0.2", ethstack.Options{})
			result := s.claim(a, "10.0.0.7")
			s.pass(20 * time.Second)
			result()
		},
	}, {
		file: "claim-in-use",
		says: `A claims an address that B has. B answers the first probe, as any request, and
learns nobody from it (RFC 5227 2.1.1): A gives up.`,
		play: func(s *stage) {
			a := s.enter("", ethstack.Options{})
			s.enter("10.0.0.7", ethstack.Options{})
			result := s.claim(a, "10.0.0.7")
			s.pass(20 * time.Second)
			result()
		},
	}, {
		file: "claim-twice",
		says: `A and B claim the same address. A probe of another host for the address that one is
about to probe for is a conflict (RFC 5227 2.1.1): B is first, so A gives up.`,
		play: func(s *stage) {
			a, b := s.enter("", ethstack.Options{ARP: arp.Config{Seed: 1}}), s.enter("", ethstack.Options{ARP: arp.Config{Seed: 2}})
			one, two := s.claim(a, "10.0.0.7"), s.claim(b, "10.0.0.7")
			s.pass(20 * time.Second)
			one()
			two()
		},
	}, {
		file: "conflict-defended",
		says: `B uses A's address, three times. A defends it with an announcement, at most once in
10 s (RFC 5227 2.4(c)), and keeps it.`,
		play: func(s *stage) {
			a, b := s.enter("10.0.0.1", ethstack.Options{}), s.enter("", ethstack.Options{})
			for _, wait := range []time.Duration{4 * time.Second, 10 * time.Second, 20 * time.Second} {
				s.forge(b, arp.Broadcast, announcement("10.0.0.1", b))
				s.pass(wait)
			}
			s.has(a)
		},
	}, {
		file: "conflict-given-up",
		says: `The same with RFC 5227 2.4(b): A defends its address once, and gives it up at the
second conflict within 10 s. What it gave up it does not answer for.`,
		play: func(s *stage) {
			a, b := s.enter("10.0.0.1", ethstack.Options{ARP: arp.Config{Defense: arp.DefenseOnce}}), s.enter("10.0.0.2", ethstack.Options{})
			s.forge(b, arp.Broadcast, announcement("10.0.0.1", b))
			s.pass(4 * time.Second)
			s.forge(b, arp.Broadcast, announcement("10.0.0.1", b))
			s.pass(time.Second)
			s.has(a)
			s.send(b, "10.0.0.1", 1, 1)
			s.pass(4 * time.Second)
		},
	}, {
		file: "proxy",
		says: `B answers for 10.1.0.0/24, which is behind it (RFC 1027), after a random delay, so
that a host on this side could answer first.`,
		play: func(s *stage) {
			a := s.enter("10.0.0.1", ethstack.Options{})
			s.enter("10.0.0.2", ethstack.Options{ProxyARP: ethstack.ProxyARP{Prefixes: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")}}})
			s.send(a, "10.1.0.5", 1, 2)
			s.pass(3 * time.Second)
		},
	},
}

// has writes down which addresses a host has.
func (s *stage) has(h *lanHost) { s.says(h, "has the addresses %v", h.IPv4s()) }
