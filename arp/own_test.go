package arp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func announced(n byte) string {
	return fmt.Sprintf("send to all: request from self 10.0.0.%d for - 10.0.0.%d", n, n)
}

// TestAnnouncements is R43, RFC 5227 §2.3: ANNOUNCE_NUM requests to everybody,
// with sender and target the address, ANNOUNCE_INTERVAL apart.
func TestAnnouncements(t *testing.T) {
	s := newStation(t, Config{AnnounceNum: 3, AnnounceInterval: 5 * time.Second})
	s.want([]event{addAddress(ip(1))}, announced(1))
	for _, p := range s.a.Send {
		if !p.Packet.IsAnnouncement() || p.Packet.IsProbe() {
			t.Errorf("%v is no announcement", p)
		}
	}
	s.want([]event{after(5*time.Second - 1)})
	s.want([]event{after(1)}, announced(1))
	s.want([]event{after(5 * time.Second)}, announced(1))
	if at, ok := s.h.NextDeadline(); ok {
		t.Errorf("a fourth announcement at %v", at)
	}
	// Again: it is ours already.
	s.want([]event{addAddress(ip(1))})
}

func TestAnnouncementsOfSeveral(t *testing.T) {
	s := newStation(t, Config{})
	s.do(addAddress(ip(1)), after(time.Second), addAddress(ip(7)))
	s.want([]event{after(time.Second)}, announced(1))
	s.want([]event{after(time.Second)}, announced(7))
	if diff := cmp.Diff([]netip.Addr{ip(1), ip(7)}, s.h.Addresses(), packetOptions); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

// TestRemovedIsNotAnnounced: neither on, nor when the link comes up.
func TestRemovedIsNotAnnounced(t *testing.T) {
	s := newStation(t, Config{})
	s.do(addAddress(ip(1)), addAddress(ip(7)))
	s.h.RemoveAddress(ip(1))
	s.h.RemoveAddress(ip(8)) // is none of ours
	if s.h.HasAddress(ip(1)) || !s.h.HasAddress(ip(7)) {
		t.Error("the wrong address was removed")
	}
	s.want([]event{after(time.Minute)}, announced(7))
	s.want([]event{linkUp}, announced(7))
}

// TestAnnouncedAnew is R65: all addresses are, in the order of their adding,
// when the link comes up, when it may have moved, and with a new hardware
// address; and not while the link is down.
func TestAnnouncedAnew(t *testing.T) {
	newHardwareAddr := func(s *station) { s.h.SetHardwareAddr(s.now, hwOf(9), &s.a) }
	for _, tt := range []struct {
		name  string
		event event
		from  string
	}{{"link up", linkUp, "self"}, {"reverify", reverify, "self"}, {"hardware address", newHardwareAddr, "hw9"}} {
		s := newStation(t, Config{})
		s.do(addAddress(ip(7)), addAddress(ip(1)), after(time.Second))
		all := []string{
			fmt.Sprintf("send to all: request from %s 10.0.0.7 for - 10.0.0.7", tt.from),
			fmt.Sprintf("send to all: request from %s 10.0.0.1 for - 10.0.0.1", tt.from),
		}
		s.want([]event{tt.event}, all...)
		// The series before is over: two more each, and no third.
		s.want([]event{after(time.Minute)}, all...)
	}
	s := newStation(t, Config{})
	s.do(addAddress(ip(1)))
	s.want([]event{linkDown, after(time.Minute)})
	s.want([]event{addAddress(ip(7))})
	s.want([]event{newHardwareAddr})
	s.want([]event{reverify})
	s.want([]event{linkUp},
		"send to all: request from hw9 10.0.0.1 for - 10.0.0.1", "send to all: request from hw9 10.0.0.7 for - 10.0.0.7")
}

// TestSetHardwareAddr is R38: requests and replies carry the new address, the old one
// is another host's from then on.
func TestSetHardwareAddr(t *testing.T) {
	s := newStation(t, Config{})
	s.do(query(2, 1))
	s.h.SetHardwareAddr(s.now, hwOf(9), &s.a)
	s.want([]event{due}, "send to all: request from hw9 10.0.0.1 for - 10.0.0.2")
	s.want([]event{asks(3)}, "table 10.0.0.3 hw3 stale", "send to hw3: reply from hw9 10.0.0.1 for hw3 10.0.0.3", "event added 10.0.0.3 hw3 stale")
	s.do(receive(OperationRequest, 4, 9, 1, true))
	if s.input != InputReflected {
		t.Errorf("our new address is %v, want %v", s.input, InputReflected)
	}
	s.do(receive(OperationRequest, 4, 1, 1, true))
	if s.input != InputAnswered {
		t.Errorf("our old address is %v, want %v", s.input, InputAnswered)
	}
}

// TestAddedAddressOfANeighbor: no packet goes to who had it before.
func TestAddedAddressOfANeighbor(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before []event
		want   []string // besides the announcement
		to     string
	}{
		{"packets wait", incomplete, []string{announced(2), "drop 1: 10.0.0.2 next hop invalid"}, "incomplete"},
		{"stale", stale, []string{"table 10.0.0.2 gone", announced(2), "event removed 10.0.0.2 -"}, "none"},
		{"static", fixed, []string{"table 10.0.0.2 gone", announced(2), "event removed 10.0.0.2 -"}, "none"},
		{"draining", draining, []string{announced(2), "drop 2: 10.0.0.2 next hop invalid", "event state 10.0.0.2 - incomplete"}, "incomplete"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStation(t, Config{})
			s.do(tt.before...)
			s.want([]event{addAddress(ip(2))}, tt.want...)
			s.wantState(2, tt.to)
			s.want([]event{query(2, 9)}, "drop 9: 10.0.0.2 next hop invalid")
			s.want([]event{drained(2, 1)})
			s.do(after(time.Minute))
			s.wantState(2, "none")
		})
	}
}

// TestAddressesThatAreNone are not announced.
func TestAddressesThatAreNone(t *testing.T) {
	for _, a := range []netip.Addr{
		{}, netip.IPv4Unspecified(), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("224.0.0.1"),
		netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("::ffff:10.0.0.1"),
	} {
		s := newStation(t, Config{})
		s.want([]event{addAddress(a)})
		if s.h.HasAddress(a) || len(s.h.Addresses()) != 0 {
			t.Errorf("%v is ours", a)
		}
	}
}

// TestManyAnnouncements: a Tick sends a bounded number, and the next one is due
// at once.
func TestManyAnnouncements(t *testing.T) {
	s := newStation(t, Config{AnnounceNum: 1})
	s.do(linkDown)
	const n = 1000
	for k := range n {
		s.h.AddAddress(0, wide(k), &s.a)
	}
	s.do(linkUp)
	seen := map[netip.Addr]bool{}
	for calls := 0; ; calls++ {
		if len(s.a.Send) > maxTick || calls > n/maxTick+1 {
			t.Fatalf("call %d sends %d", calls, len(s.a.Send))
		}
		for _, p := range s.a.Send {
			seen[p.Packet.SenderAddr] = true
		}
		if at, ok := s.h.NextDeadline(); !ok {
			break
		} else if at != s.now {
			t.Fatalf("the rest waits until %v", at)
		}
		s.do(tick)
	}
	if len(seen) != n {
		t.Errorf("%d of %d were announced", len(seen), n)
	}
}

// TestAnnouncedInOrder: those that are due together go in the order of their
// adding, each time.
func TestAnnouncedInOrder(t *testing.T) {
	s := newStation(t, Config{})
	var want []string
	for n := byte(1); n <= 9; n++ {
		s.do(addAddress(ip(n)))
		want = append(want, announced(n))
	}
	s.want([]event{after(2 * time.Second)}, want...)
	s.want([]event{linkUp}, want...)
	s.want([]event{after(2 * time.Second)}, want...)
}
