package arp

import (
	"net/netip"
	"testing"
	"time"
)

const million = 1 << 20

// newMany is a station with n neighbors; with inUse they are.
func newMany(t testing.TB, n int, inUse bool) *station {
	t.Helper()
	if testing.Short() {
		t.Skip("needs 300 MB and some seconds")
	}
	s := newStation(t, Config{MaxEntries: n})
	s.fill(0, n, false)
	if inUse {
		for k := range n {
			s.a.Reset()
			s.h.Use(s.now, wide(k), ip(1), &s.a)
		}
	}
	return s
}

// calls counts what is done for neighbors by one call after the other, until
// none is due, and how long the longest took.
func (s *station) calls(first event) (done, most, calls int, longest time.Duration) {
	for e := first; ; e = tick {
		start := time.Now()
		s.a.Reset()
		e(s)
		longest = max(longest, time.Since(start))
		n := max(len(s.a.Updates), len(s.a.Events), len(s.a.Send))
		done, most, calls = done+n, max(most, n), calls+1
		if at, ok := s.h.NextDeadline(); !ok || at > s.now {
			return done, most, calls, longest
		}
	}
}

// TestMillion: the cache holds as many as it may be configured for, the oldest
// go first, and whatever is done to all is done in steps.
func TestMillion(t *testing.T) {
	s := newMany(t, million, false)
	s.fill(million, 10, false)
	if got := s.h.resolved(); got != million {
		t.Errorf("%d have an address, want %d", got, million)
	}
	if s.known(0, 10) != 0 || s.known(10, million) != million {
		t.Error("it is not the oldest that went")
	}
	s.now += time.Hour
	done, most, calls, longest := s.calls(tick)
	if done != million || most > maxTick || len(s.h.entries) != 0 {
		t.Errorf("%d of %d expired, up to %d in one Tick, %d are left", done, million, most, len(s.h.entries))
	}
	t.Logf("expiry: %d calls, the longest %v", calls, longest)
}

// TestManyFlushed, R61: what of many one call of Flush, LinkDown, Reverify and
// Close does is bounded, and Tick does the rest at once. What comes to be known
// meanwhile stays.
func TestManyFlushed(t *testing.T) {
	const many = 1 << 17
	for _, tt := range []struct {
		name  string
		event event
		left  int
	}{{"Flush", flush, 3}, {"LinkDown", linkDown, 3}, {"Reverify", reverify, many + 1}, {"Close", closes, 0}} {
		s := newMany(t, many, true)
		static(2, 2)(s)
		// What is flushed may be known anew before the flush is at its end, in memory
		// that was just given back.
		again := wide(many - 1)
		first := func(s *station) {
			tt.event(s)
			asks(7)(s)
			s.h.Remove(s.now, again, &s.a)
			s.h.Input(s.now, Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(9), SenderAddr: again, TargetAddr: ip(1)}, Meta{TargetIsOurs: true}, &s.a)
		}
		done, most, calls, longest := s.calls(first)
		if most > 2*maxFlush || done < many {
			t.Errorf("%s: up to %d in one call, %d in all", tt.name, most, done)
		}
		if e, ok := s.h.Entry(again); ok != (tt.left > 0) || ok && e.HardwareAddr != hwOf(9) {
			t.Errorf("%s: one that is known since is %+v", tt.name, e)
		}
		if got := len(s.h.entries); got != tt.left {
			t.Errorf("%s: %d entries are left, want %d", tt.name, got, tt.left)
		}
		t.Logf("%s: %d calls, the longest %v", tt.name, calls, longest)
	}
}

// TestFlushedAgain: a flush while one is under way is of all that there is then.
func TestFlushedAgain(t *testing.T) {
	s := newStation(t, Config{MaxEntries: 3 * maxFlush})
	s.fill(0, 3*maxFlush, false)
	s.do(flush)
	s.fill(3*maxFlush, maxFlush/2, false)
	s.do(flush)
	for s.h.sweeping() {
		s.do(tick)
	}
	if n := len(s.h.entries); n != 0 {
		t.Errorf("%d are left", n)
	}
	if _, ok := s.h.NextDeadline(); ok {
		t.Error("there is something left to do")
	}
}

// BenchmarkMillionCalls is the longest time that one call holds everybody up,
// with a million neighbors, for what concerns them all.
func BenchmarkMillionCalls(b *testing.B) {
	for _, tt := range []struct {
		name  string
		event event
	}{{"flush", flush}, {"reverify", reverify}, {"linkUp", linkUp}, {"close", closes}, {"entries", func(s *station) {
		for e := range s.h.Entries() {
			if e.Addr == (netip.Addr{}) {
				b.Fatal("an entry without an address")
			}
		}
	}}} {
		b.Run(tt.name, func(b *testing.B) {
			var longest time.Duration
			for b.Loop() {
				b.StopTimer()
				s := newMany(b, million, true)
				b.StartTimer()
				_, _, _, d := s.calls(tt.event)
				longest = max(longest, d)
			}
			b.ReportMetric(float64(longest.Microseconds())/1000, "ms/longest-call")
		})
	}
}
