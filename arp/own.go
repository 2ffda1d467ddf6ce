package arp

import (
	"net/netip"
	"slices"
	"time"
)

// own is our own addresses and the announcements that are due for them.
type own struct {
	set     map[netip.Addr]struct{}
	list    []netip.Addr   // in the order of their adding
	pending []announcement // by time
}

// announcement is a series of announcements of one address.
type announcement struct {
	at   time.Duration // of the next one
	addr netip.Addr
	left int
}

func (o *own) next() (time.Duration, bool) {
	if len(o.pending) == 0 {
		return 0, false
	}
	return o.pending[0].at, true
}

// plan puts n into its place by time.
func (o *own) plan(n announcement) {
	i := len(o.pending)
	for i > 0 && o.pending[i-1].at > n.at {
		i--
	}
	o.pending = slices.Insert(o.pending, i, n)
}

func (o *own) cancel(addr netip.Addr) {
	o.pending = slices.DeleteFunc(o.pending, func(n announcement) bool { return n.addr == addr })
}

// HasAddress reports whether addr is one of ours.
func (h *Handler[P]) HasAddress(addr netip.Addr) bool {
	_, ok := h.own.set[addr]
	return ok
}

// Addresses returns our addresses in the order in which they were added. The
// slice is the handler's, valid until the next call of a method.
func (h *Handler[P]) Addresses() []netip.Addr { return h.own.list }

// AddAddress makes addr one of ours and announces it; if it is already,
// nothing happens. Whether requests for it are answered is the caller's to say,
// see [Meta]. An address that no host can have is left out.
func (h *Handler[P]) AddAddress(now time.Duration, addr netip.Addr, a *Actions[P]) {
	if h.closed || !usable(addr) || h.HasAddress(addr) {
		return
	}
	if e := h.find(addr); e != nil {
		// Somebody else had it: no packet of ours must go there any more.
		h.remove(now, e, DropInvalid, a)
	}
	h.own.set[addr] = struct{}{}
	h.own.list = append(h.own.list, addr)
	if !h.down {
		h.own.plan(announcement{at: now, addr: addr, left: h.c.AnnounceNum})
		h.announce(now, a)
	}
}

// RemoveAddress ends what AddAddress began.
func (h *Handler[P]) RemoveAddress(addr netip.Addr) {
	if !h.HasAddress(addr) {
		return
	}
	delete(h.own.set, addr)
	h.own.cancel(addr)
	h.own.list = slices.DeleteFunc(h.own.list, func(x netip.Addr) bool { return x == addr })
}

// announceAll begins a new series of announcements for each of our addresses.
func (h *Handler[P]) announceAll(now time.Duration, a *Actions[P]) {
	h.own.pending = h.own.pending[:0]
	if h.down || h.closed {
		return
	}
	for _, addr := range h.own.list {
		h.own.pending = append(h.own.pending, announcement{at: now, addr: addr, left: h.c.AnnounceNum})
	}
	h.announce(now, a)
}

// announce sends the announcements that are due.
func (h *Handler[P]) announce(now time.Duration, a *Actions[P]) {
	for range maxTick {
		if at, ok := h.own.next(); !ok || at > now {
			return
		}
		n := h.own.pending[0]
		h.own.pending = slices.Delete(h.own.pending, 0, 1)
		// RFC 5227 §2.3: an announcement is a request whose sender and target
		// are the address, sent to everybody; RFC 5227 §3 says why a request.
		a.Send = append(a.Send, Send{To: Broadcast, Packet: Packet{
			Operation: OperationRequest, SenderHardwareAddr: h.hw, SenderAddr: n.addr, TargetAddr: n.addr,
		}})
		if n.left--; n.left > 0 {
			n.at = now + h.c.AnnounceInterval
			h.own.plan(n)
		}
	}
}
