package arp

import (
	"net/netip"
	"slices"
	"time"
)

// ownAccount is a machine's own account of our addresses.
type ownAccount struct {
	wanted   map[netip.Addr]bool          // claimed, and it is not known what came of it
	given    map[netip.Addr]bool          // added, without a claim
	probes   map[netip.Addr]int           // sent since the claim began, or began again
	defended map[netip.Addr]time.Duration // when it was announced for a conflict
}

func newOwnAccount() ownAccount {
	return ownAccount{map[netip.Addr]bool{}, map[netip.Addr]bool{}, map[netip.Addr]int{}, map[netip.Addr]time.Duration{}}
}

// event checks what becomes of claims (RFC 5227 §2.1.1): no address is ours that
// was not probed for as often as it must be, unless it was added without a claim.
func (w *ownAccount) event(m *machine, e Event) {
	switch e.Kind {
	case EventClaimed, EventFree:
		if !w.wanted[e.Addr] && !w.given[e.Addr] {
			m.t.Errorf("event %v of %v, which was not claimed", e.Kind, e.Addr)
		}
		if n := w.probes[e.Addr]; n < 3 && !w.given[e.Addr] {
			m.t.Errorf("%v is %v after %d probes", e.Addr, e.Kind, n)
		}
		w.given[e.Addr] = e.Kind == EventClaimed
		fallthrough
	case EventLost:
		delete(w.wanted, e.Addr)
		delete(w.probes, e.Addr)
		if e.Kind == EventLost {
			delete(w.given, e.Addr)
			delete(w.defended, e.Addr)
		}
	}
}

// sent checks RFC 5227 §2.1, §2.3 and §2.4: only what is wanted is probed for, only
// what is ours is announced.
func (w *ownAccount) sent(m *machine, p Packet) {
	if p.SenderHardwareAddr != m.h.hw {
		m.t.Errorf("sent with the hardware address of before: %v", p)
	}
	if p.IsProbe() {
		if m.h.HasAddress(p.TargetAddr) {
			m.t.Errorf("a probe for %v, which is ours", p.TargetAddr)
		}
		w.probes[p.TargetAddr]++
		return
	}
	if !m.h.HasAddress(p.SenderAddr) {
		m.t.Errorf("an announcement of %v, which is not ours", p.SenderAddr)
	}
	if m.input != InputConflict {
		return
	}
	m.input = InputIgnored // it is of one Input
	if at, ok := w.defended[p.SenderAddr]; ok && m.now-at < m.h.c.DefendInterval {
		m.t.Errorf("%v is defended at %v and %v", p.SenderAddr, at, m.now)
	}
	w.defended[p.SenderAddr] = m.now
}

// check checks the handler's list and agenda.
func (w *ownAccount) check(m *machine) {
	h := m.h
	n := 0
	for addr, o := range h.own.all {
		if o.addr != addr || o.isOurs() != slices.Contains(h.own.list, addr) || !usable(addr) {
			m.t.Errorf("%v is %v, and in the list of ours: %v", addr, o.state, slices.Contains(h.own.list, addr))
		}
		if o.isOurs() {
			n++
		}
		planned := o.index != noIndex
		if planned && h.own.agenda[o.index] != o {
			m.t.Errorf("%v is not where it says on the agenda", addr)
		}
		if want := !h.silent() && o.state != Bound; planned != want {
			m.t.Errorf("%v is %v, planned: %v, want %v", addr, o.state, planned, want)
		}
	}
	if n != len(h.own.list) {
		m.t.Errorf("%d addresses are ours, %d are listed", n, len(h.own.list))
	}
	for k, o := range h.own.agenda {
		if h.own.all[o.addr] != o || k > 0 && h.own.agenda.Less(k, (k-1)/2) {
			m.t.Errorf("%v is on the agenda at %d", o.addr, k)
		}
	}
	if len(h.proxied) > maxProxied || !slices.IsSortedFunc(h.proxied, func(x, y proxied) int { return int(x.at - y.at) }) {
		m.t.Errorf("what waits to be answered: %v", h.proxied)
	}
}

// checkWindows: none is lost, and each is for an entry that can be challenged.
func (m *machine) checkWindows() {
	open := 0
	for _, e := range m.h.entries {
		w := e.window
		if w == nil {
			continue
		}
		open++
		if !e.state.HasAddr() || e.state == Static || w.rival == e.hw || w.probes > verifyProbes ||
			e.deadline > max(m.now+m.h.c.VerifyTime, e.requested+m.h.c.RequestInterval) { // the latter for a link-local source
			m.t.Errorf("%v, %v until %v at %v, is challenged: %+v", e.addr(), e.state, e.deadline, m.now, w)
		}
	}
	if open+len(m.h.windows) != maxWindows {
		m.t.Errorf("%d windows are open, %d are free, want %d together", open, len(m.h.windows), maxWindows)
	}
}
