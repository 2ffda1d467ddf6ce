package arp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var linkLocal = netip.MustParseAddr("169.254.7.2")

// forgeries are the ways to say that host 2 is at hardware address 3.
var forgeries = []struct {
	name  string
	event event
	forUs bool // a request for our address
}{
	{"request for us", receive(OperationRequest, 2, 3, 1, false), true},
	{"broadcast request for us", receive(OperationRequest, 2, 3, 1, true), true},
	{"request for another", receive(OperationRequest, 2, 3, 9, true), false},
	{"reply to us", receive(OperationReply, 2, 3, 1, false), false},
	{"broadcast reply", receive(OperationReply, 2, 3, 1, true), false},
	{"reply to another", receive(OperationReply, 2, 3, 9, true), false},
	{"announcement", receive(OperationRequest, 2, 3, 2, true), false},
	{"announcement, unicast", receive(OperationRequest, 2, 3, 2, false), false},
	{"announcement of the older form", receive(OperationReply, 2, 3, 2, true), false},
	{"announcement of the older form, unicast", receive(OperationReply, 2, 3, 2, false), false},
}

// answerPolls lets host 2, if it is alive, answer what it is asked.
func (s *station) answerPolls(alive bool) {
	for _, p := range append([]Send(nil), s.a.Send...) {
		if alive && (p.To == hwOf(2) || p.To == Broadcast) && p.Packet.Operation == OperationRequest && p.Packet.TargetAddr == ip(2) {
			answers(2)(s)
		}
	}
}

// pass lets d pass in steps of a millisecond.
func (s *station) pass(d time.Duration, alive bool) {
	for end := s.now + d; s.now < end; {
		s.now += time.Millisecond
		s.a.Reset()
		s.h.Tick(s.now, &s.a)
		s.answerPolls(alive)
	}
}

// TestAttacks is the matrix: each forgery, once and as a flood, against a
// neighbor in each state, alive and gone. A neighbor that is alive is never sent
// to elsewhere; one that is gone is followed within VerifyTime. R5, R54, R55.
func TestAttacks(t *testing.T) {
	for _, tt := range []struct {
		state   string
		before  []event
		adopted bool // at once, by what is for us: there was no address yet
	}{
		{"none", nil, true},
		{"incomplete", incomplete, true},
		{"failed", failed, true},
		{"reachable", longReachable, false},
		{"stale", longStale, false},
		{"delay", longDelay, false},
		{"probe", append(probe[:3:3], due), false},
		{"static", fixed, false},
	} {
		for _, f := range forgeries {
			for _, alive := range []bool{true, false} {
				for _, times := range []int{1, 1000} {
					name := fmt.Sprintf("%s/%s/alive=%v/%d", tt.state, f.name, alive, times)
					t.Run(name, func(t *testing.T) { attack(t, tt.before, tt.state, tt.adopted, f.event, f.forUs, alive, times) })
				}
			}
		}
	}
}

func attack(t *testing.T, before []event, state string, adopted bool, forge event, forUs, alive bool, times int) {
	s := newStation(t, Config{})
	s.do(before...)
	s.wantState(2, state)
	probes, rejected, addr := 0, 0, HardwareAddr{}
	for range times {
		s.a.Reset()
		s.h.Tick(s.now, &s.a)
		forge(s)
		s.answerPolls(alive)
		for _, p := range s.a.Send {
			if p.Packet.Operation == OperationRequest {
				probes++
			}
		}
		for _, e := range s.a.Events {
			if e.Kind == EventRejected {
				rejected++
			}
		}
		if e, _ := s.h.Entry(ip(2)); alive && !adopted && e.HardwareAddr != hwOf(2) {
			t.Fatalf("a neighbor that is alive is at %v", e.HardwareAddr)
		}
		s.now += time.Millisecond
	}
	s.pass(60*time.Millisecond, alive)
	if e, ok := s.h.Entry(ip(2)); ok {
		addr = e.HardwareAddr
	}
	switch {
	case state == "none" && !forUs:
		// R53: nobody is added because of what nobody asked for.
		if addr != (HardwareAddr{}) || len(s.h.entries) != 0 {
			t.Errorf("it is known, at %v", addr)
		}
	case adopted: // the first answer wins, as there is nobody to ask
		if addr != hwOf(3) {
			t.Errorf("it is at %v, want %v", addr, hwOf(3))
		}
	case alive || state == "static":
		if addr != hwOf(2) {
			t.Errorf("it is at %v, want %v", addr, hwOf(2))
		}
		if limit := 2 * (times/1000 + 1) * verifyProbes; probes > limit || state != "static" && rejected == 0 {
			t.Errorf("%d probes, want up to %d; %d rejected, want some", probes, limit, rejected)
		}
	default:
		if addr != hwOf(3) {
			t.Errorf("the neighbor is gone, and said to be at %v; it is held to be at %v", hwOf(3), addr)
		}
	}
}

// TestFailover: with the neighbor gone, either form of announcement moves it
// within VerifyTime, R5, R55; what is sent meanwhile goes to the old address, what
// is sent after that to the new one.
func TestFailover(t *testing.T) {
	for _, op := range []Operation{OperationRequest, OperationReply} {
		s := newStation(t, Config{})
		s.do(longReachable...)
		s.do(receive(op, 2, 3, 2, true))
		s.want([]event{after(50*time.Millisecond - 1), query(2, 5)}, "release 5: 10.0.0.2 hw2")
		s.want([]event{after(1), query(2, 6)}, "release 6: 10.0.0.2 hw3", "event state 10.0.0.2 hw3 delay")
	}
}

// TestThrash: two hosts that both answer for an address change it once in
// LockTime at most, R55.
func TestThrash(t *testing.T) {
	s := newStation(t, Config{AcceptImmediately: true})
	s.do(longReachable...)
	moved := 0
	for k := range 10000 {
		s.now += time.Millisecond
		s.do(tick)
		s.do(receive(OperationReply, 2, 3+k%2, 2, true))
		for _, e := range s.a.Events {
			if e.Kind == EventMoved {
				moved++
			}
		}
	}
	if moved != 10 {
		t.Errorf("it moved %d times in 10 s, want once a second", moved)
	}
}

// TestAcceptPolicies is R53 and R54: what an announcement may do to those known
// and unknown.
func TestAcceptPolicies(t *testing.T) {
	for _, tt := range []struct {
		accept         Accept
		known, unknown string // the hardware address afterwards
	}{{AcceptUpdate, "hw3", "-"}, {AcceptIgnore, "hw2", "-"}, {AcceptLearn, "hw3", "hw3"}} {
		for _, op := range []Operation{OperationRequest, OperationReply} {
			for _, known := range []bool{true, false} {
				s := newStation(t, Config{Accept: tt.accept})
				want := tt.unknown
				if known {
					s.do(longStale...)
					want = tt.known
				}
				s.do(receive(op, 2, 3, 2, true), after(50*time.Millisecond))
				e, _ := s.h.Entry(ip(2))
				if got := hwName(e.HardwareAddr); got != want {
					t.Errorf("policy %d, %v, known %v: at %s, want %s", tt.accept, op, known, got, want)
				}
			}
		}
	}
	// While it is asked for, an announcement is an answer, unless it is ignored.
	for _, accept := range []Accept{AcceptUpdate, AcceptIgnore} {
		s := newStation(t, Config{Accept: accept})
		s.do(query(2, 1), receive(OperationRequest, 2, 2, 2, true))
		if got, want := len(s.a.Release) == 1, accept == AcceptUpdate; got != want {
			t.Errorf("policy %d: an announcement releases what waits: %v, want %v", accept, got, want)
		}
	}
}

// TestOffLink is R57: who is in no subnet of the link is answered, not learned;
// but where it was asked for, it is believed.
func TestOffLink(t *testing.T) {
	s := newStation(t, Config{Accept: AcceptLearn})
	hears := func(op Operation, target byte) event {
		return func(s *station) {
			p := Packet{Operation: op, SenderHardwareAddr: hwOf(2), SenderAddr: ip(2), TargetAddr: ip(target)}
			s.h.Input(s.now, p, Meta{TargetIsOurs: target == 1, SenderIsOffLink: true}, &s.a)
		}
	}
	s.want([]event{hears(OperationRequest, 1)}, unicastReply)
	s.want([]event{hears(OperationRequest, 2)})
	s.do(query(2, 1))
	s.want([]event{hears(OperationReply, 1)}, "release 1: 10.0.0.2 hw2 batch 1", "event state 10.0.0.2 hw2 reachable")
}

// TestStrictSource is R58.
func TestStrictSource(t *testing.T) {
	for _, strict := range []bool{false, true} {
		s := newStation(t, Config{StrictSource: strict})
		p := Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(2), SenderAddr: ip(2), TargetAddr: ip(1)}
		got, want := s.h.Input(0, p, Meta{TargetIsOurs: true, SourceDiffers: true}, &s.a), InputAnswered
		if strict {
			want = InputBadSender
		}
		if got != want || s.a.Empty() != strict {
			t.Errorf("strict %v: %v, want %v; %v", strict, got, want, lines(&s.a))
		}
	}
}

// TestLinkLocalNeighbor is R48 and R49, RFC 3927 §2.5 and §2.6.2: a link-local
// neighbor is asked for as any, and broadcasts its answers. So they count, to a
// request, to a poll and to a challenge.
func TestLinkLocalNeighbor(t *testing.T) {
	s := newStation(t, Config{})
	neighbor := linkLocal
	state := func() State {
		e, _ := s.h.Entry(neighbor)
		return e.State
	}
	says := func(hw int) {
		p := Packet{Operation: OperationReply, SenderHardwareAddr: hwOf(hw), SenderAddr: neighbor, TargetHardwareAddr: hwOf(1), TargetAddr: ip(1)}
		s.h.Input(s.now, p, Meta{Broadcast: true, TargetIsOurs: true}, &s.a)
	}
	s.h.Query(s.now, neighbor, ip(1), 100, 1, &s.a)
	if says(2); state() != Reachable {
		t.Errorf("it has answered, and is %v", state())
	}
	s.h.Drained(1, neighbor, &s.a)
	s.do(due)
	s.h.Use(s.now, neighbor, ip(1), &s.a)
	s.do(due)
	if was := state(); was != Probe {
		t.Fatalf("it is %v, want %v", was, Probe)
	}
	if says(2); state() != Reachable {
		t.Errorf("it has answered the poll, and is %v", state())
	}
	s.a.Reset()
	says(3)
	says(2)
	s.do(after(time.Second))
	if e, _ := s.h.Entry(neighbor); e.HardwareAddr != hwOf(2) {
		t.Errorf("it has answered the challenge, and is held to be at %v", e.HardwareAddr)
	}
}

// TestVerifyFromLinkLocal: where polls must be broadcast, R48, a challenge waits
// until they may be, R26, and nobody is believed before.
func TestVerifyFromLinkLocal(t *testing.T) {
	s := newStation(t, Config{LockTime: time.Millisecond})
	s.do(asks(2), func(s *station) { s.h.Use(s.now, ip(2), linkLocal, &s.a) }, due) // a poll, just now
	began := s.now
	s.do(receive(OperationReply, 2, 3, 2, true))
	sent := 0
	for {
		s.do(due)
		sent += requests(&s.a, 2)
		if e, _ := s.h.Entry(ip(2)); e.HardwareAddr == hwOf(3) {
			break
		}
	}
	if d := s.now - began; sent < 2 || d < 2*time.Second {
		t.Errorf("it moved after %v and %d requests, want 2 s and 2 at least", d, sent)
	}
}
