package ethstack

import "time"

// Clock is the time that a [Link] and its [Interface]s live by. The zero
// Options use [SystemClock]; package ethtest has a manual one, with which a
// whole segment of hosts runs deterministically on one goroutine.
type Clock interface {
	// Now returns the monotonic time since a start that never changes.
	Now() time.Duration
	// AfterFunc calls f, on a goroutine of the clock's choice, once d has
	// passed. A d of zero or less means as soon as possible, but never from
	// inside AfterFunc or Reset: the caller may hold a lock that f takes.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is what AfterFunc returns; [*time.Timer] is one.
type Timer interface {
	// Stop prevents the call and reports whether it did.
	Stop() bool
	// Reset calls the function after d instead. The function may then run
	// again while an earlier call of it is still running.
	Reset(d time.Duration) bool
}

// SystemClock returns a clock that goes with this machine's time and starts at
// zero.
func SystemClock() Clock { return systemClock{start: time.Now()} }

// systemClock's start carries a monotonic reading, so that differences to it
// survive changes of the wall clock.
type systemClock struct{ start time.Time }

func (c systemClock) Now() time.Duration { return time.Since(c.start) }

func (c systemClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// pause waits for d, or reports false because stop was closed.
func pause(clock Clock, d time.Duration, stop <-chan struct{}) bool {
	over := make(chan struct{})
	t := clock.AfterFunc(d, func() { close(over) })
	defer t.Stop()
	select {
	case <-over:
		return true
	case <-stop:
		return false
	}
}
