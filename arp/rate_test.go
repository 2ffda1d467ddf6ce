package arp

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestLimiter: bursts of a tenth of a second, and over any time no more than the
// rate and one burst, from the first moment on and after a long pause.
func TestLimiter(t *testing.T) {
	for _, rate := range []int{1, 7, 10, 1000, 10000, 1 << 20} {
		l := newLimiter(rate)
		rnd := rand.New(rand.NewPCG(uint64(rate), 0))
		now, first, n := time.Duration(0), time.Duration(0), 0
		for range 20000 {
			allowed := l.due() <= now
			if l.allow(now) != allowed {
				t.Fatalf("rate %d: due says %v", rate, allowed)
			}
			if allowed {
				n++
			}
			if most := float64(rate)*(now-first+burst).Seconds() + 1; float64(n) > most+1e-6*float64(n) {
				t.Fatalf("rate %d: %d in %v, want up to %v", rate, n, now-first, most)
			}
			switch rnd.IntN(1000) {
			case 0: // a pause
				now += time.Hour
				first, n = now, 0
			default:
				now += time.Duration(rnd.Int64N(int64(2 * l.interval)))
			}
		}
		if n == 0 {
			t.Errorf("rate %d: nothing was allowed", rate)
		}
	}
}

// TestLimiterFullRate: what comes in too fast goes out at the rate.
func TestLimiterFullRate(t *testing.T) {
	l, n := newLimiter(1000), 0
	for now := time.Duration(0); now < 10*time.Second; now += 10 * time.Microsecond {
		if l.allow(now) {
			n++
		}
	}
	if n < 10000 || n > 10101 {
		t.Errorf("%d in 10 s at 1000/s, want that and a burst of 100", n)
	}
}

// TestRequestRate is R62: however many next hops are asked for, no more than
// MaxRequestRate are broadcast a second, each has its turn, and in order.
func TestRequestRate(t *testing.T) {
	s := newStation(t, Config{MaxRequestRate: 100, MaxUnresolved: 2000})
	const hops = 1000
	for k := range hops {
		s.h.Query(s.now, wide(k), ip(1), 100, k, &s.a)
	}
	var order []int
	var last time.Duration
	for len(order) < hops {
		for _, p := range s.a.Send {
			b := p.Packet.TargetAddr.As4()
			if k := int(b[2])<<8 | int(b[3]); len(order) <= k {
				order = append(order, k)
				last = s.now
			}
		}
		s.do(due)
	}
	if !slices.IsSorted(order) || last > 10*time.Second || last < 9*time.Second {
		t.Errorf("the last of %d is asked for after %v, in order: %v", hops, last, slices.IsSorted(order))
	}
}

// TestRequestFairness: one next hop, asked for while a scan goes on, waits for
// those before it and no longer; and one that has failed is asked for again.
func TestRequestFairness(t *testing.T) {
	s := newStation(t, Config{MaxRequestRate: 100, MaxUnresolved: 200})
	s.do(failed...)
	scanned := 0
	scan := func(d time.Duration) (asked int) {
		for end := s.now + d; s.now < end; s.now += time.Millisecond {
			s.a.Reset()
			s.h.Tick(s.now, &s.a)
			if scanned%2 == 0 {
				query(2, 1)(s)
			}
			s.h.Query(s.now, wide(scanned), ip(1), 100, 1, &s.a)
			scanned++
			asked += requests(&s.a, 2)
		}
		return asked
	}
	scan(time.Second)
	if n := scan(10 * time.Second); n < 3 || n > 10 {
		t.Errorf("one that has failed is asked for %d times in 10 s of a scan, want once in 1 to 3 s", n)
	}
}

// TestNobodyJumpsTheQueue: whose turn it is goes before who comes at that moment.
func TestNobodyJumpsTheQueue(t *testing.T) {
	s := newStation(t, Config{MaxRequestRate: 10})
	for n := byte(10); n < 20; n++ {
		query(n, 1)(s)
	}
	s.now += time.Second // and no Tick has come yet
	s.want([]event{query(2, 1)}, "event added 10.0.0.2 - incomplete")
	s.do(after(5 * time.Second))
	if n := requests(&s.a, 2); n == 0 {
		t.Error("it never had its turn")
	}
}

// TestNoTurnIsWasted: who does not wait any more takes no turn from those who do.
func TestNoTurnIsWasted(t *testing.T) {
	s := newStation(t, Config{MaxRequestRate: 10, MaxUnresolved: 2000})
	for k := range 1000 {
		s.h.Wait(s.now, wide(k), ip(1), k, &s.a)
	}
	for k := range 1000 {
		s.h.Cancel(wide(k), func(int) bool { return true })
	}
	s.do(query(2, 1), after(500*time.Millisecond))
	if n := requests(&s.a, 2); n != 1 {
		t.Errorf("%d requests, want 1: the thousand before are not interested any more", n)
	}
	s.do(after(time.Minute), flush)
	if n := len(s.h.entries); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

// TestRemovedGivesUpItsTurn: an entry that is removed while packets of it are
// still being sent is kept in mind, but not among those who wait for their turn.
func TestRemovedGivesUpItsTurn(t *testing.T) {
	s := newStation(t, Config{MaxRequestRate: 10})
	s.do(draining...)
	s.do(late, remove(2), query(2, 3))
	s.now += time.Second
	s.do(query(9, 1), query(8, 1), tick) // the first two use up the burst
	s.do(remove(2))
	s.now += time.Second / 2
	s.do(tick)
	at, ok := s.h.NextDeadline()
	if !ok || at <= s.now {
		t.Errorf("NextDeadline() = %v, %v at %v: want one to come", at, ok, s.now)
	}
	s.want([]event{query(7, 1)}, "send to all: request from self 10.0.0.1 for - 10.0.0.7", "event added 10.0.0.7 - incomplete")
}

// TestReplyRate is R62: strangers do not keep a neighbor waiting.
func TestReplyRate(t *testing.T) {
	s := newStation(t, Config{MaxReplyRate: 100})
	s.do(asks(2))
	strangers, neighbor := 0, 0
	for k := range 100000 { // in 10 s
		s.now += 100 * time.Microsecond
		s.a.Reset()
		s.h.Tick(s.now, &s.a)
		s.flood(k)
		strangers += len(s.a.Send)
		if k%1000 == 0 {
			s.do(asks(2))
			neighbor += len(s.a.Send)
		}
	}
	if strangers > 1100 || strangers < 1000 {
		t.Errorf("%d replies to strangers in 10 s, want 100/s", strangers)
	}
	if neighbor != 100 {
		t.Errorf("a neighbor that asked 100 times was answered %d times", neighbor)
	}
	if s.do(asks(3)); s.input != InputLimited && s.input != InputAnswered {
		t.Errorf("a stranger: %v", s.input)
	}
}

// TestLearningBudget is R61: one hardware address adds a bounded number of
// neighbors a second, under whatever names, and at time 0, too.
func TestLearningBudget(t *testing.T) {
	s := newStation(t, Config{})
	names := 0
	flood := func() {
		for range 1000 {
			names++
			p := Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(2), SenderAddr: wide(names), TargetAddr: ip(1)}
			s.h.Input(s.now, p, Meta{TargetIsOurs: true}, &s.a)
		}
	}
	flood()
	if n := len(s.h.entries); n != maxLearned {
		t.Errorf("%d neighbors in the first second, want %d", n, maxLearned)
	}
	s.do(asks(3))
	s.wantState(3, "stale") // others are still learned
	s.do(after(time.Second))
	flood()
	if n := len(s.h.entries); n != 2*maxLearned+1 {
		t.Errorf("%d neighbors in two seconds, want %d", n, 2*maxLearned+1)
	}
}

// TestWindowsAreBounded: no more than 64 neighbors are verified at a time,
// whatever comes in, and a flood of challenges allocates nothing.
func TestWindowsAreBounded(t *testing.T) {
	s := newStation(t, Config{StaleTime: time.Hour})
	const n = 4000
	s.fill(0, n, false)
	s.now += 2 * time.Second
	challenge := func(k int) {
		p := Packet{Operation: OperationReply, SenderHardwareAddr: hwOf(9), SenderAddr: wide(k), TargetAddr: wide(k)}
		s.h.Input(s.now, p, Meta{Broadcast: true}, &s.a)
	}
	s.a.Reset()
	for k := range n {
		challenge(k)
	}
	if len(s.a.Send) != maxWindows || len(s.h.windows) != 0 {
		t.Errorf("%d probes, %d windows are free; want %d and none", len(s.a.Send), len(s.h.windows), maxWindows)
	}
	k := 0
	zeroAllocs(t, "a flood of challenges", func() {
		s.a.Reset()
		s.now += time.Millisecond
		s.h.Tick(s.now, &s.a)
		challenge(k % n)
		k++
	})
	s.do(after(time.Second))
	if len(s.h.windows) != maxWindows {
		t.Errorf("%d windows are free in the end, want %d", len(s.h.windows), maxWindows)
	}
}
