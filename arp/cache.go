package arp

import (
	"container/heap"
	"math"
	"time"
)

// cache is the bounded set of entries. Its lists and counts follow from the
// entries' states, which only setState changes.
type cache[P any] struct {
	entries   map[[4]byte]*entry[P]
	deadlines deadlines[P]
	count     [NumStates]int
	unused    list[P] // Stale, never asked for here
	used      list[P] // Stale, asked for before
	failed    list[P] // Failed, the one that was asked for longest ago first
	static    list[P]
	asking    list[P] // Incomplete or Failed, its request waits for its turn
	unasked   list[P] // the other ones that are Incomplete
	flushing  []*entry[P]
	polling   []*entry[P]
	free      *entry[P]
	freeN     int
}

// maxFree bounds the entries that are kept for reuse, so that a flood's memory
// is given back.
const maxFree = 1024

func (c *cache[P]) add(key [4]byte) *entry[P] {
	e := c.free
	if e != nil && !c.sweeping() { // what is swept stays what it was
		c.free = e.next
		c.freeN--
	} else {
		e = new(entry[P])
	}
	*e = entry[P]{key: key, state: Incomplete, requested: longAgo, decided: longAgo, index: noIndex}
	c.entries[key] = e
	c.count[Incomplete]++
	c.relist(e)
	return e
}

// forget takes an entry, for which nothing waits, out of the cache.
func (c *cache[P]) forget(e *entry[P]) {
	c.setDeadline(e, never)
	e.unlink()
	c.count[e.state]--
	delete(c.entries, e.key)
	*e = entry[P]{}
	if c.freeN < maxFree {
		e.next, c.free = c.free, e
		c.freeN++
	}
}

func (c *cache[P]) setState(e *entry[P], s State) {
	c.count[e.state]--
	c.count[s]++
	e.state, e.asking = s, false
	c.relist(e)
}

// relist puts e at the end of the list that it belongs to.
func (c *cache[P]) relist(e *entry[P]) {
	e.unlink()
	switch {
	case e.asking:
		c.asking.add(e)
	case e.state == Incomplete:
		c.unasked.add(e)
	case e.state == Stale && !e.used:
		c.unused.add(e)
	case e.state == Stale:
		c.used.add(e)
	case e.state == Failed:
		c.failed.add(e)
	case e.state == Static:
		c.static.add(e)
	}
}

// inUse is how many entries have an address that packets were sent to lately.
func (c *cache[P]) inUse() int { return c.count[Reachable] + c.count[Delay] + c.count[Probe] }

// resolved is how many entries have an address that was not set by the user.
func (c *cache[P]) resolved() int { return c.inUse() + c.count[Stale] }

// unresolved is how many entries have no address.
func (c *cache[P]) unresolved() int { return c.count[Incomplete] + c.count[Failed] }

// roomForUnresolved makes sure that one more next hop may be asked for, and
// that there will be room for its address.
func (h *Handler[P]) roomForUnresolved(now time.Duration, a *Actions[P]) bool {
	if h.inUse()+h.count[Incomplete] >= h.c.MaxEntries {
		return false
	}
	if h.unresolved() < h.c.MaxUnresolved {
		return true
	}
	// Of those that failed the one asked for longest ago goes, unless even that
	// may not be asked for again yet.
	e := h.failed.first
	if e == nil || h.mustWait(now, e) {
		return false
	}
	h.remove(now, e, DropFlushed, a)
	return true
}

// mayAsk reports whether something may wait for e. Entries that were removed a
// moment ago are kept in mind however many they are, but not all may be asked
// for again.
func (h *Handler[P]) mayAsk(e *entry[P]) bool {
	return e.state != Incomplete || e.waiting() || h.unresolved() <= h.c.MaxUnresolved
}

// roomForResolved makes sure that one more entry may have an address. What is
// in use is never given up; what was in use only for what somebody here asked
// for.
func (h *Handler[P]) roomForResolved(now time.Duration, asked bool, a *Actions[P]) bool {
	if h.resolved() < h.c.MaxEntries {
		return true
	}
	e := h.unused.first
	if e == nil && asked {
		e = h.used.first
	}
	if e == nil {
		return false
	}
	h.remove(now, e, DropFlushed, a)
	return true
}

const (
	// never is the deadline of what has none, latest a time after all others.
	never  = time.Duration(-1)
	latest = time.Duration(math.MaxInt64)
)

func (c *cache[P]) setDeadline(e *entry[P], at time.Duration) {
	e.deadline = at
	switch {
	case at == never && e.index != noIndex:
		heap.Remove(&c.deadlines, e.index)
	case at == never:
	case e.index != noIndex:
		heap.Fix(&c.deadlines, e.index)
	default:
		heap.Push(&c.deadlines, e)
	}
}

// deadlines is a heap of entries.
type deadlines[P any] []*entry[P]

func (d deadlines[P]) Len() int           { return len(d) }
func (d deadlines[P]) Less(i, j int) bool { return d[i].deadline < d[j].deadline }

func (d deadlines[P]) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

func (d *deadlines[P]) Push(x any) {
	e := x.(*entry[P])
	e.index = len(*d)
	*d = append(*d, e)
}

func (d *deadlines[P]) Pop() any {
	last := len(*d) - 1
	e := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	e.index = noIndex
	return e
}
