package ethtest_test

import (
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/google/go-cmp/cmp"
)

// run is one call of a timer's function.
type run struct {
	Name string
	At   time.Duration
}

// recorder makes timers that record when they ran.
type recorder struct {
	clock *ethtest.ManualClock
	runs  []run
}

func (r *recorder) after(d time.Duration, name string) ethstack.Timer {
	return r.clock.AfterFunc(d, func() { r.runs = append(r.runs, run{name, r.clock.Now()}) })
}

func (r *recorder) want(t *testing.T, want ...run) {
	t.Helper()
	if d := cmp.Diff(want, r.runs); d != "" {
		t.Errorf("runs (-want +got):\n%s", d)
	}
	r.runs = nil
}

func TestManualClockOrder(t *testing.T) {
	var clock ethtest.ManualClock
	r := &recorder{clock: &clock}
	r.after(3, "late")
	r.after(1, "first asked")
	r.after(1, "second asked")
	r.after(-5, "now")
	r.want(t) // nothing runs inside AfterFunc

	clock.Advance(0)
	r.want(t, run{"now", 0})
	clock.Advance(2)
	r.want(t, run{"first asked", 1}, run{"second asked", 1})
	if got := clock.Now(); got != 2 {
		t.Errorf("Now after Advance(2) is %d, want 2", got)
	}
	clock.Advance(-10)
	if got := clock.Now(); got != 2 {
		t.Errorf("Now after Advance(-10) is %d, want 2: time does not go back", got)
	}
	clock.Advance(10)
	r.want(t, run{"late", 3})
	if got := clock.Now(); got != 12 {
		t.Errorf("Now is %d, want 12", got)
	}
}

// TestManualClockFIFO: the order of timers for the same time does not depend
// on how many there are.
func TestManualClockFIFO(t *testing.T) {
	var clock ethtest.ManualClock
	var got, want []int
	for i := range 100 {
		clock.AfterFunc(time.Duration(1+i%2), func() { got = append(got, i) })
	}
	for _, odd := range []int{0, 1} {
		for i := odd; i < 100; i += 2 {
			want = append(want, i)
		}
	}
	clock.Advance(2)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestManualClockNested: what a timer sets runs within the same Advance, if due.
func TestManualClockNested(t *testing.T) {
	var clock ethtest.ManualClock
	r := &recorder{clock: &clock}
	clock.AfterFunc(5, func() {
		r.after(0, "at once")
		r.after(2, "in 2")
		r.after(20, "later")
		r.want(t)
	})
	clock.Advance(10)
	r.want(t, run{"at once", 5}, run{"in 2", 7})
	if next, ok := clock.Next(); next != 25 || !ok {
		t.Errorf("Next is %d, %v, want 25, true", next, ok)
	}
}

func TestManualClockStopReset(t *testing.T) {
	var clock ethtest.ManualClock
	r := &recorder{clock: &clock}
	a, b := r.after(5, "a"), r.after(5, "b")

	is := func(what string, got, want bool) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	is("Stop of a set timer", a.Stop(), true)
	is("Stop of a stopped timer", a.Stop(), false)
	is("Reset of a set timer", b.Reset(7), true)
	is("Reset of a stopped timer", a.Reset(7), false)
	clock.Advance(6)
	r.want(t)
	clock.Advance(1)
	r.want(t, run{"b", 7}, run{"a", 7}) // Reset puts at the end of its time
	is("Stop of a timer that ran", b.Stop(), false)
	is("Reset of a timer that ran", b.Reset(0), false)
	r.want(t)
	clock.Advance(0)
	r.want(t, run{"b", 7})

	// A timer may stop and reset others, and itself.
	var self ethstack.Timer
	left := 2
	self = clock.AfterFunc(1, func() {
		r.runs = append(r.runs, run{"self", clock.Now()})
		b.Stop()
		if left--; left > 0 {
			self.Reset(3)
		}
	})
	b.Reset(1)
	clock.Advance(100)
	r.want(t, run{"self", 8}, run{"self", 11})
}

func TestManualClockStepRun(t *testing.T) {
	var clock ethtest.ManualClock
	r := &recorder{clock: &clock}
	if clock.Step() {
		t.Error("Step without a timer is true")
	}
	r.after(4, "a")
	r.after(9, "b")
	if !clock.Step() {
		t.Error("Step with a timer is false")
	}
	r.want(t, run{"a", 4})
	if !clock.Run(time.Second) {
		t.Error("Run to the last timer is false")
	}
	r.want(t, run{"b", 9})
	if got := clock.Now(); got != 9 {
		t.Errorf("Now after Run is %d, want the last timer's 9", got)
	}

	var ticker ethstack.Timer
	ticks := 0
	ticker = clock.AfterFunc(10, func() { ticks++; ticker.Reset(10) })
	if clock.Run(100) {
		t.Error("Run with a timer that never ends is true")
	}
	if got := clock.Now(); ticks != 10 || got != 109 {
		t.Errorf("after Run(100) from 9: %d ticks of 10 at %d, want 10 at 109", ticks, got)
	}
}
