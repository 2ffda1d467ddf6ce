package arp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ip returns 10.0.0.n. We are 10.0.0.1.
func ip(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, n}) }

// wide returns one of 2^24 addresses in 11.0.0.0/8.
func wide(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{11, byte(n >> 16), byte(n >> 8), byte(n)})
}

// hwOf returns the hardware address of host n. We are host 1.
func hwOf(n int) HardwareAddr {
	return HardwareAddr{2, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

// station is a handler under test, its clock, and what it wants done.
type station struct {
	t   testing.TB
	h   *Handler[int]
	now time.Duration
	a   Actions[int]
	// result and input are of the last Query and Input.
	result Result
	input  InputResult
}

func newStation(t testing.TB, c Config) *station {
	t.Helper()
	c.HardwareAddr = hwOf(1)
	h, err := New[int](c)
	if err != nil {
		t.Fatal(err)
	}
	return &station{t: t, h: h}
}

// do applies events and returns the actions of the last one, to be read.
func (s *station) do(events ...event) []string {
	for _, e := range events {
		s.a.Reset()
		e(s)
	}
	return lines(&s.a)
}

// want fails the test if the actions of the last of events differ from want.
func (s *station) want(events []event, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.do(events...)); diff != "" {
		s.t.Errorf("actions (-want +got):\n%s", diff)
	}
}

// state returns the name of the state of ip(n), or "none".
func (s *station) state(n byte) string {
	e, ok := s.h.Entry(ip(n))
	if !ok {
		return "none"
	}
	return e.State.String()
}

func (s *station) wantState(n byte, want string) {
	s.t.Helper()
	if got := s.state(n); got != want {
		s.t.Errorf("%v is %s, want %s", ip(n), got, want)
	}
}

// event is one thing that happens to a station.
type event func(*station)

// query is a packet p of 100 bytes for ip(n).
func query(n byte, p int) event { return queryOf(n, p, 100) }

func queryOf(n byte, p, size int) event {
	return func(s *station) { s.result = s.h.Query(s.now, ip(n), ip(1), size, p, &s.a) }
}

func wait(n byte, p int) event {
	return func(s *station) { s.h.Wait(s.now, ip(n), ip(1), p, &s.a) }
}

func cancel(n byte, p int) event {
	return func(s *station) { s.h.Cancel(ip(n), func(x int) bool { return x == p }) }
}

func use(n byte) event {
	return func(s *station) { s.h.Use(s.now, ip(n), ip(1), &s.a) }
}

// receive is a packet from sender, who says that it is at hw, about target.
func receive(op Operation, sender byte, hw int, target byte, broadcast bool) event {
	return func(s *station) {
		p := Packet{Operation: op, SenderHardwareAddr: hwOf(hw), SenderAddr: ip(sender), TargetAddr: ip(target)}
		m := Meta{Broadcast: broadcast, TargetIsOurs: target == 1, SenderIsOurs: sender == 1}
		s.input = s.h.Input(s.now, p, m, &s.a)
	}
}

// answers is a unicast reply to us; asks a broadcast request for our address.
func answers(n byte) event { return receive(OperationReply, n, int(n), 1, false) }
func asks(n byte) event    { return receive(OperationRequest, n, int(n), 1, true) }

func static(n byte, hw int) event {
	return func(s *station) {
		if err := s.h.AddStatic(s.now, ip(n), hwOf(hw), &s.a); err != nil {
			s.t.Errorf("AddStatic(%v): %v", ip(n), err)
		}
	}
}

func remove(n byte) event {
	return func(s *station) {
		if !s.h.Remove(s.now, ip(n), &s.a) {
			s.t.Errorf("Remove(%v) knew nothing of it", ip(n))
		}
	}
}

func flush(s *station)    { s.h.Flush(s.now, &s.a) }
func linkDown(s *station) { s.h.LinkDown(s.now, &s.a) }
func linkUp(s *station)   { s.h.LinkUp(s.now, &s.a) }
func reverify(s *station) { s.h.Reverify(s.now, &s.a) }
func closes(s *station)   { s.h.Close(&s.a) }
func tick(s *station)     { s.h.Tick(s.now, &s.a) }

// due lets time pass up to the next deadline.
func due(s *station) {
	at, ok := s.h.NextDeadline()
	if !ok || at < s.now {
		s.t.Errorf("NextDeadline() = %v, %v at %v: want one to come", at, ok, s.now)
	}
	s.now = at
	s.h.Tick(s.now, &s.a)
}

// after lets d pass, with a Tick at each deadline on the way.
func after(d time.Duration) event {
	return func(s *station) {
		end := s.now + d
		for at, ok := s.h.NextDeadline(); ok && at <= end; at, ok = s.h.NextDeadline() {
			s.now = max(s.now, at)
			s.h.Tick(s.now, &s.a)
		}
		s.now = end
	}
}

// drained says that batch, of packets for ip(n), has been sent.
func drained(n byte, batch uint64) event {
	return func(s *station) { s.h.Drained(batch, ip(n), &s.a) }
}

func addAddress(a netip.Addr) event {
	return func(s *station) { s.h.AddAddress(s.now, a, &s.a) }
}

// lines renders actions for people: one line each, in the order of doing.
func lines(a *Actions[int]) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, u := range a.Updates {
		switch {
		case u.HardwareAddr.IsZero():
			add("table %v gone", u.Addr)
		case u.Stale:
			add("table %v %s stale", u.Addr, hwName(u.HardwareAddr))
		default:
			add("table %v %s", u.Addr, hwName(u.HardwareAddr))
		}
	}
	for _, s := range a.Send {
		p := s.Packet
		add("send to %s: %v from %s %v for %s %v", hwName(s.To), p.Operation,
			hwName(p.SenderHardwareAddr), p.SenderAddr, hwName(p.TargetHardwareAddr), p.TargetAddr)
	}
	for _, r := range a.Release {
		batch := ""
		if r.Batch != 0 {
			batch = fmt.Sprintf(" batch %d", r.Batch)
		}
		add("release %d: %v %s%s", r.P, r.NextHop, hwName(r.HardwareAddr), batch)
	}
	for _, d := range a.Drop {
		add("drop %d: %v %v", d.P, d.NextHop, d.Reason)
	}
	for _, e := range a.Events {
		switch e.Kind {
		case EventMoved:
			add("event moved %v %s to %s %v", e.Addr, hwName(e.Old), hwName(e.HardwareAddr), e.State)
		case EventRejected:
			add("event rejected %v %s, it stays %s %v", e.Addr, hwName(e.HardwareAddr), hwName(e.Old), e.State)
		case EventConflict, EventRemoved:
			add("event %v %v %s", e.Kind, e.Addr, hwName(e.HardwareAddr))
		case EventClaimed, EventFree, EventLost:
			add("event %v %v", e.Kind, e.Addr)
		default:
			add("event %v %v %s %v", e.Kind, e.Addr, hwName(e.HardwareAddr), e.State)
		}
	}
	return out
}

func hwName(a HardwareAddr) string {
	switch {
	case a == hwOf(1):
		return "self"
	case a.IsBroadcast():
		return "all"
	case a.IsZero():
		return "-"
	}
	return fmt.Sprintf("hw%d", int(a[3])<<16|int(a[4])<<8|int(a[5]))
}

// requests returns how many requests for ip(n) were broadcast.
func requests(a *Actions[int], n byte) (count int) {
	for _, s := range a.Send {
		if s.To == Broadcast && s.Packet.Operation == OperationRequest && s.Packet.TargetAddr == ip(n) {
			count++
		}
	}
	return count
}
