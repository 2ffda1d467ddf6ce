package arp

import (
	"slices"
	"time"
)

// account reads the actions of one event.
func (m *machine) account() {
	m.t.Helper()
	if m.logging {
		m.log = append(m.log, Actions[int]{
			slices.Clone(m.a.Updates), slices.Clone(m.a.Send), slices.Clone(m.a.Release), slices.Clone(m.a.Drop), slices.Clone(m.a.Events),
		})
	}
	for _, u := range m.a.Updates {
		if u.HardwareAddr.IsZero() {
			delete(m.table, u.Addr)
		} else {
			m.table[u.Addr] = u
		}
	}
	for _, e := range m.a.Events {
		m.event(e)
	}
	for _, s := range m.a.Send {
		m.sent(s)
	}
	for _, r := range m.a.Release {
		m.released(r)
	}
	for _, d := range m.a.Drop {
		m.back(d.P)
	}
	m.check()
}

func (m *machine) event(e Event) {
	_, known := m.neighbors[e.Addr]
	switch e.Kind {
	case EventConflict, EventClaimed, EventFree, EventLost:
		m.own.event(m, e)
		return
	case EventRejected:
		if n := m.neighbors[e.Addr]; n.HardwareAddr != e.Old || e.HardwareAddr == e.Old {
			m.t.Errorf("%v stays with %v, by the event with %v", e.Addr, n.HardwareAddr, e.Old)
		}
		return
	case EventMoved:
		m.moved(e)
		m.neighbors[e.Addr] = Entry{Addr: e.Addr, HardwareAddr: e.HardwareAddr, State: e.State}
	case EventRemoved:
		delete(m.neighbors, e.Addr)
	default:
		m.neighbors[e.Addr] = Entry{Addr: e.Addr, HardwareAddr: e.HardwareAddr, State: e.State}
	}
	if known == (e.Kind == EventAdded) {
		m.t.Errorf("event %v of %v, which is known: %v", e.Kind, e.Addr, known)
	}
}

// sent checks RFC 1122 §2.3.2.1: at most one request a second is broadcast for a
// next hop.
func (m *machine) sent(s Send) {
	p := s.Packet
	if m.closed {
		m.t.Errorf("sent after Close: %v", p)
	}
	if p.SenderAddr.IsLinkLocalUnicast() && s.To != Broadcast {
		m.t.Errorf("sent to %v alone, from a link-local address: %v", s.To, p)
	}
	if m.h.c.NoARP {
		m.t.Errorf("sent although ARP is off: %v", p)
	}
	switch {
	case p.SenderAddr.IsValid() && p.IsProbe() || p.IsAnnouncement():
		m.own.sent(m, p)
		return
	case p.Operation == OperationReply:
		m.reply(p)
		return
	case s.To != Broadcast:
		m.polled[p.TargetAddr] = append(m.polled[p.TargetAddr], poll{m.now, s.To})
		return
	}
	if at, ok := m.asked[p.TargetAddr]; ok && m.now-at < time.Second {
		m.t.Errorf("requests for %v at %v and %v", p.TargetAddr, at, m.now)
	}
	m.asked[p.TargetAddr] = m.now
	if p.SenderAddr.IsLinkLocalUnicast() {
		m.polled[p.TargetAddr] = append(m.polled[p.TargetAddr], poll{m.now, s.To})
	} else {
		m.requests = append(m.requests, m.now)
		m.rate("requests", m.requests, m.h.c.MaxRequestRate)
	}
}

// rate fails if more happened in the last second than a limit and its bursts
// allow.
func (m *machine) rate(what string, at []time.Duration, limit int) {
	n := 0
	for n < len(at) && m.now-at[len(at)-1-n] < time.Second {
		n++
	}
	if n > limit+limit/10+1 {
		m.t.Errorf("%d %s in a second, up to %d are allowed", n, what, limit)
	}
}

// reply counts replies to strangers and to neighbors together.
func (m *machine) reply(p Packet) {
	m.replies = append(m.replies, m.now)
	m.rate("replies", m.replies, 2*m.h.c.MaxReplyRate+maxProxied)
}

// poll is a unicast request.
type poll struct {
	at time.Duration
	to HardwareAddr
}

// moved fails if a neighbor has got another hardware address although the one
// before was not asked twice, with time to answer, or answered.
func (m *machine) moved(e Event) {
	if e.State == Static || m.h.c.AcceptImmediately || m.neighbors[e.Addr].State == Static {
		return
	}
	asked := slices.DeleteFunc(slices.Clone(m.polled[e.Addr]), func(p poll) bool { return p.to != e.Old && p.to != Broadcast })
	if n := len(asked); n >= 2 && m.now-asked[n-2].at >= m.h.c.VerifyTime && m.now-asked[n-1].at >= m.h.c.VerifyTime/2 {
		return
	}
	m.t.Errorf("%v moves from %v to %v at %v, the old one was asked %v", e.Addr, e.Old, e.HardwareAddr, m.now, asked)
}

func (m *machine) released(r Release[int]) {
	m.back(r.P)
	if r.HardwareAddr.IsZero() {
		m.t.Errorf("%d is released to no address", r.P)
	}
	if r.P > 0 { // a packet
		if last := m.last[r.NextHop]; r.P <= last {
			m.t.Errorf("%d is released after %d", r.P, last)
		}
		m.last[r.NextHop] = r.P
	}
	if n := len(m.batches); r.Batch != 0 && (n == 0 || m.batches[n-1].Batch != r.Batch) {
		m.batches = append(m.batches, r)
		m.batch[r.NextHop] = r.Batch
	}
}

// back notes that p was given back.
func (m *machine) back(p int) {
	p = max(p, -p)
	if !m.waiting[p] {
		m.t.Errorf("%d is given back twice, or was cancelled", p)
	}
	delete(m.waiting, p)
}

// check compares the handler with the account, and with itself.
func (m *machine) check() {
	m.t.Helper()
	m.checkLists()
	m.checkQueues()
	m.checkWindows()
	m.own.check(m)
	h := m.h
	pending := 0
	for e := range h.Entries() {
		pending += e.Pending
		n := m.neighbors[e.Addr]
		if e.Pending = 0; n != e {
			m.t.Errorf("%+v, by the events %+v", e, n)
		}
		u, published := m.table[e.Addr]
		if want := e.State.HasAddr() && m.batch[e.Addr] == 0; published != want || published && u.HardwareAddr != e.HardwareAddr {
			m.t.Errorf("%+v, batch %d, by the table %v", e, m.batch[e.Addr], u)
		}
		if published && (e.State == Stale && !u.Stale || (e.State == Reachable || e.State == Static) && u.Stale) {
			m.t.Errorf("%+v, by the table stale: %v", e, u.Stale)
		}
		if e.State.HasAddr() && h.HasAddress(e.Addr) {
			m.t.Errorf("%+v is our own address", e)
		}
	}
	if len(m.neighbors) != len(h.entries) || pending != len(m.waiting) {
		m.t.Errorf("%d neighbors, by the events %d; %d wait, given were %d", len(h.entries), len(m.neighbors), pending, len(m.waiting))
	}
	for addr := range m.table {
		if _, ok := h.Entry(addr); !ok {
			m.t.Errorf("%v is in the table only", addr)
		}
	}
}

// checkLists checks counts, lists, the heap, and the caps of entries.
func (m *machine) checkLists() {
	h := m.h
	var count [NumStates]int
	wanted := h.count[Failed]
	for key, e := range h.entries {
		count[e.state]++
		if e.state == Incomplete && e.waiting() {
			wanted++
		}
		if e.key != key || (e.index == noIndex) != (e.state == Static || e.state == Incomplete && e.asking) || e.index != noIndex && h.deadlines[e.index] != e {
			m.t.Errorf("%v, %v, has key %v and index %d", key, e.state, e.key, e.index)
		}
		if want := h.listOf(e); e.list != want {
			m.t.Errorf("%v, %v, used %v, is in the wrong list", key, e.state, e.used)
		}
		if e.batch != m.batch[e.addr()] || e.waiting() && e.state != Incomplete && !e.draining() {
			m.t.Errorf("%v is %v, batch %d, and something waits: %v", key, e.state, e.batch, e.waiting())
		}
		if e.state == Stale && e.waiting() || e.rounds > maxDrainRounds {
			m.t.Errorf("%v is %v, %d rounds, and something waits: %v", key, e.state, e.rounds, e.waiting())
		}
	}
	if count != h.count {
		m.t.Errorf("states are counted %v, want %v", h.count, count)
	}
	for k := 1; k < len(h.deadlines); k++ {
		if h.deadlines[(k-1)/2].deadline > h.deadlines[k].deadline {
			m.t.Errorf("the heap is out of order at %d", k)
		}
	}
	for _, l := range []*list[int]{&h.unused, &h.used, &h.failed, &h.static, &h.asking, &h.unasked} {
		n := 0
		var prev *entry[int]
		for e := l.first; e != nil; prev, e = e, e.next {
			if n++; e.prev != prev || e.list != l {
				m.t.Errorf("%v is linked wrongly", e.key)
			}
		}
		if n != l.n || l.last != prev {
			m.t.Errorf("a list of %d is counted as %d", n, l.n)
		}
	}
	if h.resolved() > h.c.MaxEntries || wanted > h.c.MaxUnresolved {
		m.t.Errorf("%d resolved, up to %d; %d unresolved, up to %d", h.resolved(), h.c.MaxEntries, wanted, h.c.MaxUnresolved)
	}
}

// listOf returns the list that e belongs to.
func (h *Handler[P]) listOf(e *entry[P]) *list[P] {
	switch {
	case e.asking && !e.state.HasAddr():
		return &h.asking
	case e.state == Incomplete:
		return &h.unasked
	case e.state == Stale && !e.used:
		return &h.unused
	case e.state == Stale:
		return &h.used
	case e.state == Failed:
		return &h.failed
	case e.state == Static:
		return &h.static
	}
	return nil
}
