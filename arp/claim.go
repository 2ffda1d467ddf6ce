package arp

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"
)

// ClaimState is how far an address that we want or have has come (RFC 5227):
//
//	         Claim
//	           │   0 to PROBE_WAIT
//	        Waiting ──▶ Probing ──▶ lost, if another host has or wants it
//	                       │  nothing heard until ANNOUNCE_WAIT after the last probe
//	AddAddress ────▶ Announcing ──▶ Bound ◀───────────────┐
//	                       │          │ a conflict        │ DEFEND_INTERVAL
//	                       └──────────┴──▶ Defending ─────┘
//	                                          │ another conflict, or
//	                                          ▼ [DefenseGiveUp]
//	                                        lost
type ClaimState uint8

const (
	// Waiting: for the random time before the first probe.
	Waiting ClaimState = iota
	// Probing: asking whether another host has the address.
	Probing
	// Announcing: it is ours, and we say so.
	Announcing
	// Bound: it is ours.
	Bound
	// Defending: it is ours, and another host used it not long ago.
	Defending
)

func (s ClaimState) String() string {
	switch s {
	case Waiting:
		return "waiting"
	case Probing:
		return "probing"
	case Announcing:
		return "announcing"
	case Bound:
		return "bound"
	case Defending:
		return "defending"
	}
	return fmt.Sprintf("ClaimState(%d)", uint8(s))
}

// Defense says what to do when another host uses an address of ours; the
// three choices of RFC 5227 §2.4.
type Defense uint8

const (
	// DefenseAlways keeps the address and announces it again, at most once in
	// DEFEND_INTERVAL: (c), for hosts whose address others depend on.
	DefenseAlways Defense = iota
	// DefenseOnce announces it once, and gives it up when the next conflict
	// comes within DEFEND_INTERVAL: (b).
	DefenseOnce
	// DefenseGiveUp gives it up at once: (a).
	DefenseGiveUp
)

// ClaimOptions configure a [Handler.Claim]. The zero value is RFC 5227's.
type ClaimOptions struct {
	// Timing has the times to use; the zero Timing stands for Config.Claim.
	Timing ClaimTiming
	// CheckOnly ends the claim when the address is found to be free, without
	// making it ours: with EventFree in place of EventClaimed.
	CheckOnly bool
}

// Claim asks whether another host has addr, and makes it ours if none does: then
// [EventClaimed] comes with the first announcement, from which on it may be used
// (RFC 5227 §2.3). Otherwise [EventConflict] tells who has it and [EventLost] ends
// the claim. For an address that is ours, or being claimed, nothing more happens;
// only what was to be checked is then also claimed.
//
// The error is about addr or the timing, or says that the handler was closed or
// that ARP is off.
func (h *Handler[P]) Claim(now time.Duration, addr netip.Addr, c ClaimOptions, a *Actions[P]) error {
	switch {
	case h.closed:
		return fmt.Errorf("arp: claim of %v: the handler was closed", addr)
	case h.c.NoARP:
		return fmt.Errorf("arp: claim of %v: %w", addr, ErrNoARP)
	case !usable(addr):
		return fmt.Errorf("arp: claim of %v: want a unicast IPv4 address other than 0.0.0.0/8 and 127.0.0.0/8", addr)
	}
	if c.Timing == (ClaimTiming{}) {
		c.Timing = h.c.Claim
	}
	timing, err := c.Timing.withDefaults()
	if err != nil {
		return err
	}
	c.Timing = timing
	switch o := h.own.all[addr]; {
	case o == nil:
		o = h.want(addr)
		o.options = c
		h.beginProbing(now, o)
		h.work(now, a)
	case o.isOurs():
		a.add(Event{Kind: EventClaimed, Addr: addr})
	default:
		o.options.CheckOnly = o.options.CheckOnly && c.CheckOnly
	}
	return nil
}

// beginProbing begins the checks of an address anew.
func (h *Handler[P]) beginProbing(now time.Duration, o *address) {
	h.own.cancel(o)
	t := o.options.Timing
	o.state, o.left = Waiting, t.ProbeNum
	if h.silent() {
		return
	}
	// RFC 5227 §2.1.1: a random time from 0 to PROBE_WAIT, so that hosts that
	// are switched on together do not probe together.
	at := now + h.between(0, t.ProbeWait)
	if h.own.conflicts >= h.c.MaxConflicts {
		// RFC 5227 §2.1.1: after MAX_CONFLICTS no more than one attempt in
		// RATE_LIMIT_INTERVAL.
		at = max(at, h.own.claimed+h.c.RateLimitInterval)
	}
	h.own.claimed = at
	h.own.plan(o, at)
}

// between returns a random time from low to high.
func (h *Handler[P]) between(low, high time.Duration) time.Duration {
	return low + time.Duration(h.random.Int64N(int64(high-low)+1))
}

// stepClaim sends the next probe, or ends the claim with success.
func (h *Handler[P]) stepClaim(now time.Duration, o *address, a *Actions[P]) {
	t := o.options.Timing
	if o.left > 0 {
		// RFC 5227 §2.1.1: a request from 0.0.0.0 for the address, to everybody;
		// the sender address must not be the one that is probed for, since that
		// would change the tables of others.
		a.Send = append(a.Send, Send{To: Broadcast, Packet: Packet{
			Operation: OperationRequest, SenderHardwareAddr: h.hw, SenderAddr: netip.IPv4Unspecified(), TargetAddr: o.addr,
		}})
		o.state = Probing
		o.left--
		wait := t.AnnounceWait
		if o.left > 0 {
			wait = h.between(t.ProbeMin, t.ProbeMax)
		}
		h.own.plan(o, now+wait)
		return
	}
	// Choice: a claim that succeeds ends the rate limit. RFC 5227 §2.1.1 does not
	// say what does.
	h.own.conflicts = 0
	if o.options.CheckOnly {
		a.add(Event{Kind: EventFree, Addr: o.addr})
		h.RemoveAddress(o.addr)
		return
	}
	h.obtain(now, o, a)
	a.add(Event{Kind: EventClaimed, Addr: o.addr})
}

// contest looks whether a packet of another host concerns an address that we
// want. It reports whether it does.
//
// RFC 5227 §2.1.1: any packet from the address, or a probe for it by a host that
// wants it as well, ends the claim.
func (h *Handler[P]) contest(p Packet, a *Actions[P]) bool {
	o := h.own.all[p.SenderAddr]
	if o == nil && p.IsProbe() {
		o = h.own.all[p.TargetAddr]
	}
	if o == nil || o.isOurs() {
		return false
	}
	a.conflict(o.addr, p.SenderHardwareAddr)
	h.own.conflicts++
	h.lose(o, a)
	return true
}

// defend answers a packet of another host that uses an address of ours.
func (h *Handler[P]) defend(now time.Duration, addr netip.Addr, from HardwareAddr, a *Actions[P]) {
	a.conflict(addr, from)
	o := h.own.all[addr]
	if o == nil {
		return // the caller's, who has not told us of it
	}
	recent := now-o.defended < h.c.DefendInterval
	switch {
	case h.c.Defense == DefenseGiveUp, h.c.Defense == DefenseOnce && recent:
		h.lose(o, a)
	case h.silent(): // LinkUp announces it
	case recent:
		// RFC 5227 §2.4(c): at most once in DEFEND_INTERVAL, so that two hosts
		// that both defend an address do not flood the network.
	default:
		// RFC 5227 §2.4(b): one announcement.
		h.announce(addr, a)
		o.defended, o.state = now, Defending
		h.own.plan(o, now+h.c.DefendInterval)
	}
}

// lose gives an address, or the claim of one, up.
func (h *Handler[P]) lose(o *address, a *Actions[P]) {
	h.RemoveAddress(o.addr)
	a.add(Event{Kind: EventLost, Addr: o.addr})
}

// claims returns the addresses that we want, sorted, so that the same state
// leads to the same actions.
func (h *Handler[P]) claims() []*address {
	var list []*address
	for _, o := range h.own.all {
		if !o.isOurs() {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(x, y *address) int { return x.addr.Compare(y.addr) })
	return list
}

// Claims yields the addresses that are ours or that we want, in no order.
func (h *Handler[P]) Claims() iter.Seq2[netip.Addr, ClaimState] {
	return func(yield func(netip.Addr, ClaimState) bool) {
		for addr, o := range h.own.all {
			if !yield(addr, o.state) {
				return
			}
		}
	}
}

func (a *Actions[P]) add(e Event) { a.Events = append(a.Events, e) }

func (a *Actions[P]) conflict(addr netip.Addr, from HardwareAddr) {
	a.add(Event{Kind: EventConflict, Addr: addr, HardwareAddr: from})
}
