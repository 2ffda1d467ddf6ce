package arp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func byAddr(x, y Entry) int { return x.Addr.Compare(y.Addr) }

// TestRestore: a snapshot of neighbors in all states, given to another handler.
func TestRestore(t *testing.T) {
	s := newStation(t, Config{})
	s.do(asks(2), query(3, 1), answers(3), query(4, 1), static(5, 5), asks(6), use(6), asks(7), asks(9))
	snapshot := slices.SortedFunc(s.h.Entries(), byAddr)
	other := newStation(t, Config{})
	other.do(addAddress(ip(7)), static(9, 19))
	if err := other.h.Restore(other.now, snapshot, &other.a); err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{Addr: ip(2), HardwareAddr: hwOf(2), State: Stale}, {Addr: ip(3), HardwareAddr: hwOf(3), State: Stale},
		{Addr: ip(5), HardwareAddr: hwOf(5), State: Static}, {Addr: ip(6), HardwareAddr: hwOf(6), State: Stale},
		{Addr: ip(9), HardwareAddr: hwOf(19), State: Static}, // was known, 7 is our own
	}
	if diff := cmp.Diff(want, slices.SortedFunc(other.h.Entries(), byAddr), packetOptions); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	// Used, it is verified.
	other.do(use(2), after(5*time.Second))
	other.wantState(2, "probe")
}

// TestRestoreBad: what is no neighbor is left out, of dynamic ones without a word.
func TestRestoreBad(t *testing.T) {
	s := newStation(t, Config{MaxEntries: 2})
	snapshot := []Entry{
		{Addr: netip.MustParseAddr("224.0.0.1"), HardwareAddr: hwOf(2), State: Stale}, {Addr: netip.Addr{}, HardwareAddr: hwOf(2), State: Stale},
		{Addr: ip(2), State: Stale}, {Addr: ip(2), HardwareAddr: Broadcast, State: Reachable}, {Addr: ip(2), HardwareAddr: hwOf(1), State: Probe},
		{Addr: ip(3), HardwareAddr: hwOf(3), State: Delay}, {Addr: ip(4), HardwareAddr: hwOf(4), State: 77}, {Addr: ip(5), HardwareAddr: hwOf(5), State: Stale},
	}
	if err := s.h.Restore(0, snapshot, &s.a); err != nil {
		t.Error(err)
	}
	var got []netip.Addr
	for e := range s.h.Entries() {
		got = append(got, e.Addr)
	}
	slices.SortFunc(got, netip.Addr.Compare)
	// There is room for two: the oldest that nobody has used goes.
	if diff := cmp.Diff([]netip.Addr{ip(4), ip(5)}, got, packetOptions); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	if err := s.h.Restore(0, []Entry{{Addr: ip(6), HardwareAddr: Broadcast, State: Static}}, &s.a); err == nil {
		t.Error("a static neighbor at the broadcast address is accepted")
	}
}

// TestNoARP is R59, never: nothing is asked, answered, announced or learned; static neighbors
// are sent to, others refused with the reason.
func TestNoARP(t *testing.T) {
	s := newStation(t, Config{NoARP: true})
	s.want([]event{addAddress(ip(1))})
	s.want([]event{asks(2)})
	s.want([]event{receive(OperationRequest, 2, 2, 2, true)})
	s.want([]event{conflict})
	s.want([]event{query(2, 1)}, "drop 1: 10.0.0.2 ARP is off")
	s.want([]event{wait(2, 2)}, "drop 2: 10.0.0.2 ARP is off")
	s.do(static(2, 2))
	s.want([]event{query(2, 3)}, "release 3: 10.0.0.2 hw2")
	s.want([]event{linkUp, reverify, after(time.Hour)})
	if err := s.h.Restore(s.now, []Entry{{Addr: ip(3), HardwareAddr: hwOf(3), State: Stale}}, &s.a); err != nil || s.state(3) != "none" {
		t.Errorf("Restore: %v, a neighbor that cannot be verified is %s", err, s.state(3))
	}
	if at, ok := s.h.NextDeadline(); ok {
		t.Errorf("something to do at %v", at)
	}
}
