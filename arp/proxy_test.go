package arp

import (
	"net/netip"
	"testing"
	"time"
)

// asksProxied is a request of host n's for ip(target), which is behind us.
func asksProxied(n, target byte, broadcast bool) event {
	return func(s *station) {
		p := Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(int(n)), SenderAddr: ip(n), TargetAddr: ip(target)}
		s.input = s.h.Input(s.now, p, Meta{Broadcast: broadcast, TargetIsProxied: true}, &s.a)
	}
}

const proxyReply = "send to hw2: reply from self 10.0.0.8 for hw2 10.0.0.2"

// TestProxy is R52, RFC 1027: an answer for a host behind us comes after a random
// time of up to ProxyDelay, once.
func TestProxy(t *testing.T) {
	var least, most time.Duration = time.Hour, 0
	for seed := range uint64(300) {
		s := newStation(t, Config{Seed: seed})
		s.want([]event{asksProxied(2, 8, true)})
		s.want([]event{asksProxied(2, 8, true)}) // said again
		s.want([]event{due}, proxyReply)
		least, most = min(least, s.now), max(most, s.now)
		s.want([]event{after(time.Minute)})
	}
	if least > 20*time.Millisecond || most > 800*time.Millisecond || most < 780*time.Millisecond {
		t.Errorf("answers after %v to %v, want 0 to 800 ms", least, most)
	}
	s := newStation(t, Config{})
	s.want([]event{asksProxied(2, 8, false)}, proxyReply) // who asks us alone need not wait
	// Two ask for the same host: each is answered.
	s.do(asksProxied(2, 8, true), asksProxied(3, 8, true), func(s *station) { s.a.Reset() })
	after(time.Second)(s)
	if n := len(s.a.Send); n != 2 {
		t.Errorf("two that ask get %d answers", n)
	}
}

// TestProxyAnswersRequestsOnly is R52: what one host answers another, for an
// address behind us, is no question.
func TestProxyAnswersRequestsOnly(t *testing.T) {
	for _, broadcast := range []bool{false, true} {
		s := newStation(t, Config{})
		p := Packet{Operation: OperationReply, SenderHardwareAddr: hwOf(2), SenderAddr: ip(2), TargetAddr: ip(8)}
		s.input = s.h.Input(0, p, Meta{Broadcast: broadcast, TargetIsProxied: true}, &s.a)
		s.want([]event{after(time.Minute)})
		if s.input != InputIgnored {
			t.Errorf("broadcast %v: %v, want %v", broadcast, s.input, InputIgnored)
		}
	}
}

// TestProxyForLiveHosts is R52: nobody is answered for who is on the asker's side.
func TestProxyForLiveHosts(t *testing.T) {
	known := func(before ...event) []event { return before }
	for _, tt := range []struct {
		name   string
		before []event
	}{
		{"it has asked us", known(asks(8))},
		{"it was asked for", known(query(8, 1), answers(8))},
		{"it is static", known(static(8, 8))},
	} {
		s := newStation(t, Config{})
		s.do(tt.before...)
		s.do(asksProxied(2, 8, true), after(time.Second))
		if s.input != InputIgnored || len(s.a.Send) != 0 {
			t.Errorf("%s: %v, %v", tt.name, s.input, lines(&s.a))
		}
	}
	s := newStation(t, Config{})
	s.want([]event{asksProxied(8, 8, true), after(time.Second)}) // announces itself
	// It is heard of before the answer is due, in any way.
	for _, op := range []Operation{OperationRequest, OperationReply} {
		s = newStation(t, Config{Seed: 1})
		s.do(asksProxied(2, 8, true), receive(op, 8, 8, 9, true))
		s.want([]event{after(time.Minute)})
	}
	// Or the user says so.
	s = newStation(t, Config{})
	s.do(asksProxied(2, 8, true), static(8, 8))
	s.want([]event{after(time.Minute)})
	// One of ours is asked for by us, and is not there: it is behind us after all.
	s = newStation(t, Config{})
	s.do(query(8, 1), asksProxied(2, 8, true), func(s *station) { s.a.Reset() })
	s.want([]event{after(time.Second)}, proxyReply, "send to all: request from self 10.0.0.1 for - 10.0.0.8")
}

// TestProxyQueue: a scan of what is behind us makes no more than 64 wait.
func TestProxyQueue(t *testing.T) {
	s := newStation(t, Config{})
	for target := byte(50); target < 50+maxProxied; target++ {
		s.do(asksProxied(2, target, true))
	}
	s.do(asksProxied(2, 8, true))
	if s.input != InputLimited {
		t.Errorf("one more: %v, want %v", s.input, InputLimited)
	}
	s.a.Reset()
	after(time.Second)(s)
	if n := len(s.a.Send); n != maxProxied {
		t.Errorf("%d answers, want %d", n, maxProxied)
	}
	s.do(asksProxied(2, 8, true), linkDown)
	s.want([]event{after(time.Second)})
	s.do(linkUp, asksProxied(2, 8, true), closes)
	s.want([]event{after(time.Second)})
}

// TestProxyForProbes: an address behind us is in use, so a probe is answered, and
// nobody learned.
func TestProxyForProbes(t *testing.T) {
	s := newStation(t, Config{})
	p := Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(2), SenderAddr: netip.IPv4Unspecified(), TargetAddr: ip(8)}
	s.h.Input(0, p, Meta{Broadcast: true, TargetIsProxied: true}, &s.a)
	s.want([]event{due}, "send to hw2: reply from self 10.0.0.8 for hw2 0.0.0.0")
	if len(s.h.entries) != 0 {
		t.Error("a neighbor was learned")
	}
}
