package ethtest

import (
	"container/heap"
	"sync"
	"time"

	"github.com/ethlink/ethlink/ethstack"
)

// A ManualClock is an [ethstack.Clock] on which time passes only when it is
// told to. What is due runs on the goroutine that advances it, in the order
// of time and, for the same time, in the order in which it was asked for. The
// zero ManualClock stands at 0 and is ready for use.
//
// Any goroutine may ask for the time and set timers. The methods that let time
// pass wait for each other, and must not be called from what they run.
type ManualClock struct {
	passing sync.Mutex // held while time passes

	mu     sync.Mutex
	now    time.Duration
	seq    uint64
	timers timerHeap
}

var _ ethstack.Clock = (*ManualClock)(nil)

// Now returns the time that has been let pass.
func (c *ManualClock) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc calls f once d has been let pass; with a d of zero or less, at
// the next call of one of the methods that let time pass, or later in the
// present one.
func (c *ManualClock) AfterFunc(d time.Duration, f func()) ethstack.Timer {
	t := &manualTimer{clock: c, f: f, index: -1}
	t.Reset(d)
	return t
}

// Advance lets d pass and runs all that is due until then.
func (c *ManualClock) Advance(d time.Duration) {
	c.passing.Lock()
	defer c.passing.Unlock()
	c.runUntil(c.Now() + max(d, 0))
}

// Step lets time pass until the next timer is due, and runs that one. It
// reports false if there is none.
func (c *ManualClock) Step() bool {
	c.passing.Lock()
	defer c.passing.Unlock()
	next, ok := c.Next()
	return ok && c.runNext(next)
}

// Run steps until no timer is set any more, or the next is due more than limit
// from now. It reports whether none is set. If some is, it leaves the time at
// limit from now.
func (c *ManualClock) Run(limit time.Duration) bool {
	c.passing.Lock()
	defer c.passing.Unlock()
	end := c.Now() + limit
	for {
		next, ok := c.Next()
		if !ok {
			return true
		}
		if next > end {
			c.runUntil(end)
			return false
		}
		c.runNext(next)
	}
}

// Next returns when the next timer is due, and false if none is set.
func (c *ManualClock) Next() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timers) == 0 {
		return 0, false
	}
	return max(c.timers[0].at, c.now), true
}

func (c *ManualClock) runUntil(end time.Duration) {
	for c.runNext(end) {
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = max(c.now, end)
}

// runNext runs the next timer if it is due by end.
func (c *ManualClock) runNext(end time.Duration) bool {
	c.mu.Lock()
	if len(c.timers) == 0 || c.timers[0].at > end {
		c.mu.Unlock()
		return false
	}
	t := heap.Pop(&c.timers).(*manualTimer)
	c.now = max(c.now, t.at)
	c.mu.Unlock()
	t.f()
	return true
}

type manualTimer struct {
	clock *ManualClock
	f     func()

	// Under the clock's lock:
	at    time.Duration
	seq   uint64
	index int // in the heap, -1 if not set
}

// Stop prevents the call and reports whether it did.
func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.stop()
}

func (t *manualTimer) stop() bool {
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.clock.timers, t.index)
	return true
}

// Reset calls the function after d instead, and reports whether a call was
// due before.
func (t *manualTimer) Reset(d time.Duration) bool {
	c := t.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	was := t.stop()
	c.seq++
	t.at, t.seq = c.now+max(d, 0), c.seq
	heap.Push(&c.timers, t)
	return was
}

// timerHeap is a heap by time and sequence.
type timerHeap []*manualTimer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].seq < h[j].seq
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*manualTimer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = -1
	return t
}
