package arp

import (
	"testing"
	"time"
)

// zeroAllocs fails the test if f, called again and again, allocates.
func zeroAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(1000, f); n != 0 {
		t.Errorf("%s: %v allocations, want none", what, n)
	}
}

func TestAllocs(t *testing.T) {
	b := unhex(t, wire)
	zeroAllocs(t, "ParsePacket", func() {
		if _, err := ParsePacket(b); err != nil {
			t.Fatal(err)
		}
	})
	p, err := ParsePacket(b)
	if err != nil {
		t.Fatal(err)
	}
	var out [PacketLen]byte
	zeroAllocs(t, "Put", func() { p.Put(&out) })

	s := newStation(t, Config{})
	s.do(reachable...)
	zeroAllocs(t, "Query of a known neighbor", func() {
		s.a.Reset()
		if s.h.Query(s.now, ip(2), ip(1), 1500, 1, &s.a); len(s.a.Release) != 1 {
			t.Fatal("not known")
		}
	})
	ask := Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(3), SenderAddr: ip(3), TargetAddr: ip(1)}
	zeroAllocs(t, "a flood of requests from one sender", func() {
		s.a.Reset()
		s.now += time.Microsecond
		if s.h.Input(s.now, ask, Meta{Broadcast: true, TargetIsOurs: true}, &s.a); len(s.a.Send) != 1 {
			t.Fatal("no reply")
		}
	})
	// Use, DelayTime, a poll, its answer, ReachableTime, in turn.
	turn := []event{use(2), due, answers(2), due}
	s.do(due)
	s.do(remove(3))
	s.wantState(2, "stale")
	zeroAllocs(t, "an entry that is polled and answers", func() {
		for _, e := range turn {
			s.a.Reset()
			e(s)
		}
	})
	s.wantState(2, "stale")
	zeroAllocs(t, "an entry that is asked for, answers, and is removed", func() {
		s.a.Reset()
		s.now += time.Minute
		s.h.Tick(s.now, &s.a)
		query(4, 1)(s)
		answers(4)(s)
		s.h.Drained(s.h.batch, ip(4), &s.a)
		s.now += time.Second
		s.h.Remove(s.now, ip(4), &s.a)
	})
}

// TestAllocsOfFlood: a full cache takes in 100 000 senders, over and over, and
// the map under it makes no garbage worth counting either.
func TestAllocsOfFlood(t *testing.T) {
	s := newStation(t, Config{})
	const senders = 100000
	s.fill(0, senders, false)
	k := 0
	zeroAllocs(t, "a flood of requests from 100 000 senders", func() {
		for range 100 {
			s.a.Reset()
			s.now += time.Microsecond
			s.flood(k % senders)
			k++
		}
	})
}

// flood is a request for us from sender k.
func (s *station) flood(k int) {
	p := Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(k + 2), SenderAddr: wide(k), TargetAddr: ip(1)}
	s.h.Input(s.now, p, Meta{Broadcast: true, TargetIsOurs: true}, &s.a)
}
