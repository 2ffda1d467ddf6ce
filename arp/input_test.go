package arp

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTruthTable has one case per row of the table at Input, in its order.
func TestTruthTable(t *testing.T) {
	const (
		newTable = "table 10.0.0.2 hw3 stale"
		reply    = "send to hw3: reply from self 10.0.0.1 for hw3 10.0.0.2"
		asksOld  = unicastRequest
	)
	known := longStale
	for _, tt := range []struct {
		name   string
		before []event
		event  event
		result InputResult
		want   []string
	}{
		{"R5 known, not for us, request", known, receive(OperationRequest, 2, 3, 9, true), InputChallenged, []string{asksOld}},
		{"R5 known, not for us, reply", known, receive(OperationReply, 2, 3, 9, true), InputChallenged, []string{asksOld}},
		{"R6 unknown, not for us, request", nil, receive(OperationRequest, 2, 3, 9, true), InputIgnored, nil},
		{"R6 unknown, not for us, reply", nil, receive(OperationReply, 2, 3, 9, true), InputIgnored, nil},
		{"R7 known, for us, request", known, receive(OperationRequest, 2, 3, 1, true), InputAnswered, []string{asksOld, reply}},
		{"R5 known, for us, reply, not asked for", known, receive(OperationReply, 2, 3, 1, false), InputChallenged, []string{asksOld}},
		{"R56 known, for us, reply, asked for", probe, receive(OperationReply, 2, 2, 1, false), InputConfirmed,
			[]string{"table 10.0.0.2 hw2", "event state 10.0.0.2 hw2 reachable"}},
		{"R6 unknown, for us, request", nil, receive(OperationRequest, 2, 3, 1, true), InputAnswered,
			[]string{newTable, reply, "event added 10.0.0.2 hw3 stale"}},
		{"R53 unknown, for us, reply", nil, receive(OperationReply, 2, 3, 1, false), InputUnsolicited, nil},
		{"R53 unknown, announcement", nil, receive(OperationRequest, 2, 3, 2, true), InputIgnored, nil},
		{"R53 unknown, announcement of the older form", nil, receive(OperationReply, 2, 3, 2, true), InputIgnored, nil},
		{"R5 known, announcement", known, receive(OperationRequest, 2, 3, 2, true), InputChallenged, []string{asksOld}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStation(t, Config{})
			s.do(tt.before...)
			s.want([]event{tt.event}, tt.want...)
			if s.input != tt.result {
				t.Errorf("Input says %v, want %v", s.input, tt.result)
			}
		})
	}
}

// TestOperationLast is R7, RFC 826 "NOW look at the opcode!!": requests and
// replies update alike; all else does nothing, to those known and unknown.
func TestOperationLast(t *testing.T) {
	for _, op := range []Operation{0, 3, 4, 8, 9, 10, 24, 25, 256, 512, 65535} {
		for _, before := range [][]event{nil, stale, reachable, probe, incomplete, fixed} {
			s := newStation(t, Config{})
			s.do(before...)
			was := s.state(2)
			s.want([]event{receive(op, 2, 3, 1, true)})
			if s.input != InputUnknownOperation {
				t.Errorf("operation %d of one that is %s: %v, want %v", op, was, s.input, InputUnknownOperation)
			}
			s.wantState(2, was)
		}
	}
}

func TestSendersThatAreNotBelieved(t *testing.T) {
	for _, tt := range []struct {
		name   string
		packet Packet
		meta   Meta
		result InputResult
		want   []string
	}{
		{"R21 sender is a group", Packet{OperationRequest, HardwareAddr{1, 0, 0x5e, 0, 0, 2}, ip(2), HardwareAddr{}, ip(1)}, Meta{}, InputBadSender, nil},
		{"R57 sender is broadcast", Packet{OperationRequest, Broadcast, ip(2), HardwareAddr{}, ip(1)}, Meta{}, InputBadSender, nil},
		{"R57 sender is zero", Packet{OperationRequest, HardwareAddr{}, ip(2), HardwareAddr{}, ip(1)}, Meta{}, InputBadSender, nil},
		{"R22 our own packet", Packet{OperationRequest, hwOf(1), ip(1), HardwareAddr{}, ip(1)}, Meta{SenderIsOurs: true}, InputReflected, nil},
		{"R57 our hardware address, their address", Packet{OperationRequest, hwOf(1), ip(2), HardwareAddr{}, ip(1)}, Meta{}, InputReflected, nil},
		{"R44 RFC 5227 §2.4 conflict", Packet{OperationRequest, hwOf(3), ip(1), HardwareAddr{}, ip(9)}, Meta{SenderIsOurs: true}, InputConflict,
			[]string{"event conflict 10.0.0.1 hw3"}},
		{"R44 conflict, reply", Packet{OperationReply, hwOf(3), ip(1), hwOf(1), ip(1)}, Meta{SenderIsOurs: true}, InputConflict,
			[]string{"event conflict 10.0.0.1 hw3"}},
		{"R46 a probe is answered, not learnt", Packet{OperationRequest, hwOf(3), netip.IPv4Unspecified(), HardwareAddr{}, ip(1)}, Meta{}, InputAnswered,
			[]string{"send to hw3: reply from self 10.0.0.1 for hw3 0.0.0.0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStation(t, Config{})
			tt.meta.TargetIsOurs = tt.packet.TargetAddr == ip(1)
			if got := s.h.Input(0, tt.packet, tt.meta, &s.a); got != tt.result {
				t.Errorf("Input says %v, want %v", got, tt.result)
			}
			if diff := cmp.Diff(tt.want, lines(&s.a)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			if n := len(s.h.entries); n != 0 {
				t.Errorf("%d neighbors were learnt", n)
			}
		})
	}
}

// TestNeverLearnt is R57: the request is answered, its sender no neighbor.
func TestNeverLearnt(t *testing.T) {
	for _, sender := range []string{
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::ffff:10.0.0.2", "::1",
	} {
		s := newStation(t, Config{})
		p := Packet{Operation: OperationRequest, SenderHardwareAddr: hwOf(2), SenderAddr: netip.MustParseAddr(sender), TargetAddr: ip(1)}
		if got := s.h.Input(0, p, Meta{TargetIsOurs: true}, &s.a); got != InputAnswered || len(s.a.Send) != 1 {
			t.Errorf("request from %s: %v, %d packets; want an answer", sender, got, len(s.a.Send))
		}
		if n := len(s.h.entries); n != 0 || len(s.a.Updates) != 0 || len(s.a.Events) != 0 {
			t.Errorf("%s was learnt: %v", sender, lines(&s.a))
		}
	}
}

// TestOwnAddressIsNoNeighbor: also where the caller has not heard yet that an
// address is ours, nobody's packet puts it into the table.
func TestOwnAddressIsNoNeighbor(t *testing.T) {
	s := newStation(t, Config{})
	s.do(query(2, 1), addAddress(ip(2)))                                     // leaves an entry, for the rate
	s.want([]event{answers(2)}, announced(2), "event conflict 10.0.0.2 hw2") // R44: defends it
	s.want([]event{asks(2)}, "event conflict 10.0.0.2 hw2")
	if e, ok := s.h.Entry(ip(2)); ok && e.State.HasAddr() {
		t.Errorf("our own address is a neighbor: %+v", e)
	}
}

// TestReply is R8, R10 and R47, and R48 for link-local addresses.
func TestReply(t *testing.T) {
	local, other := netip.MustParseAddr("169.254.7.1"), netip.MustParseAddr("169.254.7.2")
	for _, tt := range []struct {
		name           string
		sender, target netip.Addr
		to             HardwareAddr
	}{
		{"R8 to who asked", ip(2), ip(1), hwOf(2)},
		{"R48 RFC 3927 §2.5 from a link-local address", other, local, Broadcast},
		{"R48 whoever asks", ip(2), local, Broadcast},
		{"R48 only our side counts", other, ip(1), hwOf(2)},
	} {
		s := newStation(t, Config{})
		p := Packet{OperationRequest, hwOf(2), tt.sender, Broadcast, tt.target}
		s.h.Input(0, p, Meta{Broadcast: true, TargetIsOurs: true}, &s.a)
		want := []Send{{To: tt.to, Packet: Packet{OperationReply, hwOf(1), tt.target, hwOf(2), tt.sender}}}
		if diff := cmp.Diff(want, s.a.Send, packetOptions); diff != "" {
			t.Errorf("%s: packets (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestLinkLocalRequests is R48: polls from a link-local address are broadcast,
// too, and so they keep to the rate of R26 whatever their interval.
func TestLinkLocalRequests(t *testing.T) {
	s := newStation(t, Config{ProbeInterval: 10e6, DelayTime: 1e6})
	local := netip.MustParseAddr("169.254.7.1")
	s.do(asks(2), func(s *station) { s.h.Use(s.now, ip(2), local, &s.a) })
	want := "send to all: request from self 169.254.7.1 for - 10.0.0.2"
	s.want([]event{due}, want, "event state 10.0.0.2 hw2 probe")
	for range 2 {
		before := s.now
		s.a.Reset()
		for len(s.a.Send) == 0 {
			due(s)
		}
		if diff := cmp.Diff([]string{want}, lines(&s.a)); diff != "" {
			t.Errorf("poll (-want +got):\n%s", diff)
		}
		if s.now-before < 1e9 {
			t.Errorf("broadcast polls %v apart", s.now-before)
		}
	}
}

// TestRequestFields is R9, for every kind of source that a query may give.
func TestRequestFields(t *testing.T) {
	for _, tt := range []struct {
		source string
		want   netip.Addr
	}{
		{"10.0.0.1", ip(1)},
		{"169.254.7.1", netip.MustParseAddr("169.254.7.1")},
		{"::1", netip.Addr{}},
		{"::ffff:10.0.0.1", netip.Addr{}},
		{"0.0.0.0", netip.Addr{}},
		{"255.255.255.255", netip.Addr{}},
	} {
		s := newStation(t, Config{})
		s.h.Query(0, ip(2), netip.MustParseAddr(tt.source), 100, 1, &s.a)
		want := []Send{{To: Broadcast, Packet: Packet{OperationRequest, hwOf(1), tt.want, HardwareAddr{}, ip(2)}}}
		if diff := cmp.Diff(want, s.a.Send, packetOptions); diff != "" {
			t.Errorf("source %s (-want +got):\n%s", tt.source, diff)
		}
	}
	// The source of the latest query is used; one without a source changes
	// nothing.
	s := newStation(t, Config{})
	s.do(query(2, 1))
	s.h.Query(s.now, ip(2), ip(7), 100, 2, &s.a)
	s.h.Query(s.now, ip(2), netip.Addr{}, 100, 3, &s.a)
	s.want([]event{due}, "send to all: request from self 10.0.0.7 for - 10.0.0.2")
}

// TestInvalidNextHops is R34, and R33's addresses that are never asked for.
func TestInvalidNextHops(t *testing.T) {
	for _, next := range []netip.Addr{
		{}, ip(1), netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("0.1.2.3"), netip.MustParseAddr("127.0.0.1"),
		netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("240.0.0.1"), netip.MustParseAddr("255.255.255.255"),
		netip.MustParseAddr("::1"), netip.MustParseAddr("::ffff:10.0.0.2"), netip.MustParseAddr("fe80::1%eth0"),
	} {
		s := newStation(t, Config{})
		s.do(addAddress(ip(1)))
		s.a.Reset()
		if got := s.h.Query(0, next, ip(1), 100, 1, &s.a); got != Rejected {
			t.Errorf("Query(%v) = %v, want %v", next, got, Rejected)
		}
		s.h.Wait(0, next, ip(1), 2, &s.a)
		want := []string{fmt.Sprintf("drop 1: %v next hop invalid", next), fmt.Sprintf("drop 2: %v next hop invalid", next)}
		if diff := cmp.Diff(want, lines(&s.a)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", next, diff)
		}
		s.h.Use(0, next, ip(1), &s.a)
		s.h.Cancel(next, func(int) bool { return true })
		s.h.Drained(1, next, &s.a)
		if s.h.Remove(0, next, &s.a) {
			t.Errorf("%v was known", next)
		}
		if err := s.h.AddStatic(s.now, next, hwOf(2), &s.a); err == nil {
			t.Errorf("%v can be a static neighbor", next)
		}
		if len(s.h.entries) != 0 {
			t.Errorf("%v has an entry", next)
		}
	}
}
