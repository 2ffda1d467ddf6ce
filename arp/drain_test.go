package arp

import (
	"testing"
	"time"
)

// TestDraining: released, sent, published, in this order; what comes in
// meanwhile goes in turn, and nothing before it.
func TestDraining(t *testing.T) {
	s := newStation(t, Config{})
	s.do(query(2, 1), query(2, 2))
	s.want([]event{answers(2)}, "release 1: 10.0.0.2 hw2 batch 1", "release 2: 10.0.0.2 hw2 batch 1",
		"event state 10.0.0.2 hw2 reachable")
	s.want([]event{query(2, 3)})
	s.want([]event{query(2, 4)})
	s.want([]event{drained(2, 1)}, "release 3: 10.0.0.2 hw2 batch 2", "release 4: 10.0.0.2 hw2 batch 2")
	s.want([]event{drained(2, 1)}) // of the batch before
	s.want([]event{query(2, 5)})
	s.want([]event{drained(2, 2)}, "release 5: 10.0.0.2 hw2 batch 3")
	s.want([]event{drained(2, 3)}, "table 10.0.0.2 hw2")
	s.want([]event{query(2, 6)}, "release 6: 10.0.0.2 hw2")
	for _, batch := range []uint64{0, 3, 4} {
		s.want([]event{drained(2, batch)})
	}
}

// TestMaxDrainRounds: a sender that is faster than the device does not keep the
// entry out of the table for ever, nor do queries keep packets from it.
func TestMaxDrainRounds(t *testing.T) {
	s := newStation(t, Config{})
	s.do(query(2, 0), answers(2))
	rounds := 0
	for {
		rounds++
		query(2, rounds)(s)
		wait(2, -rounds)(s)
		s.do(drained(2, s.h.batch))
		if len(s.a.Updates) > 0 {
			break
		}
		if rounds > 1000 {
			t.Fatal("never published")
		}
	}
	if rounds != maxDrainRounds+1 {
		t.Errorf("published after %d rounds, want %d", rounds, maxDrainRounds+1)
	}
	s.want([]event{query(2, 1)}, "release 1: 10.0.0.2 hw2")
	// The next time it begins at nothing.
	s.do(remove(2), query(2, 1), after(time.Second), answers(2), query(2, 2))
	s.want([]event{drained(2, s.h.batch)}, "release 2: 10.0.0.2 hw2 batch 19")
}

// TestDroppedInTheLastRound: what is refused says so.
func TestDroppedInTheLastRound(t *testing.T) {
	s := newStation(t, Config{})
	s.do(query(2, 0), answers(2))
	for k := range maxDrainRounds {
		s.do(query(2, k), drained(2, s.h.batch))
	}
	s.want([]event{query(2, 99)}, "drop 99: 10.0.0.2 queue full")
	s.want([]event{wait(2, 100)}, "release 100: 10.0.0.2 hw2")
	s.want([]event{drained(2, s.h.batch)}, "table 10.0.0.2 hw2")
}

// TestForgottenWhileDraining: what comes after goes in turn, too, and the end
// of the batch before does not publish it.
func TestForgottenWhileDraining(t *testing.T) {
	for _, tt := range []struct {
		name   string
		forget event
	}{{"removed", remove(2)}, {"flushed", flush}, {"link down", linkDown}} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStation(t, Config{})
			s.do(draining...)
			s.want([]event{tt.forget}, "drop 2: 10.0.0.2 flushed", "event state 10.0.0.2 - incomplete")
			s.want([]event{query(2, 3)})
			s.want([]event{drained(2, 1)})
			s.wantState(2, "incomplete")
			s.want([]event{answers(2)}, "release 3: 10.0.0.2 hw2 batch 2", "event state 10.0.0.2 hw2 reachable")
			s.want([]event{drained(2, 1)})
			s.want([]event{drained(2, 2)}, "table 10.0.0.2 hw2")

			// The other way round: the answer comes while 1 is still being sent.
			s = newStation(t, Config{})
			s.do(draining...)
			s.do(tt.forget, query(2, 3))
			s.want([]event{answers(2)}, "event state 10.0.0.2 hw2 reachable")
			s.want([]event{query(2, 4)})
			s.want([]event{drained(2, 1)}, "release 3: 10.0.0.2 hw2 batch 2", "release 4: 10.0.0.2 hw2 batch 2")
			s.want([]event{drained(2, 2)}, "table 10.0.0.2 hw2")
		})
	}
}

// TestForgottenWhileDrainingForLong: an entry is kept until its batch was sent,
// whenever it was asked for.
func TestForgottenWhileDrainingForLong(t *testing.T) {
	s := newStation(t, Config{})
	s.do(draining...)
	s.do(after(5 * time.Second))
	s.want([]event{remove(2)}, "drop 2: 10.0.0.2 flushed", "event state 10.0.0.2 - incomplete")
	s.want([]event{after(5 * time.Second)})
	s.want([]event{static(2, 3)}, "event state 10.0.0.2 hw3 static")
	s.want([]event{drained(2, 1)}, "table 10.0.0.2 hw3")

	s = newStation(t, Config{})
	s.do(draining...)
	s.do(after(5*time.Second), remove(2))
	s.want([]event{drained(2, 1)})
	s.want([]event{after(time.Second)}, "event removed 10.0.0.2 -")

	// Nobody answers any more while it is being sent.
	s = newStation(t, Config{})
	s.do(draining...)
	s.do(remove(2), query(2, 3), after(4*time.Second))
	s.wantState(2, "failed")
	s.want([]event{drained(2, 1)})
	s.want([]event{answers(2)}, "table 10.0.0.2 hw2", "event state 10.0.0.2 hw2 reachable")
}

// TestStaticWhileDraining: what waits goes to the new address, in turn.
func TestStaticWhileDraining(t *testing.T) {
	s := newStation(t, Config{})
	s.do(draining...)
	s.do(static(2, 3))
	s.want([]event{query(2, 4)})
	s.want([]event{drained(2, 1)}, "release 2: 10.0.0.2 hw3 batch 2", "release 4: 10.0.0.2 hw3 batch 2")
	s.want([]event{drained(2, 2)}, "table 10.0.0.2 hw3")

	// Removed while it drains: it is not published, and what waits is dropped.
	s = newStation(t, Config{})
	s.do(query(2, 1), static(2, 3), query(2, 2))
	s.want([]event{remove(2)}, "drop 2: 10.0.0.2 flushed", "event state 10.0.0.2 - incomplete")
	s.want([]event{drained(2, 1)})
	s.do(after(time.Second))
	s.wantState(2, "none")
}

// TestMovedWhileDraining: the table gets the address that is current when the
// batch is sent, and so does what waits.
func TestMovedWhileDraining(t *testing.T) {
	s := newStation(t, Config{})
	s.do(query(2, 1), answers(2), after(time.Second), moved, due)
	s.want([]event{due},
		"event state 10.0.0.2 hw3 stale", "event moved 10.0.0.2 hw2 to hw3 stale")
	s.want([]event{drained(2, 1)}, "table 10.0.0.2 hw3 stale")

	s = newStation(t, Config{})
	s.do(draining...)
	s.do(after(time.Second), moved, due, due)
	s.want([]event{drained(2, 1)}, "release 2: 10.0.0.2 hw3 batch 2")
	s.want([]event{drained(2, 2)}, "table 10.0.0.2 hw3")
}

// TestUnreachableWhileDraining: an entry whose polls stay unanswered goes, with
// what waits.
func TestUnreachableWhileDraining(t *testing.T) {
	s := newStation(t, Config{})
	s.do(draining...)
	s.do(reverify, after(3*time.Second-1))
	s.wantState(2, "probe")
	s.want([]event{after(1)}, "drop 2: 10.0.0.2 next hop unreachable", "event state 10.0.0.2 - incomplete")
	s.want([]event{drained(2, 1)})
	s.want([]event{after(time.Second)}, "event removed 10.0.0.2 -")
}
