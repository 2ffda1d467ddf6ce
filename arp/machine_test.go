package arp

import (
	"net/netip"
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
	own       ownAccount
	polled    map[netip.Addr][]poll
	requests  []time.Duration
	replies   []time.Duration
	p         int // the last one that was given
	closed    bool
	log       []Actions[int] // of each event, where that is wanted
	logging   bool
}

// play runs a script to its end and then closes the handler.
func play(t testing.TB, script []byte, logging bool) *machine {
	m := &machine{
		script: script, logging: logging,
		table: map[netip.Addr]Update{}, neighbors: map[netip.Addr]Entry{}, waiting: map[int]bool{},
		last: map[netip.Addr]int{}, batch: map[netip.Addr]uint64{}, asked: map[netip.Addr]time.Duration{},
		own: newOwnAccount(), polled: map[netip.Addr][]poll{},
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
	m.input = InputIgnored
	one()
	m.account()
}

// machineConfigs are small, so that the limits are met, and quick.
var machineConfigs = []Config{
	{MaxEntries: 4, MaxUnresolved: 3, MaxPendingPackets: 3, MaxPendingBytes: 1000, MaxPendingTotal: 1500},
	{MaxEntries: 1, MaxUnresolved: 1, MaxPendingPackets: 1, MaxPendingBytes: 100, MaxPendingTotal: 100},
	{MaxEntries: 16, MaxUnresolved: 2, ReachableTime: time.Second, DelayTime: time.Millisecond, ProbeInterval: 10 * time.Millisecond, StaleTime: time.Second, FailedTime: time.Second},
	{MaxEntries: 3, MaxUnresolved: 16, MaxRequests: 1, MaxProbes: 1, RequestInterval: 3 * time.Second, ReachableTime: time.Second, AnnounceNum: 1},
	{MaxUnresolved: 16, MaxRequestRate: 2, MaxReplyRate: 2, Accept: AcceptLearn, Defense: DefenseOnce, LockTime: time.Millisecond, VerifyTime: time.Millisecond, StrictSource: true},
	{Claim: FastClaim, MaxConflicts: 1, RateLimitInterval: 5 * time.Second, Defense: DefenseGiveUp, AnnounceReplies: true, AcceptImmediately: true, Accept: AcceptIgnore},
	{NoARP: true},
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
	switch op := m.pick(36); op {
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
		_ = h.AddStatic(m.now, m.addr(), hwOf(m.pick(20)), a) // its errors have a test of their own
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
		addr := m.addr()
		m.own.given[addr] = true
		h.AddAddress(m.now, addr, a)
	case 28:
		addr := m.addr()
		delete(m.own.wanted, addr)
		delete(m.own.defended, addr) // whoever adds it again begins anew
		h.RemoveAddress(addr)
	case 29:
		clear(m.own.probes)
		h.SetHardwareAddr(m.now, hwOf(1+m.pick(3)), a)
	case 31, 32:
		m.claim()
	case 33:
		h.Announce(m.now, m.addr(), a)
	case 34:
		entry := func() Entry {
			return Entry{Addr: m.addr(), HardwareAddr: hwOf(m.pick(20)), State: State(m.pick(int(NumStates)))}
		}
		_ = h.Restore(m.now, []Entry{entry(), entry(), entry()}, a) // as AddStatic's
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
	if m.pick(8) == 0 {
		p.SenderAddr = p.TargetAddr // an announcement
	}
	p.SenderHardwareAddr = hwOf(int(p.SenderAddr.As16()[15]) + 20*max(0, m.pick(8)-6))
	if m.pick(64) == 0 {
		p.SenderHardwareAddr = Broadcast
	}
	m.input = m.h.Input(m.now, p, Meta{
		Broadcast: m.pick(4) == 0, TargetIsOurs: p.TargetAddr == ip(1) || m.h.HasAddress(p.TargetAddr), SenderIsOurs: p.SenderAddr == ip(1),
		TargetIsProxied: p.TargetAddr == ip(3), SenderIsOffLink: m.pick(16) == 0, SourceDiffers: m.pick(16) == 0,
	}, &m.a)
}

func (m *machine) claim() {
	addr, c := m.addr(), ClaimOptions{CheckOnly: m.pick(4) == 0}
	if m.pick(2) == 0 {
		c.Timing = FastClaim
	}
	if err := m.h.Claim(m.now, addr, c, &m.a); err == nil {
		m.own.wanted[addr] = true
	}
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
	steps := []time.Duration{0, 1, 25 * time.Millisecond, 100 * time.Millisecond, time.Second - 1, time.Second, 5 * time.Second, time.Minute}
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
