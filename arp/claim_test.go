package arp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const probeFor7 = "send to all: request from self 0.0.0.0 for - 10.0.0.7"

func claim(n byte, c ClaimOptions) event {
	return func(s *station) {
		if err := s.h.Claim(s.now, ip(n), c, &s.a); err != nil {
			s.t.Errorf("Claim(%v): %v", ip(n), err)
		}
	}
}

// probes is a probe of host hw's for ip(n), or of our own if hw is 1.
func probes(n byte, hw int) event {
	return func(s *station) {
		p := Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(hw), SenderAddr: netip.IPv4Unspecified(), TargetAddr: ip(n)}
		s.input = s.h.Input(s.now, p, Meta{Broadcast: true, TargetIsOurs: s.h.HasAddress(ip(n))}, &s.a)
	}
}

func claimState(s *station, n byte) string {
	for addr, state := range s.h.Claims() {
		if addr == ip(n) {
			return state.String()
		}
	}
	return "none"
}

// TestClaim is R39, R40 and R43, RFC 5227 §2.1.1 and §2.3: the fields of a probe,
// the times of all packets, and when the address is ours.
func TestClaim(t *testing.T) {
	for seed := range uint64(200) {
		s := newStation(t, Config{Seed: seed})
		s.do(claim(7, ClaimOptions{}))
		if got := claimState(s, 7); len(s.a.Send) != 0 && s.now != 0 || got != "waiting" && got != "probing" {
			t.Fatalf("at its beginning the claim is %s: %v", got, lines(&s.a))
		}
		var at []time.Duration
		for range 3 {
			s.do(due)
			at = append(at, s.now)
			want := []Send{{Broadcast, Packet{OperationRequest, hwOf(1), netip.IPv4Unspecified(), HardwareAddr{}, ip(7)}}}
			if diff := cmp.Diff(want, s.a.Send, packetOptions); diff != "" {
				t.Fatalf("probe (-want +got):\n%s", diff)
			}
			if s.h.HasAddress(ip(7)) || claimState(s, 7) != "probing" {
				t.Fatalf("it is ours while it is probed for")
			}
		}
		s.want([]event{due}, announced(7), "event claimed 10.0.0.7")
		at = append(at, s.now)
		if !s.h.HasAddress(ip(7)) || claimState(s, 7) != "announcing" {
			t.Errorf("it is not ours, but %s", claimState(s, 7))
		}
		if at[0] > time.Second || at[3]-at[2] != 2*time.Second {
			t.Errorf("first probe at %v, announced %v after the last; want up to 1 s, and 2 s", at[0], at[3]-at[2])
		}
		for k := range 2 {
			if d := at[k+1] - at[k]; d < time.Second || d > 2*time.Second {
				t.Errorf("probes %v apart, want 1 s to 2 s", d)
			}
		}
		s.want([]event{after(2*time.Second - 1)})
		s.want([]event{after(1)}, announced(7))
		// R45, RFC 5227 §2.1: it is not probed for again as a matter of course.
		s.want([]event{after(24 * time.Hour)})
		if got := claimState(s, 7); got != "bound" {
			t.Errorf("at the end it is %s", got)
		}
	}
}

// TestClaimTimesDiffer: R40, hosts that begin together do not probe together.
func TestClaimTimesDiffer(t *testing.T) {
	var first []time.Duration
	for seed := range uint64(500) {
		s := newStation(t, Config{Seed: seed})
		s.do(claim(7, ClaimOptions{}))
		at, _ := s.h.NextDeadline()
		first = append(first, at)
	}
	if lo, hi := slices.Min(first), slices.Max(first); lo > 10*time.Millisecond || hi < 990*time.Millisecond || hi > time.Second {
		t.Errorf("first probes from %v to %v, want all of 0 to 1 s", lo, hi)
	}
}

func TestFastClaim(t *testing.T) {
	for seed := range uint64(100) {
		s := newStation(t, Config{Seed: seed})
		s.do(claim(7, ClaimOptions{Timing: FastClaim}))
		for range 4 {
			s.do(due)
		}
		if !s.h.HasAddress(ip(7)) || s.now < 200*time.Millisecond || s.now > 350*time.Millisecond {
			t.Errorf("ours: %v, after %v; want that, after 200 to 350 ms", s.h.HasAddress(ip(7)), s.now)
		}
	}
}

// TestCheckOnly: the address is free, and not ours.
func TestCheckOnly(t *testing.T) {
	s := newStation(t, Config{})
	s.do(claim(7, ClaimOptions{CheckOnly: true}), due, due, due)
	s.want([]event{due}, "event free 10.0.0.7")
	if _, ok := s.h.NextDeadline(); ok || s.h.HasAddress(ip(7)) || claimState(s, 7) != "none" {
		t.Error("something is left of it")
	}
	// Somebody else wants it as well, for good: then it becomes ours.
	s.do(claim(7, ClaimOptions{CheckOnly: true}), claim(7, ClaimOptions{}), due, due, due)
	s.want([]event{due}, announced(7), "event claimed 10.0.0.7")
	s.want([]event{claim(7, ClaimOptions{})}, "event claimed 10.0.0.7")
}

// TestConflictWhileProbing is R41, RFC 5227 §2.1.1.
func TestConflictWhileProbing(t *testing.T) {
	lost := []string{"event conflict 10.0.0.7 hw3", "event lost 10.0.0.7"}
	for _, tt := range []struct {
		name   string
		event  event
		result InputResult
		want   []string
	}{
		{"a request from it", receive(OperationRequest, 7, 3, 9, true), InputConflict, lost},
		{"a reply from it", receive(OperationReply, 7, 3, 1, false), InputConflict, lost},
		{"an announcement of it", receive(OperationRequest, 7, 3, 7, true), InputConflict, lost},
		{"another's probe for it", probes(7, 3), InputConflict, lost},
		{"our own probe, reflected", probes(7, 1), InputReflected, nil},
		{"a request for it is no probe", receive(OperationRequest, 9, 3, 7, true), InputIgnored, nil},
		{"a reply to it is none either", receive(OperationReply, 9, 3, 7, true), InputIgnored, nil},
		{"another's probe for something else", probes(8, 3), InputIgnored, nil},
	} {
		for phase := range 4 { // before the first probe, and after each
			s := newStation(t, Config{})
			s.do(claim(7, ClaimOptions{}))
			for range phase {
				s.do(due)
			}
			s.want([]event{tt.event}, tt.want...)
			if s.input != tt.result {
				t.Errorf("%s, after %d probes: %v, want %v", tt.name, phase, s.input, tt.result)
			}
			if want := len(tt.want) == 0; (claimState(s, 7) != "none") != want {
				t.Errorf("%s, after %d probes: the claim is %s", tt.name, phase, claimState(s, 7))
			}
			if len(s.h.entries) != 0 {
				t.Errorf("%s: a neighbor was learned", tt.name)
			}
			s.do(after(time.Minute))
			if len(tt.want) > 0 && s.h.HasAddress(ip(7)) {
				t.Errorf("%s, after %d probes: it is ours all the same", tt.name, phase)
			}
		}
	}
}

// TestClaimRateLimit is R42, RFC 5227 §2.1.1: after MAX_CONFLICTS there is at most
// one attempt in RATE_LIMIT_INTERVAL, until one succeeds.
func TestClaimRateLimit(t *testing.T) {
	s := newStation(t, Config{})
	for range 10 {
		s.do(claim(7, ClaimOptions{}), due, probes(7, 3))
	}
	last := s.now
	for range 3 {
		s.do(claim(7, ClaimOptions{}), due)
		if d := s.now - last; d < time.Minute-time.Second || d > time.Minute+time.Second {
			t.Errorf("the next attempt after %v, want a minute", d)
		}
		last = s.now
		s.do(probes(7, 3))
	}
	// Several that wait are spread, too.
	s.do(claim(7, ClaimOptions{}), claim(8, ClaimOptions{}))
	s.do(due)
	last = s.now
	s.do(after(10*time.Second), due)
	if s.now-last != time.Minute {
		t.Errorf("two attempts %v apart, want a minute", s.now-last)
	}
	s.do(after(time.Hour), claim(9, ClaimOptions{}))
	if at, _ := s.h.NextDeadline(); at > s.now+time.Second || !s.h.HasAddress(ip(7)) || !s.h.HasAddress(ip(8)) {
		t.Errorf("after one that succeeded the next begins in %v", at-s.now)
	}
	s.do(due, probes(9, 3), claim(9, ClaimOptions{}))
	if at, _ := s.h.NextDeadline(); at > s.now+time.Second {
		t.Errorf("after that and one conflict the next begins in %v", at-s.now)
	}
}

// TestClaimBeginsAnew: with another hardware address, or on what may be another
// link, what was found out holds no longer.
func TestClaimBeginsAnew(t *testing.T) {
	for _, tt := range []struct {
		name  string
		event []event
		from  string
	}{
		{"hardware address", []event{func(s *station) { s.h.SetHardwareAddr(s.now, hwOf(9), &s.a) }}, "hw9"},
		{"link", []event{linkDown, linkUp}, "self"},
		{"reverify", []event{reverify}, "self"},
	} {
		s := newStation(t, Config{})
		s.do(claim(7, ClaimOptions{}), due, due, due)
		s.do(tt.event...)
		sent := append([]Send(nil), s.a.Send...)
		for !s.h.HasAddress(ip(7)) {
			s.do(due)
			sent = append(sent, s.a.Send...)
		}
		var got []string
		for _, p := range sent {
			got = append(got, fmt.Sprintf("%s probe %v", hwName(p.Packet.SenderHardwareAddr), p.Packet.SenderAddr == netip.IPv4Unspecified()))
		}
		probe, announcement := tt.from+" probe true", tt.from+" probe false"
		if diff := cmp.Diff([]string{probe, probe, probe, announcement}, got); diff != "" {
			t.Errorf("%s: sent (-want +got):\n%s", tt.name, diff)
		}
	}
	// While the link is down it waits.
	s := newStation(t, Config{})
	s.do(claim(7, ClaimOptions{}), due, linkDown)
	s.want([]event{after(time.Hour)})
	s.do(linkUp)
	s.want([]event{due}, probeFor7)
}

// TestOwnEcho: packets of ours that come back after our hardware address has
// changed are no conflict: not with a claim, not with an address.
func TestOwnEcho(t *testing.T) {
	for _, tt := range []struct {
		name string
		echo event
	}{
		{"announcement", receive(OperationRequest, 1, 1, 1, true)},
		{"probe", probes(7, 1)},
	} {
		s := newStation(t, Config{Defense: DefenseGiveUp})
		s.do(addAddress(ip(1)), claim(7, ClaimOptions{}), due)
		s.h.SetHardwareAddr(s.now, hwOf(9), &s.a)
		s.want([]event{tt.echo})
		if s.input != InputReflected || claimState(s, 7) == "none" || !s.h.HasAddress(ip(1)) {
			t.Errorf("%s: %v, the claim is %s", tt.name, s.input, claimState(s, 7))
		}
		s.do(after(time.Second))
		if s.do(tt.echo); s.input != InputConflict {
			t.Errorf("%s, a second later: %v, want %v", tt.name, s.input, InputConflict)
		}
	}
}
