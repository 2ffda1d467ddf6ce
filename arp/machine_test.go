package arp

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// machine plays a script of events to a handler, keeps its own account of what
// the actions say, and checks both after each event.
type machine struct {
	*station
	script []byte

	table     map[netip.Addr]Update        // from Updates
	neighbors map[netip.Addr]Entry         // from Events
	waiting   map[int]bool                 // given to Query or Wait, not given back
	last      map[netip.Addr]int           // the packet released last, by next hop
	batch     map[netip.Addr]uint64        // released, not Drained
	asked     map[netip.Addr]time.Duration // when the last request was broadcast
	batches   []Release[int]               // one of each batch, to be Drained
	p         int                          // the last one that was given
	closed    bool
	log       []string // all actions, where that is wanted
	logging   bool
}

// play runs a script to its end and then closes the handler.
func play(t testing.TB, script []byte, logging bool) *machine {
	m := &machine{
		script: script, logging: logging,
		table: map[netip.Addr]Update{}, neighbors: map[netip.Addr]Entry{}, waiting: map[int]bool{},
		last: map[netip.Addr]int{}, batch: map[netip.Addr]uint64{}, asked: map[netip.Addr]time.Duration{},
	}
	c := machineConfigs[m.pick(len(machineConfigs))]
	c.Seed = uint64(m.pick(256))
	m.station = newStation(t, c)
	for len(m.script) > 0 && !t.Failed() {
		m.do(m.step)
		if m.pick(3) == 0 {
			m.do(m.pass)
		}
	}
	m.do(m.close)
	for p := range m.waiting {
		t.Errorf("%d was never given back", p)
	}
	return m
}

// do does one thing and reads what the actions say of it.
func (m *machine) do(one func()) {
	m.a.Reset()
	one()
	m.account()
}

// machineConfigs are small, so that the limits are met, and quick.
var machineConfigs = []Config{
	{MaxEntries: 4, MaxUnresolved: 3, MaxPendingPackets: 3, MaxPendingBytes: 1000, MaxPendingTotal: 1500},
	{MaxEntries: 1, MaxUnresolved: 1, MaxPendingPackets: 1, MaxPendingBytes: 100, MaxPendingTotal: 100},
	{MaxEntries: 16, MaxUnresolved: 2, ReachableTime: time.Second, DelayTime: time.Millisecond, ProbeInterval: 10 * time.Millisecond, StaleTime: time.Second, FailedTime: time.Second},
	{MaxEntries: 3, MaxUnresolved: 16, MaxRequests: 1, MaxProbes: 1, RequestInterval: 3 * time.Second, ReachableTime: time.Second, AnnounceNum: 1},
	{},
}

// pick returns the script's next number, below n; 0 at its end.
func (m *machine) pick(n int) int {
	if len(m.script) == 0 {
		return 0
	}
	x := int(m.script[0])
	m.script = m.script[1:]
	return x % n
}

// addr picks an address: mostly one of a few, sometimes one that is none.
func (m *machine) addr() netip.Addr {
	odd := []netip.Addr{{}, netip.MustParseAddr("::1"), netip.MustParseAddr("::ffff:10.0.0.2"), netip.IPv4Unspecified(), netip.MustParseAddr("255.255.255.255")}
	if n := m.pick(64); n < 60 {
		return ip(byte(1 + n%10))
	} else {
		return odd[n-59]
	}
}

func (m *machine) source() netip.Addr {
	sources := []netip.Addr{ip(1), {}, netip.MustParseAddr("169.254.7.7"), ip(77), netip.MustParseAddr("::1")}
	return sources[m.pick(len(sources))]
}

func (m *machine) give() int {
	m.p++
	m.waiting[m.p] = true
	return m.p
}

// step does one event of the script.
func (m *machine) step() {
	h, a := m.h, &m.a
	switch op := m.pick(32); op {
	case 0, 1, 2, 3, 4, 5:
		m.query()
	case 6, 7:
		h.Wait(m.now, m.addr(), m.source(), -m.give(), a)
	case 8:
		addr, p := m.addr(), -max(1, m.p-m.pick(8))
		h.Cancel(addr, func(x int) bool {
			if x == p {
				delete(m.waiting, -p)
			}
			return x == p
		})
	case 9:
		h.Use(m.now, m.addr(), m.source(), a)
	case 10, 11, 12, 13, 14, 15:
		m.receive()
	case 16, 17, 18, 19, 20:
		m.drain()
	case 21:
		_ = h.AddStatic(m.addr(), hwOf(m.pick(20)), a) // its errors have a test of their own
	case 22:
		h.Remove(m.now, m.addr(), a)
	case 23:
		h.Flush(m.now, a)
	case 24:
		h.LinkDown(m.now, a)
	case 25:
		h.LinkUp(m.now, a)
	case 26:
		h.Reverify(m.now, a)
	case 27:
		h.AddAddress(m.now, m.addr(), a)
	case 28:
		h.RemoveAddress(m.addr())
	case 29:
		h.SetHardwareAddr(m.now, hwOf(1+m.pick(3)), a)
	case 30:
		if m.pick(64) == 0 {
			m.close()
		}
	default:
		m.pass()
	}
}

func (m *machine) close() {
	m.h.Close(&m.a)
	m.closed = true
}

func (m *machine) query() {
	addr, p := m.addr(), m.give()
	sizes := []int{100, 0, 1, 99, 500, 1000, 1001, -5, 1 << 30}
	result := m.h.Query(m.now, addr, m.source(), sizes[m.pick(len(sizes))], p, &m.a)
	releases, drops := m.a.Release, m.a.Drop
	ok := false
	switch result {
	case Queued:
		ok = len(releases) == 0
	case Resolved:
		ok = len(releases) == 1 && releases[0].P == p && releases[0].Batch == 0 && len(drops) == 0
		// No packet overtakes another.
		if b := m.batch[addr]; b != 0 {
			m.t.Errorf("query of %v is resolved while batch %d is being sent", addr, b)
		}
	case Unreachable:
		ok = len(drops) > 0 && drops[len(drops)-1].P == p && drops[len(drops)-1].Reason == DropUnreachable
	case Rejected:
		ok = len(drops) > 0 && drops[len(drops)-1].P == p
	}
	if !ok {
		m.t.Errorf("Query says %v, with %v", result, lines(&m.a))
	}
}

func (m *machine) receive() {
	ops := []Operation{OperationReply, OperationRequest, OperationReply, 3}
	p := Packet{
		Operation:  ops[m.pick(len(ops))],
		SenderAddr: m.addr(), TargetAddr: ip(byte(1 + m.pick(3))),
	}
	p.SenderHardwareAddr = hwOf(int(p.SenderAddr.As16()[15]) + 20*max(0, m.pick(8)-6))
	if m.pick(64) == 0 {
		p.SenderHardwareAddr = Broadcast
	}
	m.h.Input(m.now, p, Meta{
		Broadcast: m.pick(4) == 0, TargetIsOurs: p.TargetAddr == ip(1) || m.h.HasAddress(p.TargetAddr), SenderIsOurs: p.SenderAddr == ip(1),
	}, &m.a)
}

func (m *machine) drain() {
	if len(m.batches) == 0 {
		return
	}
	r := m.batches[0]
	m.batches = m.batches[1:]
	if m.batch[r.NextHop] == r.Batch {
		delete(m.batch, r.NextHop)
	}
	m.h.Drained(r.Batch, r.NextHop, &m.a)
}

// pass lets time pass, up to the next deadline or by some amount.
func (m *machine) pass() {
	steps := []time.Duration{0, 1, 100 * time.Millisecond, time.Second - 1, time.Second, 5 * time.Second, time.Minute}
	n := m.pick(2 * len(steps))
	if at, ok := m.h.NextDeadline(); ok && n >= len(steps) {
		m.now = max(m.now, at)
	} else {
		m.now += steps[n%len(steps)]
	}
	m.h.Tick(m.now, &m.a)
	if at, ok := m.h.NextDeadline(); ok && at <= m.now {
		m.t.Errorf("after Tick at %v there is something to do at %v", m.now, at)
	}
}

// account reads the actions of one event.
func (m *machine) account() {
	m.t.Helper()
	if m.logging {
		m.log = append(m.log, lines(&m.a)...)
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
	case EventConflict:
		return
	case EventRemoved:
		delete(m.neighbors, e.Addr)
	default:
		m.neighbors[e.Addr] = Entry{Addr: e.Addr, HardwareAddr: e.HardwareAddr, State: e.State}
	}
	if known == (e.Kind == EventAdded) {
		m.t.Errorf("event %v of %v, which is known: %v", e.Kind, e.Addr, known)
	}
}

// sent checks R26: at most one request a second is broadcast for a next hop.
func (m *machine) sent(s Send) {
	p := s.Packet
	if m.closed {
		m.t.Errorf("sent after Close: %v", p)
	}
	if s.To != Broadcast || p.Operation != OperationRequest || p.IsAnnouncement() {
		return
	}
	if at, ok := m.asked[p.TargetAddr]; ok && m.now-at < time.Second {
		m.t.Errorf("requests for %v at %v and %v", p.TargetAddr, at, m.now)
	}
	m.asked[p.TargetAddr] = m.now
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
		if e.key != key || (e.index == noIndex) != (e.state == Static) || e.index != noIndex && h.deadlines[e.index] != e {
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
	for _, l := range []*list[int]{&h.unused, &h.used, &h.failed, &h.static} {
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

// checkQueues checks what waits, and its caps.
func (m *machine) checkQueues() {
	h, total := m.h, 0
	for key, e := range h.entries {
		q := e.queue
		if q == nil {
			continue
		}
		bytes := 0
		for _, x := range q.items[q.head:] {
			bytes += x.size
		}
		total += bytes
		if bytes != q.bytes || bytes > h.c.MaxPendingBytes || q.len() > h.c.MaxPendingPackets || q.empty() {
			m.t.Errorf("%v: %d packets of %d bytes wait, counted as %d", key, q.len(), bytes, q.bytes)
		}
		if len(q.waiters) > 0 && e.state != Incomplete {
			m.t.Errorf("%d queries wait for one that is %v", len(q.waiters), e.state)
		}
	}
	if total != h.pendingBytes || total > h.c.MaxPendingTotal {
		m.t.Errorf("%d bytes wait, counted as %d, up to %d", total, h.pendingBytes, h.c.MaxPendingTotal)
	}
	for _, q := range h.queues {
		if !q.empty() || q.bytes != 0 || slices.ContainsFunc(q.items[:cap(q.items)], func(x item[int]) bool { return x.p != 0 }) {
			m.t.Errorf("a free queue holds on to something: %+v", q)
		}
	}
}
