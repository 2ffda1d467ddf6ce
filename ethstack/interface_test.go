package ethstack_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/google/go-cmp/cmp"
)

// TestSetHardwareAddr: the new address is announced, used and listened to, the
// old one no more.
func TestSetHardwareAddr(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	next := ethstack.HardwareAddr{2, 0, 0, 0, 0, 0x77}
	if err := s.i.SetHardwareAddr(next); err != nil {
		t.Fatal(err)
	}
	wantSent(t, s, "inside the call, which may hold locks")
	s.clock.Advance(0)
	wantSent(t, s, "after it", "announce 10.0.0.1 at 02:00:00:00:00:77")
	s.hears(asked(ours))
	wantSent(t, s, "asked for", "10.0.0.1 is at 02:00:00:00:00:77")
	s.Input(numbered(next, hw2, 0, 0), ethstack.Handlers{})
	s.Input(numbered(hw1, hw2, 0, 0), ethstack.Handlers{})
	st := s.i.Stats()
	if got := []uint64{st.Drops[ethstack.DropNoReceiver], st.Drops[ethstack.DropForeign]}; !cmp.Equal(got, []uint64{1, 1}) {
		t.Errorf("frames to the new and to the old address: %d, want 1 for us and 1 for another host", got)
	}
	for _, bad := range []ethstack.HardwareAddr{{}, {1}, hwAll} {
		if err := s.i.SetHardwareAddr(bad); err == nil || !strings.Contains(err.Error(), bad.String()) {
			t.Errorf("SetHardwareAddr(%v): %v; want an error that names it", bad, err)
		}
	}
	if s.i.HardwareAddr() != next {
		t.Errorf("a bad address has changed the good one to %v", s.i.HardwareAddr())
	}
}

// TestOnEvent: what happens to a neighbor, in order.
func TestOnEvent(t *testing.T) {
	var got []string
	s := newStation(t, ethstack.Options{OnEvent: func(e arp.Event) {
		got = append(got, fmt.Sprintf("%v %v %v", e.Kind, e.Addr, e.State))
	}}, ethstack.LinkOptions{}).withAddress()
	s.resolve(peer)
	s.clock.Advance(time.Millisecond)
	s.hears(answers())
	conflict := answers()
	conflict.SenderAddr = ours
	s.hears(conflict)
	moved := asked(nobody)
	moved.SenderHardwareAddr = ethstack.HardwareAddr{2, 0, 0, 0, 0, 3}
	s.hears(moved) // too soon
	s.clock.Advance(time.Second)
	s.hears(moved)
	s.hears(answers())
	s.clock.Advance(time.Second)
	s.hears(moved)
	s.clock.Advance(time.Second)
	s.clock.Advance(time.Minute)
	s.i.RemoveNeighbor(peer)
	s.clock.Advance(time.Minute)
	want := []string{
		"added 10.0.0.2 incomplete", "state 10.0.0.2 reachable", "conflict 10.0.0.1 incomplete",
		"rejected 10.0.0.2 reachable", "state 10.0.0.2 stale", "moved 10.0.0.2 stale", "removed 10.0.0.2 incomplete",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if n := s.i.Stats().ARPConflicts; n != 1 {
		t.Errorf("%d conflicts counted, want 1", n)
	}
}

// TestLinkFlap: a link that goes down forgets its neighbors and drops what waits
// for them; when it comes up, addresses are announced and all is asked for anew.
func TestLinkFlap(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	s.hears(asked(ours))
	waits, _ := s.resolve(nobody)
	s.clock.Advance(0)
	s.take()
	s.port.SetLinkState(ethstack.LinkDown)
	s.clock.Advance(10 * time.Second)
	if _, ok := s.i.Lookup(peer.As4()); ok || waits.outcome() != "flushed" {
		t.Errorf("link down: neighbor known %v, a packet %s; want false, flushed", ok, waits.outcome())
	}
	if s.i.Link().State() != ethstack.LinkDown {
		t.Errorf("the link is %v", s.i.Link().State())
	}
	added := netip.MustParseAddr("10.0.0.77")
	if err := s.AddIPv4(added); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(10 * time.Second)
	wantSent(t, s, "while it is down")
	s.port.SetLinkState(ethstack.LinkUp)
	s.clock.Advance(time.Second)
	wantSent(t, s, "when it comes up", announceOurs, "announce 10.0.0.77 at 02:00:00:00:00:01")
	asks, _ := s.resolve(peer)
	s.clock.Advance(0)
	s.hears(answers())
	if asks.outcome() != "sent" {
		t.Errorf("a packet after that: %s, want it sent", asks.outcome())
	}
}

// TestInterfaceMadeWhileLinkIsDown sends nothing until the link is up.
func TestInterfaceMadeWhileLinkIsDown(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	s.port.SetLinkState(ethstack.LinkDown)
	s.clock.Advance(0)
	i, err := s.i.Link().NewInterface(ethstack.Options{VLAN: ethstack.VLAN{{ID: 5}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.AddIPv4(ours); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Minute)
	if st := i.Stats(); st.ARPRequests != 0 {
		t.Errorf("%d announcements on a link that is down", st.ARPRequests)
	}
	s.port.SetLinkState(ethstack.LinkUp)
	s.clock.Advance(time.Minute)
	if st := i.Stats(); st.ARPRequests != 2 {
		t.Errorf("%d announcements on a link that came up, want 2", st.ARPRequests)
	}
}

// TestWriteErrors: a frame that the device refuses is counted under why, the
// others of its batch are sent.
func TestWriteErrors(t *testing.T) {
	for _, c := range []struct {
		err    error
		reason ethstack.DropReason
		errors uint64 // counted as TxErrors
	}{
		{ethstack.ErrNoBufferSpace, ethstack.DropTxFull, 0},
		{ethstack.ErrMessageTooLong, ethstack.DropTxTooLong, 0},
		{ethstack.ErrUnsupportedOffload, ethstack.DropTxOffload, 0},
		{fmt.Errorf("unplugged: %w", ethstack.ErrDisconnected), ethstack.DropTxDisconnected, 0},
		{errors.New("something else"), ethstack.DropTxError, 1},
	} {
		s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
		s.port.FailWrite(c.err, 2)
		b := numbered(hw2, hw1, 0, 0)
		frames := plain(b, b, b, b, b)
		n, err := s.i.Write(0, frames)
		if n != 3 || !errors.Is(err, c.err) || !errors.Is(frames[0].Err, c.err) || !errors.Is(frames[1].Err, c.err) || frames[2].Err != nil {
			t.Errorf("%v: Write: %d, %v; frames: %v, %v, %v; want 3 sent and the first two refused",
				c.err, n, err, frames[0].Err, frames[1].Err, frames[2].Err)
		}
		st := s.i.Stats()
		want := ethstack.Stats{TxFrames: 3, TxBytes: 3 * 60, TxErrors: c.errors}
		want.Drops[c.reason] = 2
		if diff := cmp.Diff(want, st); diff != "" {
			t.Errorf("%v: stats (-want +got):\n%s", c.err, diff)
		}
		if st.TxDropped() != 2 || st.RxDropped() != 0 {
			t.Errorf("%v: %d dropped on sending, %d on receive, want 2 and 0", c.err, st.TxDropped(), st.RxDropped())
		}
		if n, err := s.i.Write(0, frames); n != 5 || err != nil {
			t.Errorf("%v: the same batch again: %d, %v; want 5", c.err, n, err)
		}
	}
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	if n, err := s.i.Write(0, nil); n != 0 || err != nil {
		t.Errorf("Write of nothing: %d, %v", n, err)
	}
	frames := plain(numbered(hw2, hw1, 0, 0), make([]byte, 1515), numbered(hw2, hw1, 0, 0))
	if n, err := s.i.Write(0, frames); n != 2 || !errors.Is(err, ethstack.ErrMessageTooLong) || !errors.Is(frames[1].Err, ethstack.ErrMessageTooLong) {
		t.Errorf("Write with one that is too long: %d, %v; want 2, %v", n, err, ethstack.ErrMessageTooLong)
	}
	if st := s.i.Stats(); st.TxFrames != 2 || st.Drops[ethstack.DropTxTooLong] != 1 {
		t.Errorf("counted %d sent and %d too long, want 2 and 1", st.TxFrames, st.Drops[ethstack.DropTxTooLong])
	}
}

// TestARPWriteErrors: a request that the device refuses is no request sent, and
// is sent again in its time.
func TestARPWriteErrors(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	before := s.i.Stats().ARPRequests
	s.port.FailWrite(ethstack.ErrNoBufferSpace, 1)
	p, _ := s.resolve(peer)
	s.clock.Advance(500 * time.Millisecond)
	if st := s.i.Stats(); st.ARPRequests != before || st.Drops[ethstack.DropTxFull] != 1 {
		t.Errorf("%d requests counted and %d refused, want 0 and 1", st.ARPRequests-before, st.Drops[ethstack.DropTxFull])
	}
	s.clock.Advance(500 * time.Millisecond)
	wantSent(t, s, "a second later", "who has 10.0.0.2? tell 10.0.0.1")
	s.hears(answers())
	if p.outcome() != "sent" {
		t.Errorf("the packet: %s, want it sent", p.outcome())
	}
}
