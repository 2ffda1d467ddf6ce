package arp

import (
	"fmt"
	"iter"
	"net/netip"
	"time"
)

// Entries yields all neighbors, in no order.
func (h *Handler[P]) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, e := range h.entries {
			if !yield(e.snapshot()) {
				return
			}
		}
	}
}

// Entry returns the neighbor with the given address, and false if it is not
// known.
func (h *Handler[P]) Entry(addr netip.Addr) (Entry, bool) {
	e := h.find(addr)
	if e == nil {
		return Entry{}, false
	}
	return e.snapshot(), true
}

// AddStatic makes hw the address of a neighbor until it is removed or added
// again, whatever comes in. What waits for it is released.
func (h *Handler[P]) AddStatic(now time.Duration, addr netip.Addr, hw HardwareAddr, a *Actions[P]) error {
	switch {
	case h.closed:
		return fmt.Errorf("arp: static neighbor %v: the handler was closed", addr)
	case !usable(addr):
		return fmt.Errorf("arp: static neighbor %v: want a unicast IPv4 address other than 0.0.0.0/8 and 127.0.0.0/8", addr)
	case hw.IsGroup() || hw.IsZero():
		return fmt.Errorf("arp: static neighbor %v at %v: want a unicast hardware address", addr, hw)
	case h.HasAddress(addr):
		return fmt.Errorf("arp: static neighbor %v: the address is our own", addr)
	}
	e := h.find(addr)
	if e == nil {
		e = h.add(addr.As4())
		a.event(EventAdded, e)
	}
	h.closeWindow(now, e)
	h.setDeadline(e, never)
	h.become(now, e, hw, Static, a)
	h.hand(e, a)
	return nil
}

// Remove forgets a neighbor, a static one too, and drops what waits for it. It
// reports whether it was known. An entry that was asked for less than a
// RequestInterval ago, or whose packets are being sent, stays for so long, as
// Incomplete, so that neither rate nor order suffers.
func (h *Handler[P]) Remove(now time.Duration, addr netip.Addr, a *Actions[P]) bool {
	e := h.find(addr)
	if e == nil {
		return false
	}
	h.remove(now, e, DropFlushed, a)
	return true
}

// Restore takes in neighbors from a snapshot that [Handler.Entries] gave, of this
// handler or another: static ones as they were, others as Stale, so that they
// are probed when they are used. What has no hardware address in the snapshot, is
// known already, or finds no room is left out. The error names a static one that
// cannot be; those before it have been taken in.
func (h *Handler[P]) Restore(now time.Duration, snapshot []Entry, a *Actions[P]) error {
	for _, s := range snapshot {
		hw := s.HardwareAddr
		switch {
		case s.State == Static:
			if err := h.AddStatic(now, s.Addr, hw, a); err != nil {
				return err
			}
		case h.closed || h.c.NoARP || !usable(s.Addr) || h.HasAddress(s.Addr):
		case hw.IsZero() || hw.IsGroup() || hw == h.hw:
		case h.find(s.Addr) == nil && h.roomForResolved(now, false, a):
			h.addStale(now, s.Addr, hw, a)
		}
	}
	return nil
}
