package arp

import "slices"

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
		if q.keeps() {
			m.t.Errorf("%v: what does not wait any more is held on to: %+v", key, q)
		}
		if bytes != q.bytes || bytes > h.c.MaxPendingBytes || q.len() > h.c.MaxPendingPackets || q.empty() {
			m.t.Errorf("%v: %d packets of %d bytes wait, counted as %d", key, q.len(), bytes, q.bytes)
		}
		if len(q.waiters) > 0 && e.state != Incomplete && !e.draining() {
			m.t.Errorf("%d queries wait for one that is %v", len(q.waiters), e.state)
		}
	}
	if total != h.pendingBytes || total > h.c.MaxPendingTotal {
		m.t.Errorf("%d bytes wait, counted as %d, up to %d", total, h.pendingBytes, h.c.MaxPendingTotal)
	}
	for _, q := range h.queues {
		if !q.empty() || q.bytes != 0 || q.keeps() {
			m.t.Errorf("a free queue holds on to something: %+v", q)
		}
	}
}

// keeps reports whether q has something in its memory that does not wait.
func (q *queue[P]) keeps() bool {
	var none P
	used := func(p P) bool { return any(p) != any(none) }
	return slices.ContainsFunc(q.waiters[len(q.waiters):cap(q.waiters)], used) ||
		slices.ContainsFunc(q.items[:q.head], func(x item[P]) bool { return used(x.p) }) ||
		slices.ContainsFunc(q.items[len(q.items):cap(q.items)], func(x item[P]) bool { return used(x.p) })
}
