// Package arp is the Address Resolution Protocol for IPv4 over Ethernet
// (RFC 826, RFC 1122 §2.3.2) as a state machine without a clock, a goroutine,
// a lock, or a network: a [Handler] is told what happened and when, and fills
// in what to do about it.
//
//	var a arp.Actions[P]
//	result := h.Query(now, nextHop, source, size, packet, &a)
//	// apply a.Updates, transmit a.Send, send a.Release, give up a.Drop
//	a.Reset()
//
// P is whatever waits for an address: a packet, a channel, in a test a number.
// The same state, the same inputs and the same [Config].Seed give the same
// actions: that is a promise, and tests and simulations may build on it.
// Package ethstack is the shell that runs a Handler on a device.
//
// # Words
//
//	RFC 826                 here
//	ar$sha, ar$spa          SenderHardwareAddr, SenderAddr
//	ar$tha, ar$tpa          TargetHardwareAddr, TargetAddr
//	translation table       the neighbors, see [Handler.Entries]
//	gratuitous ARP          announcement, see [Packet.IsAnnouncement]
//
// # The states of an entry
//
// The names are RFC 4861's, whose neighbor unreachability detection is what
// RFC 1122 §2.3.2.1 asks of ARP under "unicast poll". Failed and Static are
// added.
//
//	            Query                 an answer
//	(no entry) ──────▶ Incomplete ────────────────▶ Reachable ◀──────────┐
//	    │                  │ ▲                          │ ReachableTime   │
//	    │                  │ │ Wait                     ▼                 │
//	    │  no answer to    │ │        somebody asks   Stale ──▶ removed   │ answer
//	    │  MaxRequests     ▼ │        us for ours ────▶ │   StaleTime      │
//	    │                 Failed                        │ a packet is sent │
//	    │                  │ FailedTime                 ▼                  │
//	    │                  ▼                          Delay               │
//	    │ AddStatic     removed                         │ DelayTime        │
//	    └─────────▶ Static                              ▼                  │
//	                                                  Probe ──────────────┘
//	                                                    │ no answer to MaxProbes
//	                                                    ▼
//	                                                  removed
//
// A hardware address that is known is given up for another only when the neighbor
// does not answer at it any more, see verify.go; [ClaimState] has the states of
// our own addresses (RFC 5227).
//
// Packets are sent in Reachable, Stale, Delay, Probe and Static, wait in
// Incomplete, and are refused in Failed. An entry gets out of Stale only by
// being used, so its state alone tells whether it is in use; nothing that is
// in use is given up for something that is not.
package arp
