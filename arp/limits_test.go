package arp

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPendingCaps is R62, one next hop: packets, bytes; the oldest goes.
func TestPendingCaps(t *testing.T) {
	s := newStation(t, Config{MaxPendingPackets: 3, MaxPendingBytes: 1000})
	s.do(query(2, 1), query(2, 2), query(2, 3))
	s.want([]event{query(2, 4)}, "drop 1: 10.0.0.2 queue full")
	s.want([]event{queryOf(2, 5, 850)}, "drop 2: 10.0.0.2 queue full", "drop 3: 10.0.0.2 queue full")
	s.want([]event{queryOf(2, 6, 1000)}, "drop 4: 10.0.0.2 queue full", "drop 5: 10.0.0.2 queue full")
	// One that never fits takes nothing else with it.
	s.want([]event{queryOf(2, 7, 1001)}, "drop 7: 10.0.0.2 queue full")
	if s.result != Rejected {
		t.Errorf("Query says %v, want %v", s.result, Rejected)
	}
	s.want([]event{answers(2)}, "release 6: 10.0.0.2 hw2 batch 1", "event state 10.0.0.2 hw2 reachable")
}

// TestLatestIsKept is R27, RFC 1122 §2.3.2.2: room for one packet is enough.
func TestLatestIsKept(t *testing.T) {
	s := newStation(t, Config{MaxPendingPackets: 1})
	s.do(query(2, 1))
	for p := 2; p < 100; p++ {
		s.do(query(2, p))
	}
	s.want([]event{answers(2)}, "release 99: 10.0.0.2 hw2 batch 1", "event state 10.0.0.2 hw2 reachable")
}

// TestPendingSizes: what has no size takes a place, and a negative size makes
// no room.
func TestPendingSizes(t *testing.T) {
	s := newStation(t, Config{MaxPendingPackets: 3, MaxPendingBytes: 100})
	s.do(queryOf(2, 1, 0), queryOf(2, 2, -1000))
	s.want([]event{queryOf(2, 3, 100)})
	s.want([]event{queryOf(2, 4, 1)},
		"drop 1: 10.0.0.2 queue full", "drop 2: 10.0.0.2 queue full", "drop 3: 10.0.0.2 queue full")
	s.want([]event{queryOf(2, 5, int(^uint(0)>>1))}, "drop 5: 10.0.0.2 queue full")
	if s.h.pendingBytes != 1 {
		t.Errorf("%d bytes pending, want 1", s.h.pendingBytes)
	}
}

// TestPendingTotal is R62, all next hops together.
func TestPendingTotal(t *testing.T) {
	s := newStation(t, Config{MaxPendingBytes: 1000, MaxPendingTotal: 1000})
	s.do(queryOf(2, 1, 500), queryOf(3, 2, 200), queryOf(3, 3, 200))
	// Its own oldest goes where that helps,
	s.want([]event{queryOf(3, 4, 250)}, "drop 2: 10.0.0.3 pending queues full")
	// and nothing goes where it does not.
	s.want([]event{queryOf(3, 5, 501)}, "drop 5: 10.0.0.3 pending queues full")
	s.want([]event{queryOf(4, 6, 51)},
		broadcastRequest[:len(broadcastRequest)-1]+"4", "drop 6: 10.0.0.4 pending queues full", "event added 10.0.0.4 - incomplete")
	s.want([]event{queryOf(4, 7, 50)})
	// One that was refused leaves nothing behind.
	s.want([]event{answers(4)}, "release 7: 10.0.0.4 hw4 batch 1", "event state 10.0.0.4 hw4 reachable")
	s.want([]event{answers(3)}, "release 3: 10.0.0.3 hw3 batch 2", "release 4: 10.0.0.3 hw3 batch 2", "event state 10.0.0.3 hw3 reachable")
	s.do(after(3 * time.Second))
	if s.h.pendingBytes != 0 {
		t.Errorf("%d bytes pending, and nothing waits", s.h.pendingBytes)
	}
}

// TestFragments: by default the fragments of three of the largest datagrams fit.
func TestFragments(t *testing.T) {
	s := newStation(t, Config{})
	const fragments = 3 * 45
	for p := range fragments {
		queryOf(2, p, 1514)(s)
	}
	answers(2)(s)
	if len(s.a.Drop) != 0 || len(s.a.Release) != fragments {
		t.Fatalf("%d dropped, %d released, want %d released", len(s.a.Drop), len(s.a.Release), fragments)
	}
	for p, r := range s.a.Release {
		if r.P != p {
			t.Fatalf("%d is released as number %d", r.P, p)
		}
	}
}

// fill makes n neighbors from first on: they ask for us, or we ask for them. It
// takes no time: what is limited by the second is not what is tested.
func (s *station) fill(first, n int, asked bool) {
	s.t.Helper()
	requests, learning := s.h.requests, s.h.learning
	defer func() { s.h.requests, s.h.learning = requests, learning }()
	for k := first; k < first+n; k++ {
		s.a.Reset()
		s.h.requests.next, s.h.learning = longAgo, budgets{}
		p := Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(k + 2), SenderAddr: wide(k), TargetAddr: ip(1)}
		if asked {
			s.h.Query(s.now, wide(k), ip(1), 100, k, &s.a)
			p.Operation = OperationReply
		}
		s.h.Input(s.now, p, Meta{TargetIsOurs: true}, &s.a)
		if e, ok := s.h.Entry(wide(k)); !ok || !e.State.HasAddr() {
			s.t.Fatalf("%v is not known: %+v", wide(k), e)
		}
		if asked {
			s.h.Drained(s.h.batch, wide(k), &s.a)
		}
	}
}

// known returns how many of the n neighbors from first on have an address.
func (s *station) known(first, n int) (count int) {
	for k := first; k < first+n; k++ {
		if e, ok := s.h.Entry(wide(k)); ok && e.State.HasAddr() {
			count++
		}
	}
	return count
}

// TestEviction is R61: who asked for us goes first, then who was used before;
// who is in use, or set by the user, never.
func TestEviction(t *testing.T) {
	s := newStation(t, Config{MaxEntries: 10, StaleTime: time.Hour})
	s.fill(0, 4, true)
	after(time.Minute)(s) // 0 to 3 were in use
	s.fill(4, 4, false)   // 4 to 7 never
	s.fill(8, 2, true)    // 8 and 9 are
	s.do(static(2, 2))    // takes no room
	check := func(when string, want ...int) {
		t.Helper()
		var got []int
		for k := range 100 {
			if s.known(k, 1) == 1 {
				got = append(got, k)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: neighbors (-want +got):\n%s", when, diff)
		}
	}
	check("before", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	s.fill(20, 1, false)
	check("another asks for us", 0, 1, 2, 3, 5, 6, 7, 8, 9, 20)
	s.fill(30, 3, true)
	check("three are asked for", 0, 1, 2, 3, 8, 9, 20, 30, 31, 32)
	s.fill(33, 1, true)
	check("one more", 0, 1, 2, 3, 8, 9, 30, 31, 32, 33)
	s.a.Reset()
	asks(50)(s) // is answered, but not learnt
	if len(s.a.Send) != 1 || len(s.a.Updates) != 0 {
		t.Errorf("it is full, another asks for us: %v", lines(&s.a))
	}
	check("it is full, another asks for us", 0, 1, 2, 3, 8, 9, 30, 31, 32, 33)
	s.fill(34, 4, true)
	check("those that were used before go", 8, 9, 30, 31, 32, 33, 34, 35, 36, 37)
	s.want([]event{query(60, 1)}, "drop 1: 10.0.0.60 cache full")
	s.want([]event{asks(60)}, "send to hw60: reply from self 10.0.0.1 for hw60 10.0.0.60")
	check("all are in use", 8, 9, 30, 31, 32, 33, 34, 35, 36, 37)
	s.wantState(2, "static")
}

// TestNoRoomForTheAnswer: what waits is sent, the address is not kept.
func TestNoRoomForTheAnswer(t *testing.T) {
	s := newStation(t, Config{MaxEntries: 2})
	s.do(query(2, 1), due, due, due) // has failed, so others may be asked for
	s.fill(0, 2, true)
	s.want([]event{answers(2)}, "event removed 10.0.0.2 -")
	if s.known(0, 2) != 2 {
		t.Error("one that is in use went")
	}

	s = newStation(t, Config{MaxEntries: 2})
	s.do(query(2, 1), due, due, due)
	s.fill(0, 1, true)
	s.do(wait(2, 2), query(2, 3))
	s.fill(1, 1, false)
	use := func(s *station) { s.h.Use(s.now, wide(1), ip(1), &s.a) }
	s.do(use)
	s.want([]event{answers(2)}, "release 3: 10.0.0.2 hw2 batch 2", "release 2: 10.0.0.2 hw2 batch 2")
	s.want([]event{drained(2, 2)})
	if s.known(0, 2) != 2 {
		t.Error("one that is in use went")
	}
	s.wantState(2, "incomplete") // only the time of the request is kept
	s.do(after(time.Second))
	s.wantState(2, "none")
}

// TestUnresolvedCap: the oldest that failed goes for a new one, at the rate
// of R26.
func TestUnresolvedCap(t *testing.T) {
	s := newStation(t, Config{MaxUnresolved: 2})
	s.do(query(2, 1), query(3, 2))
	s.want([]event{query(4, 3)}, "drop 3: 10.0.0.4 cache full")
	s.want([]event{wait(4, 3)}, "drop 3: 10.0.0.4 cache full")
	s.do(after(3 * time.Second))
	s.wantState(2, "failed")
	s.do(query(2, 4)) // asks again, so that 3 is the older one
	s.do(query(4, 5))
	s.wantState(3, "none")
	s.wantState(4, "incomplete")
	s.want([]event{query(5, 6)}, "drop 6: 10.0.0.5 cache full") // 2 was asked for just now
	s.do(after(time.Second))
	s.do(query(5, 7))
	s.wantState(2, "none")
	s.wantState(5, "incomplete")
}

// TestUnresolvedCapAfterFlush: those that are kept in mind for the rate may be
// more than the cap, but no more than the cap may be asked for.
func TestUnresolvedCapAfterFlush(t *testing.T) {
	s := newStation(t, Config{MaxUnresolved: 2})
	s.fill(0, 5, true)
	s.do(flush)
	for k := range 5 {
		if got := s.h.Query(s.now, wide(k), ip(1), 100, k, &s.a); got != Rejected {
			t.Errorf("Query of number %d says %v", k, got)
		}
	}
	s.do(after(time.Second))
	for k := range 5 {
		want := Queued
		if k >= 2 {
			want = Rejected
		}
		if got := s.h.Query(s.now, wide(k), ip(1), 100, k, &s.a); got != want {
			t.Errorf("a second later, Query of number %d says %v, want %v", k, got, want)
		}
	}
}
