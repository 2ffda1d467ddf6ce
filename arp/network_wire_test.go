package arp

import (
	"fmt"
	"maps"
	"net/netip"
	"time"
)

// do lets a host do something, and carries out what it wants.
func (w *network) do(h *netHost, f func()) {
	h.a.Reset()
	f()
	for _, s := range h.a.Send {
		if w.source(h, &s.Packet) {
			w.check(h, s)
			w.transmit(h, s)
		}
	}
	var batches []Release[int]
	for _, r := range h.a.Release {
		w.released(h, r.NextHop, r.HardwareAddr)
		if r.Batch != 0 {
			batches = append(batches, r)
		}
	}
	for _, u := range h.a.Updates {
		w.updated(h, u)
	}
	for _, e := range h.a.Events {
		w.journal.Note(w.now, "host %d: %v %v at %v, %v", h.n, e.Kind, e.Addr, e.HardwareAddr, e.State)
	}
	for _, a := range h.h.Addresses() {
		if w.owners[a] == nil {
			w.owners[a] = map[HardwareAddr]bool{}
		}
		w.owners[a][h.hw] = true
		if _, ok := h.since[a]; !ok {
			h.since[a] = w.now
		}
	}
	maps.DeleteFunc(h.since, func(a netip.Addr, _ time.Duration) bool { return !h.h.HasAddress(a) })
	if w.kind == (kind{name: "calm"}) {
		w.exclusive()
	}
	if len(batches) > 0 {
		w.do(h, func() { h.h.Drained(batches[0].Batch, batches[0].NextHop, &h.a) })
		return
	}
	h.wake++
	wake := h.wake
	if at, ok := h.h.NextDeadline(); ok {
		w.after(max(0, at-w.now), func() {
			if h.wake == wake {
				w.do(h, func() { h.h.Tick(w.now, &h.a) })
			}
		})
	}
}

// released fails if a packet goes to who never had the address. (A liar is
// believed where there is nobody to contradict him.)
func (w *network) released(h *netHost, addr netip.Addr, hw HardwareAddr) {
	if hw != liar && !w.owners[addr][hw] {
		w.errorf("host %d sends what is for %v to %v, which never had it", h.n, addr, hw)
	}
}

// updated fails if a host that knows a neighbor believes a liar, although the
// neighbor is there and answers.
func (w *network) updated(h *netHost, u Update) {
	was := h.table[u.Addr]
	if h.table[u.Addr] = u.HardwareAddr; u.HardwareAddr.IsZero() {
		return
	}
	w.released(h, u.Addr, u.HardwareAddr)
	if u.HardwareAddr != liar || was == liar || w.kind.loss > 0 || w.kind.flaps || !w.couldAsk(h) {
		return
	}
	for _, o := range w.hosts {
		if at, has := o.since[u.Addr]; has && o.hw == was && w.now-at > 100*time.Millisecond {
			w.errorf("host %d believes the liar that %v is not host %d any more", h.n, u.Addr, o.n)
		}
	}
}

// source puts an address that a host has into a request, as whoever runs a handler
// does, and reports whether there is one.
func (w *network) source(h *netHost, p *Packet) bool {
	own := h.h.Addresses()
	switch {
	case p.Operation != OperationRequest || p.SenderAddr == netip.IPv4Unspecified() || h.h.HasAddress(p.SenderAddr):
		return true
	case len(own) == 0:
		return false
	}
	p.SenderAddr = own[0]
	return true
}

// check looks at who is asked for how often, and as whom.
func (w *network) check(h *netHost, s Send) {
	p := s.Packet
	if p.SenderHardwareAddr != h.hw {
		w.errorf("host %d sends as %v: %v", h.n, p.SenderHardwareAddr, p)
	}
	if p.IsProbe() || p.IsAnnouncement() || s.To != Broadcast {
		return
	}
	key := fmt.Sprint(h.n, p.TargetAddr)
	if last, ok := w.asked[key]; ok && w.now-last < time.Second {
		w.errorf("host %d asks for %v again after %v", h.n, p.TargetAddr, w.now-last)
	}
	w.asked[key] = w.now
}

// transmit carries a packet to all others, each with a fate of its own.
func (w *network) transmit(from *netHost, s Send) {
	if from != nil && !from.up {
		return
	}
	w.journal.Note(w.now, "%v > %v: %v", s.Packet.SenderHardwareAddr, s.To, s.Packet)
	for _, h := range w.hosts {
		if h == from || s.To != Broadcast && s.To != h.hw {
			continue
		}
		for copies := 1 + w.random.IntN(2); copies > 0; copies-- {
			if !w.over && w.random.Float64() < w.kind.loss {
				continue
			}
			w.after(time.Duration(w.random.Int64N(int64(5*time.Millisecond))), func() {
				if !h.up {
					return
				}
				w.do(h, func() {
					p := s.Packet
					h.h.Input(w.now, p, Meta{Broadcast: s.To == Broadcast, TargetIsOurs: h.h.HasAddress(p.TargetAddr), SenderIsOurs: h.h.HasAddress(p.SenderAddr)}, &h.a)
				})
			})
		}
	}
}
