package ethstack_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/google/go-cmp/cmp"
)

const probeOurs = "who has 10.0.0.1? tell 0.0.0.0"

// claims begins a claim of ours on a goroutine of its own, and returns once it is
// under way. It must be called in a bubble of synctest.
func (s *station) claims(ctx context.Context, o arp.ClaimOptions) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.i.Claim(ctx, ours, o) }()
	synctest.Wait()
	return done
}

// TestClaim: probes, and then the address is ours: announced, answered for, and
// released by RemoveIPv4. R39, R40, R43, R45.
func TestClaim(t *testing.T) { synctest.Test(t, testClaim) }

func testClaim(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	done := s.claims(t.Context(), arp.ClaimOptions{})
	s.clock.Advance(500 * time.Millisecond)
	s.hears(asked(ours))
	s.clock.Advance(6500 * time.Millisecond)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantSent(t, s, "claimed", probeOurs, probeOurs, probeOurs, announceOurs)
	s.hears(asked(ours))
	wantSent(t, s, "asked for", oursIsAt)
	s.clock.Advance(time.Minute)
	s.take()
	if err := s.i.Claim(t.Context(), ours, arp.ClaimOptions{}); err != nil {
		t.Errorf("a claim of what is ours: %v", err)
	}
	if err := s.RemoveIPv4(ours); err != nil {
		t.Error(err)
	}
	s.hears(asked(ours))
	wantSent(t, s, "released")
}

// TestClaimConflict is R41: whoever has or wants the address is named.
func TestClaimConflict(t *testing.T) { synctest.Test(t, testClaimConflict) }

func testClaimConflict(t *testing.T) {
	taken := answers()
	taken.SenderAddr = ours
	probe := asked(ours)
	probe.SenderAddr = netip.IPv4Unspecified()
	for _, p := range []arp.Packet{taken, probe} {
		var events []string
		s := newStation(t, ethstack.Options{OnEvent: func(e arp.Event) { events = append(events, fmt.Sprint(e.Kind, " ", e.Addr)) }}, ethstack.LinkOptions{})
		first, second := s.claims(t.Context(), arp.ClaimOptions{}), s.claims(t.Context(), arp.ClaimOptions{CheckOnly: true})
		s.clock.Advance(1100 * time.Millisecond)
		s.hears(p)
		for _, done := range []<-chan error{first, second} {
			err := <-done
			var conflict *ethstack.ConflictError
			if !errors.As(err, &conflict) || *conflict != (ethstack.ConflictError{Addr: ours, HardwareAddr: hw2}) {
				t.Errorf("claim: %v, want a conflict with %v", err, hw2)
			}
			if !strings.Contains(err.Error(), "10.0.0.1") || !strings.Contains(err.Error(), hw2.String()) {
				t.Errorf("the error does not name both addresses: %v", err)
			}
		}
		if diff := cmp.Diff([]string{"conflict 10.0.0.1", "lost 10.0.0.1"}, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if st := s.i.Stats(); st.ARPConflicts != 1 || len(s.IPv4s()) != 0 {
			t.Errorf("%d conflicts, addresses %v; want one and none", st.ARPConflicts, s.IPv4s())
		}
	}
}

// TestClaimCheckOnly: the address is free, and nobody's.
func TestClaimCheckOnly(t *testing.T) { synctest.Test(t, testClaimCheckOnly) }

func testClaimCheckOnly(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	done := s.claims(t.Context(), arp.ClaimOptions{CheckOnly: true, Timing: arp.FastClaim})
	s.clock.Advance(350 * time.Millisecond)
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantSent(t, s, "checked", probeOurs, probeOurs, probeOurs)
	s.hears(asked(ours))
	wantSent(t, s, "asked for")
}

// TestClaimEnds: by its context, by Close, and before it began.
func TestClaimEnds(t *testing.T) { synctest.Test(t, testClaimEnds) }

func testClaimEnds(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	done := s.claims(ctx, arp.ClaimOptions{})
	other := s.claims(t.Context(), arp.ClaimOptions{})
	s.clock.Advance(1100 * time.Millisecond)
	s.take()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("claim: %v, want %v", err, context.Canceled)
	}
	// The other one goes on, and Disconnect ends it.
	s.clock.Advance(2 * time.Second)
	if sent := s.take(); len(sent) == 0 {
		t.Error("the claim of another has ended with it")
	}
	s.Disconnect()
	if err := <-other; !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("claim: %v, want %v", err, ethstack.ErrDisconnected)
	}
	if err := s.i.Claim(t.Context(), ours, arp.ClaimOptions{}); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("claim after Disconnect: %v, want %v", err, ethstack.ErrDisconnected)
	}
	if err := s.i.Claim(ctx, ours, arp.ClaimOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("claim with an ended context: %v, want %v", err, context.Canceled)
	}

	// The last one that gives up takes the claim with it.
	s = newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	ctx, cancel = context.WithCancel(t.Context())
	done = s.claims(ctx, arp.ClaimOptions{})
	cancel()
	<-done
	s.clock.Advance(time.Minute)
	wantSent(t, s, "after the only one has given up")
}

// TestClaimRefused: where nobody would be asked, or heard.
func TestClaimRefused(t *testing.T) { synctest.Test(t, testClaimRefused) }

func testClaimRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    ethstack.Options
		pass bool
		addr netip.Addr
		want string
	}{
		{"disabled", ethstack.Options{Host: &fakeHost{disabled: true}}, false, ours, "not enabled"},
		{"passed", ethstack.Options{}, true, ours, "SetPassARP"},
		{"no ARP", ethstack.Options{ARP: arp.Config{NoARP: true}}, false, ours, "Config.NoARP"},
		{"no host's address", ethstack.Options{}, false, netip.MustParseAddr("224.0.0.1"), "224.0.0.1"},
	} {
		s := newStation(t, tt.o, ethstack.LinkOptions{})
		s.i.SetPassARP(tt.pass)
		if err := s.ClaimIPv4(t.Context(), tt.addr, arp.ClaimOptions{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error that says %q", tt.name, err, tt.want)
		}
	}
	// Disabled while it goes on: the probes are not sent, so nothing is known.
	h := new(fakeHost)
	s := newStation(t, ethstack.Options{Host: h}, ethstack.LinkOptions{})
	done := s.claims(t.Context(), arp.ClaimOptions{})
	h.disabled = true
	s.clock.Advance(time.Minute)
	if err := <-done; err == nil || len(s.IPv4s()) != 0 {
		t.Errorf("claim: %v, addresses %v; want an error and none", err, s.IPv4s())
	}
}

// TestClaimWaitsForLink: nobody can be asked over a link that is down.
func TestClaimWaitsForLink(t *testing.T) { synctest.Test(t, testClaimWaitsForLink) }

func testClaimWaitsForLink(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	s.port.SetLinkState(ethstack.LinkDown)
	s.clock.Advance(0)
	done := s.claims(t.Context(), arp.ClaimOptions{})
	s.clock.Advance(time.Hour)
	synctest.Wait()
	if len(done) > 0 {
		t.Fatalf("claim over a link that is down: %v", <-done)
	}
	s.port.SetLinkState(ethstack.LinkUp)
	s.clock.Advance(7 * time.Second)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestGivenUp is R44(a): what was given up to another host is neither answered for
// nor announced, though the host says that it is ours, until the host has taken
// it away; or it is claimed again.
func TestGivenUp(t *testing.T) {
	for _, explicit := range []bool{true, false} {
		h := &fakeHost{addrs: []netip.Addr{ours}}
		var events []string
		s := newStation(t, ethstack.Options{
			Host: h, ARP: arp.Config{Defense: arp.DefenseGiveUp},
			OnEvent: func(e arp.Event) {
				if e.Addr == ours {
					events = append(events, e.Kind.String())
				}
			},
		}, ethstack.LinkOptions{})
		if explicit {
			if err := s.AddIPv4(ours); err != nil {
				t.Fatal(err)
			}
		}
		s.hears(asked(ours))
		s.clock.Advance(time.Minute)
		thief := asked(nobody)
		thief.SenderAddr = ours
		s.take()
		s.hears(thief)
		s.clock.Advance(time.Minute)
		s.hears(asked(ours))
		s.clock.Advance(time.Minute)
		wantSent(t, s, "given up")
		if diff := cmp.Diff([]string{"conflict", "lost"}, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		h.addrs = nil
		s.hears(asked(ours))
		h.addrs = []netip.Addr{ours}
		s.hears(asked(ours))
		s.clock.Advance(0)
		wantSent(t, s, "taken away and given again", announceOurs, oursIsAt)
	}
}

// TestDefend is R44(c) on the wire: one announcement in 10 s.
func TestDefend(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	thief := answers()
	thief.SenderAddr = ours
	for range 100 {
		s.hears(thief)
		s.clock.Advance(50 * time.Millisecond)
	}
	wantSent(t, s, "forged 100 times in 5 s", announceOurs)
	if st := s.i.Stats(); st.ARPConflicts != 100 {
		t.Errorf("%d conflicts counted, want 100", st.ARPConflicts)
	}
	if _, known := s.i.Neighbor(ours); known {
		t.Error("our own address is a neighbor")
	}
}
