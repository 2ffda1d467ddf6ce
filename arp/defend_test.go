package arp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// conflict is a packet of host 3 that uses our address.
var conflict = receive(OperationRequest, 1, 3, 9, true)

const conflicted = "event conflict 10.0.0.1 hw3"

// TestDefense is R44, RFC 5227 §2.4, its three choices, as what is said at the
// first conflict, at one within DEFEND_INTERVAL, and at one after it.
func TestDefense(t *testing.T) {
	lost := "event lost 10.0.0.1"
	for _, tt := range []struct {
		d                    Defense
		first, second, third []string
	}{
		{DefenseAlways, []string{announced(1), conflicted}, []string{conflicted}, []string{announced(1), conflicted}},
		{DefenseOnce, []string{announced(1), conflicted}, []string{conflicted, lost}, nil},
		{DefenseGiveUp, []string{conflicted, lost}, nil, nil},
	} {
		s := newStation(t, Config{Defense: tt.d})
		s.do(addAddress(ip(1)), after(time.Minute))
		s.want([]event{conflict}, tt.first...)
		if tt.second != nil {
			s.want([]event{after(10*time.Second - 1), conflict}, tt.second...)
		}
		if tt.third != nil {
			s.want([]event{after(1), conflict}, tt.third...)
		}
		if has, want := s.h.HasAddress(ip(1)), tt.d == DefenseAlways; has != want {
			t.Errorf("defense %d: it is ours: %v, want %v", tt.d, has, want)
		}
		// What was given up is not announced any more.
		if s.do(after(time.Hour), linkUp); (len(s.a.Send) > 0) != s.h.HasAddress(ip(1)) {
			t.Errorf("defense %d: when the link comes up: %v", tt.d, lines(&s.a))
		}
	}
	// (b): with DEFEND_INTERVAL between them, each is defended.
	s := newStation(t, Config{Defense: DefenseOnce})
	s.do(addAddress(ip(1)), after(time.Minute))
	for range 5 {
		s.want([]event{after(10 * time.Second), conflict}, announced(1), conflicted)
	}
}

// TestDefendedForged100Times: one defence in 10 s, and nothing is learned.
func TestDefendedForged100Times(t *testing.T) {
	s := newStation(t, Config{})
	s.do(addAddress(ip(1)), after(time.Minute))
	s.a.Reset()
	for range 100 {
		s.now += 10 * time.Millisecond
		s.h.Tick(s.now, &s.a)
		conflict(s)
	}
	if n := len(s.a.Send); n != 1 || len(s.h.entries) != 0 {
		t.Errorf("%d defences, %d neighbors; want 1 and none", n, len(s.h.entries))
	}
	if got := claimState(s, 1); got != "defending" {
		t.Errorf("it is %s", got)
	}
	s.do(after(10 * time.Second))
	if got := claimState(s, 1); got != "bound" {
		t.Errorf("10 s later it is %s", got)
	}
}

// TestDefenseWhileAnnouncing: the announcements that are still to come do come.
func TestDefenseWhileAnnouncing(t *testing.T) {
	s := newStation(t, Config{AnnounceNum: 3})
	s.do(addAddress(ip(1)))
	s.want([]event{conflict}, announced(1), conflicted)
	s.want([]event{after(time.Minute)}, announced(1), announced(1))
}

// TestDefenseWhileLinkDown: nothing can be said, so nothing is.
func TestDefenseWhileLinkDown(t *testing.T) {
	s := newStation(t, Config{})
	s.do(addAddress(ip(1)), linkDown)
	s.want([]event{conflict}, conflicted)
	s.want([]event{linkUp}, announced(1))
	s.want([]event{conflict}, announced(1), conflicted)
}

// TestAnswersWhileDefending is R45, RFC 5227 §2.5: requests and probes for the
// address are answered from the first announcement on, whoever else has it.
func TestAnswersWhileDefending(t *testing.T) {
	s := newStation(t, Config{})
	s.do(addAddress(ip(1)))
	for _, before := range [][]event{nil, {after(time.Minute)}, {conflict}} {
		s.do(before...)
		s.do(probes(1, 4))
		want := []Send{{hwOf(4), Packet{OperationReply, hwOf(1), ip(1), hwOf(4), netip.IPv4Unspecified()}}}
		if diff := cmp.Diff(want, s.a.Send, packetOptions); diff != "" || s.input != InputAnswered {
			t.Errorf("%s, a probe: %v (-want +got):\n%s", claimState(s, 1), s.input, diff)
		}
	}
}

// TestAnnounceReplies: the older form, for those who ask for it.
func TestAnnounceReplies(t *testing.T) {
	s := newStation(t, Config{AnnounceReplies: true})
	s.do(addAddress(ip(1)))
	want := []Send{{Broadcast, Packet{OperationReply, hwOf(1), ip(1), hwOf(1), ip(1)}}}
	if diff := cmp.Diff(want, s.a.Send, packetOptions); diff != "" || !s.a.Send[0].Packet.IsAnnouncement() {
		t.Errorf("announcement (-want +got):\n%s", diff)
	}
}

// TestAnnounce: the user asks for a new series.
func TestAnnounce(t *testing.T) {
	s := newStation(t, Config{})
	s.do(addAddress(ip(1)), after(time.Minute))
	announce := func(n byte) event {
		return func(s *station) {
			if got := s.h.Announce(s.now, ip(n), &s.a); got != (n == 1) {
				t.Errorf("Announce(%v) = %v", ip(n), got)
			}
		}
	}
	s.want([]event{announce(1)}, announced(1))
	s.want([]event{after(time.Minute)}, announced(1))
	s.want([]event{announce(7)})
	s.do(claim(7, ClaimOptions{}))
	s.want([]event{announce(7)})
}

// TestManyAddresses: with 10 000, what one of them does is not slow, and their
// order is that of their times.
func TestManyAddresses(t *testing.T) {
	s := newStation(t, Config{})
	const n = 10000
	for k := range n {
		s.h.AddAddress(s.now, wide(k), &s.a)
		s.now += time.Millisecond
		s.h.Tick(s.now, &s.a)
	}
	s.a.Reset()
	last := map[netip.Addr]time.Duration{}
	for at, ok := s.h.NextDeadline(); ok; at, ok = s.h.NextDeadline() {
		s.now = max(s.now, at)
		s.do(tick)
		for _, p := range s.a.Send {
			if _, again := last[p.Packet.SenderAddr]; again {
				t.Fatalf("%v is announced a third time", p.Packet.SenderAddr)
			}
			last[p.Packet.SenderAddr] = s.now
		}
	}
	if k := n - 1; len(last) < 1900 || last[wide(k)] != time.Duration(k)*time.Millisecond+2*time.Second {
		t.Errorf("the last of %d is announced again at %v", len(last), last[wide(k)])
	}
	s.do(linkUp) // all at once
	sent := len(s.a.Send)
	for s.do(tick); len(s.a.Send) > 0; s.do(tick) {
		sent += len(s.a.Send)
	}
	if sent != n {
		t.Errorf("%d are announced when the link comes up, want %d", sent, n)
	}
	for k := range n {
		s.h.RemoveAddress(wide(k))
	}
	if at, ok := s.h.NextDeadline(); ok || len(s.h.Addresses()) != 0 {
		t.Errorf("something is left: %v, %v", at, fmt.Sprint(s.h.Addresses()))
	}
}
