package arp

import (
	"net/netip"
	"time"
)

// ask returns the entry of addr, to which somebody here wants to send: it is
// made if there is none. Or it returns why there can be none.
func (h *Handler[P]) ask(now time.Duration, addr, source netip.Addr, a *Actions[P]) (*entry[P], DropReason) {
	switch {
	case h.closed:
		return nil, DropClosed
	case !usable(addr) || h.HasAddress(addr):
		return nil, DropInvalid
	}
	e := h.find(addr)
	switch {
	case e == nil && h.c.NoARP:
		return nil, DropNoARP
	case e != nil && !h.mayAsk(e), e == nil && !h.roomForUnresolved(now, a):
		return nil, DropCacheFull
	case e != nil:
		e.asked(source)
		h.use(now, e, a)
	default:
		e = h.add(addr.As4())
		a.event(EventAdded, e)
		e.asked(source)
		h.begin(now, e, a)
	}
	return e, 0
}

func (h *Handler[P]) find(addr netip.Addr) *entry[P] {
	if !addr.Is4() {
		return nil
	}
	return h.entries[addr.As4()]
}

// asked notes that somebody here wants to send to e, and the sender address
// for requests.
func (e *entry[P]) asked(source netip.Addr) {
	e.used = true
	if usable(source) && source != e.addr() { // or it would look like an announcement
		e.source = source
	}
}

// usable reports whether addr can be a host's on a link.
func usable(addr netip.Addr) bool {
	if !addr.Is4() {
		return false
	}
	// RFC 1122 §3.2.1.3: 0/8 and 127/8 do not leave a host; from 224 on it is
	// multicast, reserved (RFC 1112 §4), and the limited broadcast.
	first := addr.As4()[0]
	return first != 0 && first != 127 && first < 224
}

// begin starts a series of requests, as soon as one may be broadcast.
func (h *Handler[P]) begin(now time.Duration, e *entry[P], a *Actions[P]) {
	e.tries = 0
	switch {
	case e.asking: // has its turn already
	case h.mustWait(now, e):
		h.setDeadline(e, e.requested+h.c.RequestInterval)
	default:
		h.request(now, e, a)
	}
}

// mustWait reports whether a request for e was broadcast so short a time ago
// that no other may be.
//
// RFC 1122 §2.3.2.1: the same address is not to be asked for more often than
// once a second.
func (h *Handler[P]) mustWait(now time.Duration, e *entry[P]) bool {
	return now-e.requested < h.c.RequestInterval
}

// request broadcasts a request for an entry that has no address, now or when
// it is its turn.
func (h *Handler[P]) request(now time.Duration, e *entry[P], a *Actions[P]) {
	if h.asking.first == nil && h.requests.allow(now) {
		h.broadcast(now, e, a)
		return
	}
	e.asking = true
	h.relist(e)
	if e.state == Incomplete {
		h.setDeadline(e, never)
	}
}

// serve broadcasts the requests whose turn has come. Each next hop has one turn,
// so one that many ask for, or somebody who asks for many, delays others by no
// more than one request each.
func (h *Handler[P]) serve(now time.Duration, a *Actions[P]) {
	for range maxTick {
		e := h.asking.first
		switch {
		case e == nil:
			return
		case e.state == Incomplete && !e.waiting(): // nobody is interested any more
			h.remove(now, e, DropFlushed, a)
		case !h.requests.allow(now):
			return
		default:
			h.broadcast(now, e, a)
		}
	}
}

func (h *Handler[P]) broadcast(now time.Duration, e *entry[P], a *Actions[P]) {
	h.sendRequest(now, e, Broadcast, a)
	e.asking = false
	h.relist(e)
	if e.state == Incomplete {
		e.tries++
		h.setDeadline(e, now+h.c.RequestInterval)
	}
}

// retry asks again for a next hop that has failed, while it stays so.
func (h *Handler[P]) retry(now time.Duration, e *entry[P], a *Actions[P]) {
	h.setDeadline(e, now+h.c.FailedTime)
	switch {
	case e.asking:
	case h.mustWait(now, e):
		h.relist(e) // is asked for, so others go first
	default:
		h.request(now, e, a)
	}
}

// probe sends a unicast request to see if the address still holds.
func (h *Handler[P]) probe(now time.Duration, e *entry[P], a *Actions[P]) {
	if h.destination(e.hw, e.source) == Broadcast && h.mustWait(now, e) {
		h.setDeadline(e, e.requested+h.c.RequestInterval)
		return
	}
	e.tries++
	// RFC 1122 §2.3.2.1(2): a point-to-point request to the neighbor.
	h.sendRequest(now, e, e.hw, a)
	h.setDeadline(e, now+h.c.ProbeInterval)
}

func (h *Handler[P]) sendRequest(now time.Duration, e *entry[P], to HardwareAddr, a *Actions[P]) {
	to = h.destination(to, e.source)
	if to == Broadcast {
		e.requested = now
	}
	a.Send = append(a.Send, Send{To: to, Packet: Packet{
		// RFC 826 "Packet Generation"; RFC 5227 §1.1: the target hardware
		// address of a request is zero.
		Operation:          OperationRequest,
		SenderHardwareAddr: h.hw, SenderAddr: e.source, TargetAddr: e.addr(),
	}})
}

// destination returns where to send an ARP packet with the given sender.
//
// RFC 3927 §2.5: all ARP packets with a link-local sender are broadcast.
func (h *Handler[P]) destination(to HardwareAddr, sender netip.Addr) HardwareAddr {
	if sender.IsLinkLocalUnicast() {
		return Broadcast
	}
	return to
}

func (h *Handler[P]) fail(now time.Duration, e *entry[P], a *Actions[P]) {
	h.dropAll(e, DropUnreachable, a)
	h.change(e, Failed, a)
	h.setDeadline(e, now+h.c.FailedTime)
}

// use notes that e, which has an address, was sent to.
func (h *Handler[P]) use(now time.Duration, e *entry[P], a *Actions[P]) {
	if e.state == Stale {
		h.change(e, Delay, a)
		h.schedule(e, now+h.c.DelayTime)
	}
}

// settle gives e an address, or confirms the one that it has. The state is one
// that has an address, other than Static.
func (h *Handler[P]) settle(now time.Duration, e *entry[P], hw HardwareAddr, s State, a *Actions[P]) {
	e.tries = 0
	if s == Stale && e.waiting() {
		s = Delay // it is in use
	}
	h.become(now, e, hw, s, a)
	switch s {
	case Reachable:
		// RFC 4861 §6.3.2: a random time, so that neighbors that came together
		// are not probed together.
		h.schedule(e, now+h.c.ReachableTime/2+time.Duration(h.random.Int64N(int64(h.c.ReachableTime))))
	case Stale:
		h.schedule(e, now+h.c.StaleTime)
	case Delay:
		h.schedule(e, now+h.c.DelayTime)
	}
	h.hand(e, a)
}

// become gives e a hardware address and a state that has one.
func (h *Handler[P]) become(now time.Duration, e *entry[P], hw HardwareAddr, s State, a *Actions[P]) {
	old := e.hw
	if old != hw {
		e.hw, e.decided = hw, now
	}
	if e.state != s {
		h.change(e, s, a)
	} else {
		h.relist(e)
	}
	if old != hw && !old.IsZero() {
		a.Events = append(a.Events, Event{Kind: EventMoved, Addr: e.addr(), HardwareAddr: hw, Old: old, State: s})
	}
}

// hand releases what waits for e, or puts e into the table.
func (h *Handler[P]) hand(e *entry[P], a *Actions[P]) {
	if e.waiting() && !e.draining() {
		h.release(e, a)
	}
	h.publish(e, a)
}

// publish brings the table in line with e, which has an address. What is
// draining is published by [Handler.Drained].
func (h *Handler[P]) publish(e *entry[P], a *Actions[P]) {
	if e.draining() {
		return
	}
	e.published = true
	a.Updates = append(a.Updates, Update{Addr: e.addr(), HardwareAddr: e.hw, Stale: e.state == Stale})
}

func (h *Handler[P]) unpublish(e *entry[P], a *Actions[P]) {
	if e.published {
		e.published = false
		a.Updates = append(a.Updates, Update{Addr: e.addr()})
	}
}

// remove drops what waits for e and forgets it. Only where a request was
// broadcast a moment ago, or packets are still being sent, that is kept in mind,
// in an Incomplete entry that nobody waits for.
func (h *Handler[P]) remove(now time.Duration, e *entry[P], reason DropReason, a *Actions[P]) {
	h.dropAll(e, reason, a)
	h.closeWindow(now, e)
	from := e.requested
	if !h.mustWait(now, e) {
		if !e.draining() {
			h.erase(e, a)
			return
		}
		from = now
	}
	h.unpublish(e, a)
	e.hw, e.tries, e.used = HardwareAddr{}, 0, false
	if e.state != Incomplete {
		h.change(e, Incomplete, a)
	} else {
		e.asking = false
		h.relist(e)
	}
	h.setDeadline(e, from+h.c.RequestInterval)
}

// erase forgets e, for which nothing waits.
func (h *Handler[P]) erase(e *entry[P], a *Actions[P]) {
	h.unpublish(e, a)
	addr := e.addr()
	h.forget(e)
	a.Events = append(a.Events, Event{Kind: EventRemoved, Addr: addr})
}

// change changes the state of e and reports that.
func (h *Handler[P]) change(e *entry[P], s State, a *Actions[P]) {
	h.setState(e, s)
	a.event(EventState, e)
}

func (a *Actions[P]) event(k EventKind, e *entry[P]) {
	a.Events = append(a.Events, Event{Kind: k, Addr: e.addr(), HardwareAddr: e.hw, State: e.state})
}
