package conformance_test

import (
	"slices"
	"testing"
	"time"

	"github.com/ethlink/ethlink/conformance"
)

// TestClockAdvance: what falls due runs in order, each at its time, also what
// is set on the way, and nothing else.
func TestClockAdvance(t *testing.T) {
	c := conformance.NewClock()
	start := c.Elapsed()
	var got []time.Duration
	note := func() { got = append(got, (c.Elapsed() - start).Truncate(time.Minute)) }
	c.AfterFunc(2*time.Hour, note)
	c.AfterFunc(time.Hour, func() {
		note()
		c.AfterFunc(30*time.Minute, note)
	})
	stopped := c.AfterFunc(time.Hour, func() { t.Error("a timer that was stopped went off") })
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop: want true, and false the second time")
	}
	moved := c.AfterFunc(time.Minute, note)
	moved.Reset(110 * time.Minute)
	c.AfterFunc(4*time.Hour, func() { t.Error("a timer went off before its time") })
	c.Advance(3 * time.Hour)
	want := []time.Duration{time.Hour, 90 * time.Minute, 110 * time.Minute, 2 * time.Hour}
	if !slices.Equal(got, want) {
		t.Errorf("timers went off at %v, want %v", got, want)
	}
	if passed := c.Elapsed() - start; passed < 3*time.Hour || passed > 3*time.Hour+10*time.Minute {
		t.Errorf("%v have passed, want 3 hours", passed)
	}
}

// TestClockRealTime: timers go off by themselves, and sooner when time was let
// pass meanwhile.
func TestClockRealTime(t *testing.T) {
	c := conformance.NewClock()
	done := make(chan string, 2)
	c.AfterFunc(time.Millisecond, func() { done <- "soon" })
	c.AfterFunc(time.Hour+time.Millisecond, func() { done <- "late" })
	if got := <-done; got != "soon" {
		t.Errorf("%q went off first", got)
	}
	c.Advance(time.Hour - time.Second)
	select {
	case got := <-done:
		if got != "late" {
			t.Errorf("%q went off twice", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("a timer that had a second left did not go off within 30 s")
	}
}
