package arp

import "net/netip"

// queue is what waits for one next hop.
type queue[P any] struct {
	items   []item[P] // items[head:], oldest first
	head    int
	bytes   int
	waiters []P // queries, which take no room and are not in order with packets
}

type item[P any] struct {
	p    P
	size int
}

func (q *queue[P]) len() int { return len(q.items) - q.head }

func (q *queue[P]) empty() bool { return q.len() == 0 && len(q.waiters) == 0 }

func (q *queue[P]) push(x item[P]) {
	if q.head > 0 && q.head >= len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, x)
	q.bytes += x.size
}

func (q *queue[P]) pop() item[P] {
	x := q.items[q.head]
	q.items[q.head] = item[P]{}
	q.head++
	q.bytes -= x.size
	return x
}

// enqueue lets p wait for e.
func (h *Handler[P]) enqueue(e *entry[P], size int, p P, a *Actions[P]) Result {
	size = max(size, 0) // so that no caller's mistake makes room
	if e.rounds >= maxDrainRounds || size > h.c.MaxPendingBytes {
		a.drop(e.addr(), p, DropQueueFull)
		return Rejected
	}
	q := h.queueOf(e)
	if h.pendingBytes-q.bytes+size > h.c.MaxPendingTotal {
		// The other next hops' take so much that dropping ours would not help.
		a.drop(e.addr(), p, DropPendingFull)
		h.tidy(e)
		return Rejected
	}
	// RFC 1122 §2.3.2.2: keep at least the latest packet; so the oldest goes.
	for q.len() >= h.c.MaxPendingPackets || q.bytes+size > h.c.MaxPendingBytes {
		h.dropOldest(e, DropQueueFull, a)
	}
	for h.pendingBytes+size > h.c.MaxPendingTotal {
		h.dropOldest(e, DropPendingFull, a)
	}
	q.push(item[P]{p, size})
	h.pendingBytes += size
	return Queued
}

func (h *Handler[P]) dropOldest(e *entry[P], reason DropReason, a *Actions[P]) {
	x := e.queue.pop()
	h.pendingBytes -= x.size
	a.drop(e.addr(), x.p, reason)
}

// release hands out all that waits for e, as one batch.
func (h *Handler[P]) release(e *entry[P], a *Actions[P]) {
	q := e.queue
	h.batch++
	e.batch = h.batch
	out := Release[P]{NextHop: e.addr(), HardwareAddr: e.hw, Batch: e.batch}
	for q.len() > 0 {
		x := q.pop()
		h.pendingBytes -= x.size
		out.P = x.p
		a.Release = append(a.Release, out)
	}
	for _, w := range q.waiters {
		out.P = w
		a.Release = append(a.Release, out)
	}
	h.freeQueue(e)
}

// dropAll drops all that waits for e.
func (h *Handler[P]) dropAll(e *entry[P], reason DropReason, a *Actions[P]) {
	if e.queue == nil {
		return
	}
	for e.queue.len() > 0 {
		h.dropOldest(e, reason, a)
	}
	for _, w := range e.queue.waiters {
		a.drop(e.addr(), w, reason)
	}
	h.freeQueue(e)
}

// tidy takes the queue from an entry for which nothing waits any more.
func (h *Handler[P]) tidy(e *entry[P]) {
	if e.queue != nil && e.queue.empty() {
		h.freeQueue(e)
	}
}

const (
	// maxFreeQueues bounds the queues, and maxFreeQueueLen the length of those,
	// that are kept for reuse.
	maxFreeQueues   = 16
	maxFreeQueueLen = 1024
)

// queueOf returns the queue of e, which gets one if it has none.
func (h *Handler[P]) queueOf(e *entry[P]) *queue[P] {
	if e.queue != nil {
		return e.queue
	}
	if n := len(h.queues); n > 0 {
		e.queue = h.queues[n-1]
		h.queues = h.queues[:n-1]
	} else {
		e.queue = new(queue[P])
	}
	return e.queue
}

func (h *Handler[P]) freeQueue(e *entry[P]) {
	q := e.queue
	e.queue = nil
	if len(h.queues) == maxFreeQueues || cap(q.items) > maxFreeQueueLen || cap(q.waiters) > maxFreeQueueLen {
		return
	}
	clear(q.waiters)
	*q = queue[P]{items: q.items[:0], waiters: q.waiters[:0]}
	h.queues = append(h.queues, q)
}

func (a *Actions[P]) drop(nextHop netip.Addr, p P, reason DropReason) {
	a.Drop = append(a.Drop, Drop[P]{NextHop: nextHop, P: p, Reason: reason})
}
