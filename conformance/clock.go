package conformance

import (
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// A Clock goes with real time, and can be put forward: [Clock.Advance] lets an
// hour pass in no time. It is a clock for netstack, and for any endpoint that
// can be given one. The zero Clock is not ready for use; see [NewClock].
type Clock struct {
	start time.Time

	mu      sync.Mutex // guards what follows, and all timers
	skipped time.Duration
	set     map[*ClockTimer]struct{}
}

var _ tcpip.Clock = (*Clock)(nil)

// NewClock returns a clock that shows the present time.
func NewClock() *Clock {
	return &Clock{start: time.Now(), set: make(map[*ClockTimer]struct{})}
}

// Now returns the time of day: this machine's plus all that was skipped.
func (c *Clock) Now() time.Time { return c.start.Add(c.Elapsed()) }

// NowMonotonic is Elapsed for netstack.
func (c *Clock) NowMonotonic() tcpip.MonotonicTime { return tcpip.MonotonicTime{}.Add(c.Elapsed()) }

// Elapsed returns the time since the clock was made, never less than before.
func (c *Clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed()
}

func (c *Clock) elapsed() time.Duration { return time.Since(c.start) + c.skipped }

// Advance lets d pass at once. What falls due meanwhile runs on the caller's
// goroutine, in the order of time, each at its time.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := c.elapsed() + d
	for {
		next := c.next(end)
		if next == nil {
			break
		}
		c.skipped += max(0, next.at-c.elapsed())
		next.stop()
		c.mu.Unlock()
		next.f()
		c.mu.Lock()
	}
	c.skipped += max(0, end-c.elapsed())
	// What is set must not wait in real time for what was skipped.
	for t := range c.set {
		t.real.Reset(t.at - c.elapsed())
	}
}

// next returns the timer that is due first, nil if none is due by end.
func (c *Clock) next(end time.Duration) (first *ClockTimer) {
	for t := range c.set {
		if t.at <= end && (first == nil || t.at < first.at) {
			first = t
		}
	}
	return first
}

// AfterFunc calls f once d has passed, by itself or by Advance.
func (c *Clock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	t := &ClockTimer{c: c, f: f}
	t.Reset(d)
	return t
}

// A ClockTimer is a timer of a [Clock].
type ClockTimer struct {
	c *Clock
	f func()

	// Under the clock's lock:
	at   time.Duration
	real *time.Timer
}

var _ tcpip.Timer = (*ClockTimer)(nil)

// Stop prevents the call and reports whether it did.
func (t *ClockTimer) Stop() bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	return t.stop()
}

func (t *ClockTimer) stop() bool {
	_, was := t.c.set[t]
	if was {
		delete(t.c.set, t)
		t.real.Stop()
	}
	return was
}

// Reset makes the function be called after d instead.
func (t *ClockTimer) Reset(d time.Duration) {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.stop()
	t.at = t.c.elapsed() + max(0, d)
	t.c.set[t] = struct{}{}
	t.real = time.AfterFunc(d, t.fire)
}

// fire is called when a real timer has expired, which may be one that was
// stopped too late.
func (t *ClockTimer) fire() {
	t.c.mu.Lock()
	due := t.c.elapsed() >= t.at && t.stop()
	t.c.mu.Unlock()
	if due {
		t.f()
	}
}
