package arp

import (
	"math/rand/v2"
	"net/netip"
	"time"
)

// Handler is one station's address resolution: its neighbors, what waits for
// them, and its own addresses. Its methods may not be called at the same time.
//
// Each takes now, the time since some start that never changes, which is never
// negative and must not go back, and the [Actions] that it adds to. Between two
// calls the actions of the first need not have been carried out, except that
// actions must be carried out in their order.
type Handler[P any] struct {
	cache[P]
	c      Config
	hw     HardwareAddr
	former former
	random *rand.Rand
	own    own

	requests  limiter // broadcast requests
	replies   limiter // to those that are no neighbors
	neighbors limiter // to those that are
	learning  budgets
	windows   []*window // that are not open
	proxied   []proxied // by time

	pendingBytes int // of all queues
	queues       []*queue[P]
	batch        uint64 // the last one that was released
	down         bool   // the link
	closed       bool
}

const (
	// maxTick bounds how many entries, addresses and requests one Tick does
	// something for.
	maxTick = 256
	// maxDrainRounds is how often a draining entry may be given packets that
	// came in meanwhile. After that they are dropped, so that a sender that is
	// faster than the device cannot keep an entry out of the table for ever.
	maxDrainRounds = 16
)

// New returns a handler without neighbors or addresses. The error names the
// field of c that is out of bounds.
func New[P any](c Config) (*Handler[P], error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Handler[P]{c: c, hw: c.HardwareAddr, random: rand.New(rand.NewPCG(c.Seed, 0x617270))}
	h.entries = make(map[[4]byte]*entry[P])
	h.own.all = make(map[netip.Addr]*address)
	h.own.claimed, h.former.changed = longAgo, longAgo
	h.requests = newLimiter(c.MaxRequestRate)
	h.replies, h.neighbors = newLimiter(c.MaxReplyRate), newLimiter(c.MaxReplyRate)
	h.windows = newWindows()
	return h, nil
}

// Result is what [Handler.Query] did.
type Result uint8

const (
	// Queued: the packet waits for an answer.
	Queued Result = iota
	// Resolved: the hardware address is in the last of Actions.Release.
	Resolved
	// Unreachable: nobody answered not long ago; the packet was dropped.
	Unreachable
	// Rejected: the packet was dropped for the reason in the last of
	// Actions.Drop.
	Rejected
)

func (r Result) String() string {
	switch r {
	case Queued:
		return "queued"
	case Resolved:
		return "resolved"
	case Unreachable:
		return "unreachable"
	case Rejected:
		return "rejected"
	}
	return "invalid"
}

// Query asks where to send p, a packet of size bytes, whose next hop is on
// the link. source is the sender address for requests: an address of ours, or
// the zero Addr, which the caller replaces when it sends the request.
//
// p ends up in a.Release or a.Drop, of this call or a later one.
func (h *Handler[P]) Query(now time.Duration, nextHop, source netip.Addr, size int, p P, a *Actions[P]) Result {
	e, reason := h.ask(now, nextHop, source, a)
	switch {
	case e == nil:
		a.drop(nextHop, p, reason)
		return Rejected
	case e.state == Failed:
		h.retry(now, e, a)
		a.drop(nextHop, p, DropUnreachable)
		return Unreachable
	case e.state.HasAddr() && !e.draining():
		a.Release = append(a.Release, Release[P]{NextHop: nextHop, HardwareAddr: e.hw, P: p})
		return Resolved
	}
	return h.enqueue(e, size, p, a)
}

// Wait is [Handler.Query] for what is not a packet, but wants to know the
// address: it takes no room in the queue, need not stay behind packets, and
// where a next hop has failed it starts a new series of requests instead of
// being refused.
func (h *Handler[P]) Wait(now time.Duration, addr, source netip.Addr, p P, a *Actions[P]) {
	e, reason := h.ask(now, addr, source, a)
	switch {
	case e == nil:
		a.drop(addr, p, reason)
		return
	case e.state.HasAddr():
		a.Release = append(a.Release, Release[P]{NextHop: addr, HardwareAddr: e.hw, P: p})
		return
	case e.state == Failed:
		h.change(e, Incomplete, a)
		h.begin(now, e, a)
	}
	q := h.queueOf(e)
	q.waiters = append(q.waiters, p)
}

// Cancel ends the Wait of each p that match reports true for, if it is not
// over yet. Such a p is in no Actions, unless it is in those of an earlier call.
func (h *Handler[P]) Cancel(addr netip.Addr, match func(P) bool) {
	e := h.find(addr)
	if e == nil || e.queue == nil {
		return
	}
	q := e.queue
	kept := q.waiters[:0]
	for _, w := range q.waiters {
		if !match(w) {
			kept = append(kept, w)
		}
	}
	clear(q.waiters[len(kept):])
	q.waiters = kept
	h.tidy(e)
}

// Use tells that a packet was sent to a neighbor whose [Update] was Stale.
func (h *Handler[P]) Use(now time.Duration, addr, source netip.Addr, a *Actions[P]) {
	if e := h.find(addr); e != nil {
		e.asked(source)
		h.use(now, e, a)
	}
}

// Drained tells that all of a batch of Release has been sent. Until then its
// neighbor is not in the table, and more packets may have come to wait: either
// they are released now, or the neighbor is put into the table. So no packet
// overtakes another.
func (h *Handler[P]) Drained(batch uint64, nextHop netip.Addr, a *Actions[P]) {
	e := h.find(nextHop)
	if e == nil || batch == 0 || e.batch != batch {
		return // forgotten meanwhile
	}
	e.batch = 0
	switch {
	case !e.state.HasAddr(): // removed meanwhile
		e.rounds = 0
	case e.waiting():
		e.rounds++
		h.release(e, a)
	default:
		e.rounds = 0
		h.publish(e, a)
	}
}

// NextDeadline returns when Tick wants to be called next, and false if there
// is nothing to wait for.
func (h *Handler[P]) NextDeadline() (time.Duration, bool) {
	at := latest
	if h.sweeping() || h.closed {
		return 0, h.sweeping()
	}
	if len(h.deadlines) > 0 {
		at = h.deadlines[0].deadline
	}
	if len(h.own.agenda) > 0 {
		at = min(at, h.own.agenda[0].at)
	}
	if h.asking.first != nil {
		at = min(at, h.requests.due())
	}
	if len(h.proxied) > 0 {
		at = min(at, h.proxied[0].at)
	}
	return max(at, 0), at != latest
}

// Tick does what is due at now. What one call does is bounded; NextDeadline
// tells whether there is more.
func (h *Handler[P]) Tick(now time.Duration, a *Actions[P]) {
	h.sweep(now, a)
	if h.closed {
		return
	}
	h.work(now, a)
	h.answerProxied(now, a)
	h.serve(now, a)
	for range maxTick {
		if len(h.deadlines) == 0 || h.deadlines[0].deadline > now {
			return
		}
		h.expire(now, h.deadlines[0], a)
	}
}

// expire takes e, whose deadline has passed, to its next state.
func (h *Handler[P]) expire(now time.Duration, e *entry[P], a *Actions[P]) {
	if e.window != nil {
		h.verify(now, e, a)
		return
	}
	switch e.state {
	case Incomplete:
		switch {
		case !e.waiting():
			h.remove(now, e, DropFlushed, a)
		case int(e.tries) < h.c.MaxRequests:
			h.request(now, e, a)
		default:
			h.fail(now, e, a)
		}
	case Reachable:
		h.settle(now, e, e.hw, Stale, a)
	case Delay:
		e.tries = 0
		h.change(e, Probe, a)
		h.probe(now, e, a)
	case Probe:
		if int(e.tries) < h.c.MaxProbes {
			h.probe(now, e, a)
			return
		}
		// RFC 1122 §2.3.2.1(2): the entry is removed when the polls stay
		// unanswered. The next packet asks everybody.
		h.remove(now, e, DropUnreachable, a)
	default: // Stale, Failed
		h.remove(now, e, DropFlushed, a)
	}
}

// Close drops all that waits and forgets all neighbors: those beyond the first
// 4096 in the next calls of Tick, for as long as NextDeadline asks for one. After
// it every Query is rejected, and nothing is sent any more.
func (h *Handler[P]) Close(a *Actions[P]) {
	h.closed = true
	h.own.clear()
	h.proxied, h.flushing, h.polling = nil, h.all(), nil
	h.flushSome(0, maxFlush, a)
}

// all returns the entries in an order that depends on nothing but what
// happened before, as that of a map does not.
func (h *Handler[P]) all() []*entry[P] {
	list := append([]*entry[P](nil), h.deadlines...)
	for e := h.static.first; e != nil; e = e.next {
		list = append(list, e)
	}
	for e := h.asking.first; e != nil; e = e.next {
		if e.index == noIndex {
			list = append(list, e)
		}
	}
	return list
}
