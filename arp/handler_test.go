package arp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOneSeries is R26: 100 that wait share one series of requests, and its end.
func TestOneSeries(t *testing.T) {
	s := newStation(t, Config{})
	for p := range 50 {
		wait(2, 2*p)(s)
		query(2, 2*p+1)(s)
	}
	after(10 * time.Second)(s)
	if n := requests(&s.a, 2); n != 3 {
		t.Errorf("%d requests for 100 that wait, want 3", n)
	}
	var got []int
	for _, d := range s.a.Drop {
		if d.Reason != DropUnreachable {
			t.Errorf("%d was dropped: %v", d.P, d.Reason)
		}
		got = append(got, d.P)
	}
	slices.Sort(got)
	if len(got) != 100 || got[0] != 0 || got[99] != 99 || len(slices.Compact(got)) != 100 {
		t.Errorf("dropped: %v, want each of 0 to 99 once", got)
	}
}

// TestMaxRequests: count and interval are what the Config says.
func TestMaxRequests(t *testing.T) {
	s := newStation(t, Config{MaxRequests: 5, RequestInterval: 3 * time.Second})
	var at []time.Duration
	query(2, 1)(s)
	for s.state(2) == "incomplete" {
		if len(s.a.Send) > 0 {
			at = append(at, s.now)
		}
		s.do(due)
	}
	if diff := cmp.Diff([]time.Duration{0, 3e9, 6e9, 9e9, 12e9}, at); diff != "" || s.now != 15e9 {
		t.Errorf("requests, until %v (-want +got):\n%s", s.now, diff)
	}
}

// TestFailed is R63: a negative entry answers at once, and asks again at most
// once a second for as long as somebody wants to send there.
func TestFailed(t *testing.T) {
	s := newStation(t, Config{})
	s.do(failed...)
	s.want([]event{query(2, 2)}, broadcastRequest, "drop 2: 10.0.0.2 next hop unreachable")
	if s.result != Unreachable {
		t.Errorf("Query says %v, want %v", s.result, Unreachable)
	}
	s.want([]event{after(time.Second - 1), query(2, 3)}, "drop 3: 10.0.0.2 next hop unreachable")
	s.want([]event{after(1), query(2, 4)}, broadcastRequest, "drop 4: 10.0.0.2 next hop unreachable")
	// Ten packets a second, for longer than FailedTime.
	s.a.Reset()
	for range 300 {
		after(100 * time.Millisecond)(s)
		query(2, 5)(s)
	}
	if n := requests(&s.a, 2); n != 30 {
		t.Errorf("%d requests in 30 s, want 30", n)
	}
	s.wantState(2, "failed")
	s.do(after(20*time.Second - 1))
	s.wantState(2, "failed")
	s.do(after(1))
	s.wantState(2, "none")
}

// TestFailedComesBack: the first packet after the late answer goes at once.
func TestFailedComesBack(t *testing.T) {
	s := newStation(t, Config{})
	s.do(failed...)
	s.do(query(2, 2), answers(2))
	s.want([]event{query(2, 3)}, "release 3: 10.0.0.2 hw2")
}

// TestPollWhileUsed is R25: an entry that is used is polled for ever, and the
// time between confirmations is within bounds.
func TestPollWhileUsed(t *testing.T) {
	s := newStation(t, Config{})
	s.do(reachable...)
	last := s.now
	for range 100 {
		for s.state(2) != "probe" {
			s.do(due, use(2))
		}
		if d := s.now - last; d < 20*time.Second || d > 50*time.Second { // 0.5 to 1.5 times 30 s, and 5 s
			t.Errorf("polled %v after it was confirmed", d)
		}
		s.do(answers(2))
		last = s.now
	}
	s.wantState(2, "reachable")
}

// TestJitter is RFC 4861 §6.3.2: ReachableTime is 0.5 to 1.5 times what was
// asked for, all over that range, and follows from the seed.
func TestJitter(t *testing.T) {
	times := func(seed uint64) (all []time.Duration) {
		s := newStation(t, Config{Seed: seed, ReachableTime: 10 * time.Second, MaxEntries: 1000, MaxUnresolved: 1000})
		for n := range 1000 {
			p := Packet{Operation: OperationReply, SenderHardwareAddr: hwOf(2), SenderAddr: wide(n)}
			s.h.Query(0, p.SenderAddr, ip(1), 1, n, &s.a)
			s.h.Input(0, p, Meta{TargetIsOurs: true}, &s.a)
			all = append(all, s.h.entries[p.SenderAddr.As4()].deadline)
		}
		return all
	}
	a := times(1)
	if lo, hi := slices.Min(a), slices.Max(a); lo < 5e9 || lo > 5.1e9 || hi >= 15e9 || hi < 14.9e9 {
		t.Errorf("times are %v to %v, want 5 s to 15 s", lo, hi)
	}
	if !slices.Equal(a, times(1)) {
		t.Error("the same seed gives other times")
	}
	if slices.Equal(a, times(2)) {
		t.Error("another seed gives the same times")
	}
}

// TestReverifyPollsAgain: an entry that is being polled gets all of MaxProbes
// again.
func TestReverifyPollsAgain(t *testing.T) {
	s := newStation(t, Config{})
	s.do(probe...)
	s.do(reverify)
	s.want([]event{after(3 * time.Second)}, "table 10.0.0.2 gone",
		unicastRequest, unicastRequest, unicastRequest, "event removed 10.0.0.2 -")
}

func TestCancel(t *testing.T) {
	s := newStation(t, Config{})
	s.do(wait(2, 1), wait(2, 2), query(2, 3), wait(2, 4))
	s.want([]event{cancel(2, 2), cancel(2, 3), cancel(2, 9), cancel(3, 1)}) // 3 is a packet, which cannot be cancelled
	s.want([]event{answers(2)},
		"release 3: 10.0.0.2 hw2 batch 1", "release 1: 10.0.0.2 hw2 batch 1", "release 4: 10.0.0.2 hw2 batch 1",
		"event state 10.0.0.2 hw2 reachable")
	s.want([]event{cancel(2, 1), drained(2, 1)}, "table 10.0.0.2 hw2")

	// Cancelled and waited for again: the series goes on, no request more.
	s = newStation(t, Config{})
	s.do(wait(2, 1), cancel(2, 1))
	s.want([]event{wait(2, 2)})
	s.want([]event{due}, broadcastRequest)
	// All cancelled: no request more, and no entry.
	s.do(cancel(2, 2))
	s.want([]event{due}, "event removed 10.0.0.2 -")
	if at, ok := s.h.NextDeadline(); ok {
		t.Errorf("still something to do at %v", at)
	}
}

func TestStaticErrors(t *testing.T) {
	s := newStation(t, Config{})
	s.do(addAddress(ip(1)))
	for _, tt := range []struct {
		addr netip.Addr
		hw   HardwareAddr
		want string // is named
	}{
		{ip(1), hwOf(2), "10.0.0.1: the address is our own"},
		{netip.MustParseAddr("224.0.0.1"), hwOf(2), "224.0.0.1"},
		{netip.MustParseAddr("::ffff:10.0.0.2"), hwOf(2), "::ffff:10.0.0.2"},
		{netip.Addr{}, hwOf(2), "invalid IP"},
		{ip(2), Broadcast, "ff:ff:ff:ff:ff:ff"},
		{ip(2), HardwareAddr{}, "00:00:00:00:00:00"},
	} {
		s.a.Reset()
		err := s.h.AddStatic(s.now, tt.addr, tt.hw, &s.a)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("AddStatic(%v, %v): %v, want an error that says %q", tt.addr, tt.hw, err, tt.want)
		}
		if !s.a.Empty() || len(s.h.entries) != 0 {
			t.Errorf("AddStatic(%v, %v) did something: %v", tt.addr, tt.hw, lines(&s.a))
		}
	}
}

// TestLinkUpAsksAnew: what was asked for while the link was down gets a whole
// new series, at the rate of R26.
func TestLinkUpAsksAnew(t *testing.T) {
	s := newStation(t, Config{})
	s.do(linkDown, query(2, 1), due, after(time.Second/2))
	s.want([]event{linkUp})
	s.want([]event{after(time.Second / 2)}, broadcastRequest)
	s.want([]event{after(3 * time.Second)}, broadcastRequest, broadcastRequest,
		"drop 1: 10.0.0.2 next hop unreachable", "event state 10.0.0.2 - failed")
}

// TestAfterClose: nothing that is called does anything, in any state.
func TestAfterClose(t *testing.T) {
	for _, before := range [][]event{nil, incomplete, reachable, stale, delay, probe, failed, fixed, draining} {
		s := newStation(t, Config{})
		s.do(addAddress(ip(1)))
		s.do(before...)
		s.do(closes)
		if n := len(s.h.entries); n != 0 {
			t.Errorf("%d entries are left", n)
		}
		s.want([]event{query(2, 8)}, "drop 8: 10.0.0.2 closed")
		s.want([]event{wait(2, 9)}, "drop 9: 10.0.0.2 closed")
		for _, e := range []event{
			closes, use(2), cancel(2, 1), answers(2), asks(2), drained(2, 1), flush, linkDown, linkUp, reverify, tick,
			addAddress(ip(7)), func(s *station) { s.h.SetHardwareAddr(s.now, hwOf(9), &s.a) },
			func(s *station) { s.h.Remove(s.now, ip(2), &s.a) },
			func(s *station) {
				if err := s.h.AddStatic(s.now, ip(2), hwOf(2), &s.a); err == nil {
					t.Error("a neighbor was added")
				}
			},
		} {
			s.want([]event{e})
		}
		if at, ok := s.h.NextDeadline(); ok {
			t.Errorf("still something to do at %v", at)
		}
	}
}

// TestEntries: what is yielded is what Entry says, and a loop may end early.
func TestEntries(t *testing.T) {
	s := newStation(t, Config{})
	s.do(query(2, 1), query(2, 2), wait(2, 3), asks(3), static(4, 4))
	want := map[netip.Addr]Entry{
		ip(2): {Addr: ip(2), State: Incomplete, Pending: 3},
		ip(3): {Addr: ip(3), HardwareAddr: hwOf(3), State: Stale},
		ip(4): {Addr: ip(4), HardwareAddr: hwOf(4), State: Static},
	}
	got := map[netip.Addr]Entry{}
	for e := range s.h.Entries() {
		got[e.Addr] = e
		if one, ok := s.h.Entry(e.Addr); !ok || one != e {
			t.Errorf("Entry(%v) = %v, %v; Entries has %v", e.Addr, one, ok, e)
		}
	}
	if diff := cmp.Diff(want, got, packetOptions); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	n := 0
	for range s.h.Entries() {
		n++
		break
	}
	if n != 1 {
		t.Errorf("a loop that ends at once ran %d times", n)
	}
}

func TestActionsReset(t *testing.T) {
	var a Actions[*int]
	if !a.Empty() {
		t.Error("the zero Actions are not empty")
	}
	p := new(int)
	for _, fill := range []func(){
		func() { a.Updates = append(a.Updates, Update{}) }, func() { a.Send = append(a.Send, Send{}) },
		func() { a.Release = append(a.Release, Release[*int]{P: p}) }, func() { a.Drop = append(a.Drop, Drop[*int]{P: p}) },
		func() { a.Events = append(a.Events, Event{}) },
	} {
		fill()
		if a.Empty() {
			t.Errorf("empty, with %+v", a)
		}
		a.Reset()
		if !a.Empty() {
			t.Errorf("not empty after Reset: %+v", a)
		}
	}
	if a.Release[:1][0].P != nil || a.Drop[:1][0].P != nil {
		t.Error("Reset keeps what was released or dropped from being freed")
	}
}
