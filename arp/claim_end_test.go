package arp

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestClaimErrors(t *testing.T) {
	for _, tt := range []struct {
		c    Config
		addr netip.Addr
		o    ClaimOptions
		want string
	}{
		{Config{}, netip.MustParseAddr("224.0.0.1"), ClaimOptions{}, "224.0.0.1"},
		{Config{}, netip.MustParseAddr("127.0.0.1"), ClaimOptions{}, "127.0.0.1"},
		{Config{}, netip.Addr{}, ClaimOptions{}, "invalid IP"},
		{Config{}, netip.MustParseAddr("fe80::1"), ClaimOptions{}, "fe80::1"},
		{Config{}, ip(7), ClaimOptions{Timing: ClaimTiming{ProbeNum: 101}}, "Claim.ProbeNum is 101"},
		{Config{}, ip(7), ClaimOptions{Timing: ClaimTiming{ProbeMin: 3 * time.Second, ProbeMax: time.Second}}, "ProbeMax is 1s, less than ProbeMin 3s"},
		{Config{NoARP: true}, ip(7), ClaimOptions{}, "ARP is off"},
	} {
		s := newStation(t, tt.c)
		if err := s.h.Claim(0, tt.addr, tt.o, &s.a); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Claim(%v): %v, want an error that says %q", tt.addr, err, tt.want)
		}
		if !s.a.Empty() || len(s.h.own.all) != 0 {
			t.Errorf("Claim(%v) did something: %v", tt.addr, lines(&s.a))
		}
	}
	s := newStation(t, Config{})
	s.do(closes)
	if err := s.h.Claim(0, ip(7), ClaimOptions{}, &s.a); err == nil {
		t.Error("a claim after Close")
	}
	if err := newStation(t, Config{NoARP: true}).h.Claim(0, ip(7), ClaimOptions{}, &s.a); !errors.Is(err, ErrNoARP) {
		t.Errorf("a claim without ARP: %v, want %v", err, ErrNoARP)
	}
}

// TestClaimCancelled: RemoveAddress ends a claim without a word.
func TestClaimCancelled(t *testing.T) {
	for phase := range 4 {
		s := newStation(t, Config{})
		s.do(claim(7, ClaimOptions{}))
		for range phase {
			s.do(due)
		}
		s.want([]event{func(s *station) { s.h.RemoveAddress(ip(7)) }})
		s.want([]event{after(time.Hour), probes(7, 3)})
		if s.input != InputIgnored {
			t.Errorf("after %d probes and its end: %v", phase, s.input)
		}
	}
}

// TestAddedWhileClaimed: AddAddress does not wait for the claim.
func TestAddedWhileClaimed(t *testing.T) {
	s := newStation(t, Config{})
	s.do(claim(7, ClaimOptions{}), due)
	s.want([]event{addAddress(ip(7))}, announced(7), "event claimed 10.0.0.7")
	s.want([]event{after(2 * time.Second)}, announced(7))
	s.want([]event{after(time.Hour)})
}
