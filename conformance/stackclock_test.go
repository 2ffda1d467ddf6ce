package conformance

import (
	"runtime"
	"runtime/metrics"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// stackClock is a manual clock for netstack: the one that the endpoints and the
// segment have.
type stackClock struct{ *ethtest.ManualClock }

var _ tcpip.Clock = stackClock{}

func (c stackClock) Now() time.Time { return time.Unix(0, 0).Add(c.ManualClock.Now()) }

func (c stackClock) NowMonotonic() tcpip.MonotonicTime {
	return tcpip.MonotonicTime{}.Add(c.ManualClock.Now())
}

func (c stackClock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	return stackTimer{c.ManualClock.AfterFunc(d, f)}
}

type stackTimer struct{ ethstack.Timer }

func (t stackTimer) Reset(d time.Duration) { t.Timer.Reset(d) }

// quantum is the least time that passes at a time, so that what happens at
// almost the same time does not have to be waited for singly.
const quantum = 50 * time.Microsecond

// advance lets time pass until ok, and reports false if that takes longer than
// limit. Before each step, all goroutines have done what there was to do: so
// netstack, which has many, is never too slow for the time.
func (s *stackSim) advance(limit time.Duration, ok func() bool) bool {
	s.t.Helper()
	end := s.clock.Now() + limit
	for {
		s.rest()
		now := s.clock.Now()
		switch {
		case ok():
			return true
		case now >= end:
			return false
		}
		next, any := s.clock.Next()
		if !any {
			next = end
		}
		s.clock.Advance(min(end-now, max(next-now, quantum)))
	}
}

// activity counts goroutines by what they do.
type activity []metrics.Sample

func newActivity() activity {
	a := activity{
		{Name: "/sched/goroutines/runnable:goroutines"},
		{Name: "/sched/goroutines/running:goroutines"},
		{Name: "/sched/goroutines/not-in-go:goroutines"},
	}
	metrics.Read(a)
	return a
}

// calm reports whether this goroutine is the only one that does anything. In
// system calls there may be as many as before.
func (a activity) calm(before activity) bool {
	metrics.Read(a)
	return a[0].Value.Uint64() == 0 && a[1].Value.Uint64() <= 1 && a[2].Value.Uint64() <= before[2].Value.Uint64()
}

// rest waits until no other goroutine of this process has anything to do.
func (s *stackSim) rest() {
	s.t.Helper()
	now := newActivity()
	deadline := time.Now().Add(patience)
	// Each number is an approximation, so it is asked for twice. To yield without
	// need would make another thread look for what there is to do.
	for calm, tries := 0, 1; calm < 2; tries++ {
		if now.calm(s.before) {
			calm++
			continue
		}
		calm = 0
		runtime.Gosched()
		if tries%1000 == 0 && time.Now().After(deadline) {
			s.t.Fatalf("seed %d: after %v there are still goroutines that have something to do", s.seed, patience)
		}
	}
}
