package arp

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"
)

// own is the addresses that are ours or that we want, and what is to be done
// about them when.
type own struct {
	all     map[netip.Addr]*address
	list    []netip.Addr // those that are ours, in the order of their adding
	agenda  agenda       // those with something to do
	planned uint64       // how many plans were made

	conflicts int           // claims that failed (RFC 5227 §2.1.1)
	claimed   time.Duration // when the last claim began
}

// address is one address that is ours or that we want.
type address struct {
	addr     netip.Addr
	state    ClaimState
	options  ClaimOptions  // while it is not ours
	left     int           // probes or announcements that are still to be sent
	at       time.Duration // of the next step
	turn     uint64        // among those for the same time
	index    int           // in the agenda, noIndex if there is no next step
	defended time.Duration // when it was last announced for a conflict
}

// isOurs reports whether we have the address, not just want it.
func (o *address) isOurs() bool { return o.state >= Announcing }

// plan puts o on the agenda, behind what is planned for the same time.
func (w *own) plan(o *address, at time.Duration) {
	w.cancel(o)
	w.planned++
	o.at, o.turn = at, w.planned
	heap.Push(&w.agenda, o)
}

// cancel takes o off the agenda.
func (w *own) cancel(o *address) {
	if o.index != noIndex {
		heap.Remove(&w.agenda, o.index)
	}
}

func (w *own) clear() {
	for _, o := range w.agenda {
		o.index = noIndex
	}
	clear(w.agenda)
	w.agenda = w.agenda[:0]
}

// HasAddress reports whether addr is one of ours.
func (h *Handler[P]) HasAddress(addr netip.Addr) bool {
	o := h.own.all[addr]
	return o != nil && o.isOurs()
}

// Addresses returns our addresses in the order in which they were added. The
// slice is the handler's, valid until the next call of a method.
func (h *Handler[P]) Addresses() []netip.Addr { return h.own.list }

// Announce begins a new series of announcements of an address of ours. It
// reports whether it is one.
func (h *Handler[P]) Announce(now time.Duration, addr netip.Addr, a *Actions[P]) bool {
	if !h.HasAddress(addr) {
		return false
	}
	h.beginAnnouncing(now, h.own.all[addr])
	h.work(now, a)
	return true
}

// AddAddress makes addr one of ours and announces it; if it is already,
// nothing happens. It does not ask whether somebody else has it: [Handler.Claim]
// does. Whether requests for it are answered is the caller's to say, see [Meta].
// An address that no host can have is left out.
func (h *Handler[P]) AddAddress(now time.Duration, addr netip.Addr, a *Actions[P]) {
	if h.closed || !usable(addr) || h.HasAddress(addr) {
		return
	}
	o := h.own.all[addr]
	claimed := o != nil
	if !claimed {
		o = h.want(addr)
	}
	h.obtain(now, o, a)
	if claimed {
		a.add(Event{Kind: EventClaimed, Addr: addr})
	}
}

// want makes an address that is not ours yet.
func (h *Handler[P]) want(addr netip.Addr) *address {
	o := &address{addr: addr, index: noIndex, defended: longAgo}
	h.own.all[addr] = o
	return o
}

// obtain makes an address ours and announces it.
func (h *Handler[P]) obtain(now time.Duration, o *address, a *Actions[P]) {
	if e := h.find(o.addr); e != nil {
		// Somebody else had it: no packet of ours must go there any more.
		h.remove(now, e, DropInvalid, a)
	}
	h.own.list = append(h.own.list, o.addr)
	h.beginAnnouncing(now, o)
	h.work(now, a)
}

// beginAnnouncing begins a new series of announcements.
func (h *Handler[P]) beginAnnouncing(now time.Duration, o *address) {
	h.own.cancel(o)
	o.state, o.left = Announcing, h.c.AnnounceNum
	if !h.silent() {
		h.own.plan(o, now)
	}
}

// RemoveAddress ends what AddAddress or Claim began.
func (h *Handler[P]) RemoveAddress(addr netip.Addr) {
	if o := h.own.all[addr]; o != nil {
		h.own.cancel(o)
		delete(h.own.all, addr)
		h.own.list = slices.DeleteFunc(h.own.list, func(x netip.Addr) bool { return x == addr })
	}
}

// announceAll begins a new series of announcements for each of our addresses,
// and anew each claim that is under way: what was found out holds no longer.
func (h *Handler[P]) announceAll(now time.Duration, a *Actions[P]) {
	h.own.clear()
	if h.silent() {
		return
	}
	for _, addr := range h.own.list {
		h.beginAnnouncing(now, h.own.all[addr])
	}
	for _, o := range h.claims() {
		h.beginProbing(now, o)
	}
	h.work(now, a)
}

// work does what is due for our addresses.
func (h *Handler[P]) work(now time.Duration, a *Actions[P]) {
	for range maxTick {
		if len(h.own.agenda) == 0 || h.own.agenda[0].at > now {
			return
		}
		h.step(now, heap.Pop(&h.own.agenda).(*address), a)
	}
}

// step does what is next for one address.
func (h *Handler[P]) step(now time.Duration, o *address, a *Actions[P]) {
	switch {
	case !o.isOurs():
		h.stepClaim(now, o, a)
		return
	case o.state == Defending && o.left > 0:
		o.state = Announcing
	case o.state == Defending:
		o.state = Bound
		return
	}
	h.announce(o.addr, a)
	if o.left--; o.left > 0 {
		h.own.plan(o, now+h.c.AnnounceInterval)
	} else {
		o.state = Bound
	}
}

// announce tells everybody that addr is ours.
//
// RFC 5227 §2.3: by a request whose sender and target are the address; §3 says
// why it is no reply.
func (h *Handler[P]) announce(addr netip.Addr, a *Actions[P]) {
	p := Packet{Operation: OperationRequest, SenderHardwareAddr: h.hw, SenderAddr: addr, TargetAddr: addr}
	if h.c.AnnounceReplies {
		// RFC 5944 §4.6: in a reply the target hardware address is the one that
		// tables are to be updated with.
		p.Operation, p.TargetHardwareAddr = OperationReply, h.hw
	}
	a.Send = append(a.Send, Send{To: Broadcast, Packet: p})
}

// agenda is a heap of addresses.
type agenda []*address

func (g agenda) Len() int { return len(g) }

func (g agenda) Less(i, j int) bool {
	if g[i].at != g[j].at {
		return g[i].at < g[j].at
	}
	return g[i].turn < g[j].turn
}

func (g agenda) Swap(i, j int) {
	g[i], g[j] = g[j], g[i]
	g[i].index, g[j].index = i, j
}

func (g *agenda) Push(x any) {
	o := x.(*address)
	o.index = len(*g)
	*g = append(*g, o)
}

func (g *agenda) Pop() any {
	last := len(*g) - 1
	o := (*g)[last]
	(*g)[last] = nil
	*g = (*g)[:last]
	o.index = noIndex
	return o
}
