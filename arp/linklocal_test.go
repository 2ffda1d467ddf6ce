package arp

import (
	"net/netip"
	"testing"
	"time"
)

// TestLinkLocalAddr is R50, RFC 3927 §2.1: the range, all of it, the same for the
// same host, another for another and after a conflict.
func TestLinkLocalAddr(t *testing.T) {
	seen := map[netip.Addr]bool{}
	for k := range 500000 {
		a := LinkLocalAddr(hwOf(k), 0)
		if b := a.As4(); b[0] != 169 || b[1] != 254 || b[2] < 1 || b[2] > 254 {
			t.Fatalf("%v is none of 169.254.1.0 to 169.254.254.255", a)
		}
		seen[a] = true
	}
	if n := len(seen); n < 254*256*99/100 {
		t.Errorf("%d of %d addresses are ever chosen", n, 254*256)
	}
	tries := map[netip.Addr]bool{}
	for try := range 10 {
		a := LinkLocalAddr(hwOf(1), try)
		if a != LinkLocalAddr(hwOf(1), try) {
			t.Errorf("try %d gives another address the second time", try)
		}
		tries[a] = true
	}
	if len(tries) != 10 {
		t.Errorf("ten tries give %d addresses", len(tries))
	}
	// A host gets the same one after an upgrade, too.
	if got, want := LinkLocalAddr(hwOf(1), 0), netip.MustParseAddr("169.254.127.45"); got != want {
		t.Errorf("host 1 gets %v, got %v in other versions", got, want)
	}
}

// TestLinkLocalClaim is R48 and R50, RFC 3927 §2.2 and §2.5: a link-local address is
// claimed as any, all that is sent from it is broadcast, and it is defended.
func TestLinkLocalClaim(t *testing.T) {
	s := newStation(t, Config{Claim: FastClaim})
	addr := LinkLocalAddr(hwOf(1), 0)
	if err := s.h.Claim(0, addr, ClaimOptions{}, &s.a); err != nil {
		t.Fatal(err)
	}
	s.do(after(time.Minute))
	if !s.h.HasAddress(addr) {
		t.Fatal("it was not claimed")
	}
	conflict := Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(3), SenderAddr: addr, TargetAddr: ip(9)}
	asks := Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(3), SenderAddr: ip(3), TargetAddr: addr}
	s.do(
		func(s *station) {
			s.h.Input(s.now, conflict, Meta{Broadcast: true, SenderIsOurs: true}, &s.a)
			s.h.Input(s.now, asks, Meta{Broadcast: true, TargetIsOurs: true}, &s.a)
			s.h.Query(s.now, ip(4), addr, 100, 1, &s.a)
			after(10 * time.Second)(s)
		})
	if len(s.a.Send) < 5 { // a defense, an answer, three requests
		t.Errorf("sent only %v", lines(&s.a))
	}
	for _, p := range s.a.Send {
		if p.To != Broadcast {
			t.Errorf("sent to %v alone: %v", p.To, p.Packet)
		}
	}
}
