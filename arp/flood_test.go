package arp

import (
	"testing"
	"time"
)

// TestScan is R61: somebody here sends to each address of a /16. Neighbors in use
// stay, whether or not anybody answers, and memory is bounded.
func TestScan(t *testing.T) {
	for _, answered := range []bool{false, true} {
		s := newStation(t, Config{})
		const inUse, scan = 100, 1 << 16
		s.fill(scan, inUse, true)
		for k := range scan {
			s.now += 100 * time.Microsecond
			s.a.Reset()
			s.h.Tick(s.now, &s.a)
			s.h.Query(s.now, wide(k), ip(1), 100, k, &s.a)
			if answered {
				s.h.Input(s.now, Packet{Operation: OperationReply, SenderHardwareAddr: hwOf(k), SenderAddr: wide(k)}, Meta{TargetIsOurs: true}, &s.a)
			}
			if s.h.unresolved() > 1024 || s.h.resolved() > 4096 || s.h.pendingBytes > 1024*100 {
				t.Fatalf("answered %v: %d unresolved, %d resolved, %d bytes", answered, s.h.unresolved(), s.h.resolved(), s.h.pendingBytes)
			}
		}
		if n := s.known(scan, inUse); n != inUse {
			t.Errorf("answered %v: %d of %d in use are still known", answered, n, inUse)
		}
	}
}

// TestFlood is R61: 100 000 senders ask for us. Who is in use stays, and so does who
// was; the memory is given back.
func TestFlood(t *testing.T) {
	s := newStation(t, Config{MaxEntries: 5000, StaleTime: time.Hour})
	const senders = 100000
	s.fill(senders, 100, true)
	after(time.Minute)(s)
	s.fill(senders+100, 100, true)
	s.fill(0, senders, false)
	if n := s.known(senders, 200); n != 200 {
		t.Errorf("%d of 200 that were asked for are still known", n)
	}
	if n := s.h.resolved(); n != 5000 {
		t.Errorf("%d have an address, want 5000", n)
	}
	s.do(flush)
	free := 0
	for e := s.h.free; e != nil; e = e.next {
		free++
	}
	if free != s.h.freeN || free > maxFree {
		t.Errorf("%d entries are kept for reuse, counted as %d, want up to %d", free, s.h.freeN, maxFree)
	}
	// Queues are kept for reuse, too: few, and short ones.
	for k := range 100 {
		for p := range 3 {
			s.h.Query(s.now, wide(k), ip(1), 100, p, &s.a)
		}
	}
	s.do(flush)
	if n := len(s.h.queues); n > maxFreeQueues {
		t.Errorf("%d queues are kept for reuse, want up to %d", n, maxFreeQueues)
	}
}

// TestLongQueueIsNotKept: the memory of one that was long is given back.
func TestLongQueueIsNotKept(t *testing.T) {
	s := newStation(t, Config{MaxPendingPackets: 1 << 16})
	for p := range 2 * maxFreeQueueLen {
		queryOf(2, p, 1)(s)
	}
	for p := range 2 * maxFreeQueueLen {
		wait(3, p)(s)
	}
	s.do(closes)
	for _, q := range s.h.queues {
		t.Errorf("a queue for %d packets and %d queries is kept", cap(q.items), cap(q.waiters))
	}
}

// TestQueueReusesItsMemory: packets that go on coming for a next hop that does not
// answer take no more memory than those that are kept.
func TestQueueReusesItsMemory(t *testing.T) {
	s := newStation(t, Config{MaxPendingPackets: 8})
	for p := range 10000 {
		s.do(query(2, p))
	}
	if n := cap(s.h.find(ip(2)).queue.items); n > 32 {
		t.Errorf("the queue has memory for %d packets, want about 8", n)
	}
}

// TestTickIsBounded: a thousand deadlines at once take several calls.
func TestTickIsBounded(t *testing.T) {
	s := newStation(t, Config{})
	s.fill(0, 1000, false)
	calls := 0
	for at, ok := s.h.NextDeadline(); ok; at, ok = s.h.NextDeadline() {
		if calls++; calls > 10 {
			t.Fatal("Tick does not get on")
		}
		s.now = max(s.now, at)
		s.do(tick)
		if n := len(s.a.Events); n > maxTick {
			t.Errorf("one Tick changes %d entries, want up to %d", n, maxTick)
		}
	}
	if len(s.h.entries) != 0 {
		t.Errorf("%d are left", len(s.h.entries))
	}
}
