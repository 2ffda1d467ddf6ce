package ethstack_test

import (
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/google/go-cmp/cmp"
)

// fakeHost is a host on one goroutine. With yes it says that of each address.
type fakeHost struct {
	addrs    []netip.Addr
	disabled bool
	yes      bool
	source   netip.Addr // if valid: what SourceFor returns
}

func (h *fakeHost) Enabled() bool                { return !h.disabled }
func (h *fakeHost) IsLocal(addr netip.Addr) bool { return h.yes || slices.Contains(h.addrs, addr) }

// OnLink is true of 10.0.0.0/8.
func (h *fakeHost) OnLink(addr netip.Addr) bool { return addr.Is4() && addr.As4()[0] == 10 }

func (h *fakeHost) SourceFor(_, preferred netip.Addr) netip.Addr {
	if h.source.IsValid() || len(h.addrs) == 0 {
		return h.source
	}
	if h.IsLocal(preferred) {
		return preferred
	}
	return h.addrs[0]
}

func wantSent(t *testing.T, s *station, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, s.take()); diff != "" {
		t.Errorf("%s: sent (-want +got):\n%s", when, diff)
	}
}

const (
	announceOurs = "announce 10.0.0.1 at 02:00:00:00:00:01"
	oursIsAt     = "10.0.0.1 is at 02:00:00:00:00:01"
)

// TestHostAddress follows an address of the host's from when it is first seen
// until the host has given it up.
func TestHostAddress(t *testing.T) {
	h := &fakeHost{addrs: []netip.Addr{ours}}
	s := newStation(t, ethstack.Options{Host: h}, ethstack.LinkOptions{})
	s.clock.Advance(time.Minute)
	wantSent(t, s, "before anybody has named it")
	s.hears(asked(ours))
	wantSent(t, s, "asked for", announceOurs, oursIsAt)
	s.hears(asked(ours))
	s.clock.Advance(time.Minute)
	wantSent(t, s, "asked for again", oursIsAt, announceOurs) // the second of AnnounceNum
	if got := s.IPv4s(); !slices.Equal(got, []netip.Addr{ours}) {
		t.Errorf("IPv4s: %v, want %v", got, ours)
	}

	h.addrs = nil
	s.hears(asked(ours))
	s.clock.Advance(time.Minute)
	wantSent(t, s, "asked for when it is the host's no more")
	if got := s.IPv4s(); len(got) != 0 {
		t.Errorf("IPv4s: %v, want none", got)
	}
	h.addrs = []netip.Addr{ours}
	s.hears(asked(ours))
	wantSent(t, s, "asked for when it is the host's again", announceOurs, oursIsAt)
}

// TestHostAddressGivenUp: what the host has given up is neither announced any
// more nor held to be ours, although nobody has told.
func TestHostAddressGivenUp(t *testing.T) {
	for when, cause := range map[string]func(*station){
		"its second announcement is due": func(s *station) {},
		"the link comes up again": func(s *station) {
			s.clock.Advance(time.Minute)
			s.take()
			s.port.SetLinkState(ethstack.LinkDown)
			s.clock.Advance(0)
			s.port.SetLinkState(ethstack.LinkUp)
		},
		"the hardware address changes": func(s *station) {
			s.clock.Advance(time.Minute)
			s.take()
			if err := s.i.SetHardwareAddr(hw1); err != nil {
				t.Fatal(err)
			}
		},
	} {
		h := &fakeHost{addrs: []netip.Addr{ours}}
		s := newStation(t, ethstack.Options{Host: h}, ethstack.LinkOptions{})
		s.hears(asked(ours))
		s.take()
		h.addrs = []netip.Addr{peer}
		cause(s)
		s.clock.Advance(time.Minute)
		wantSent(t, s, when)
		if got := s.IPv4s(); len(got) != 0 {
			t.Errorf("%s: IPv4s are %v, want none", when, got)
		}
	}
}

// TestHostAddressOfAnother: an address that was the host's and is now a
// neighbor's can be sent to: not the first packet, but the next.
func TestHostAddressOfAnother(t *testing.T) {
	h := &fakeHost{addrs: []netip.Addr{ours, peer}}
	s := newStation(t, ethstack.Options{Host: h}, ethstack.LinkOptions{})
	s.hears(arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: hw2, SenderAddr: nobody, TargetAddr: peer})
	s.clock.Advance(time.Minute)
	h.addrs = []netip.Addr{ours}
	first, _ := s.resolve(peer)
	s.clock.Advance(0)
	second, _ := s.resolve(peer)
	s.clock.Advance(0)
	s.hears(answers())
	if got := []string{first.outcome(), second.outcome()}; !cmp.Equal(got, []string{"next hop invalid", "sent"}) {
		t.Errorf("two packets: %q; want the first invalid, the second sent", got)
	}
}

// TestHostSource lists which address a request is sent from.
func TestHostSource(t *testing.T) {
	added := netip.MustParseAddr("10.0.0.200")
	for _, c := range []struct {
		name      string
		host      ethstack.Host
		add       bool
		preferred netip.Addr
		want      string // empty: nothing is sent
	}{
		{"no host, no address", nil, false, ours, ""},
		{"no host, the address that was added", nil, true, added, "10.0.0.200"},
		{"no host, another", nil, true, ours, "10.0.0.200"},
		{"no host, none preferred", nil, true, netip.Addr{}, "10.0.0.200"},
		{"preferred is the host's", &fakeHost{addrs: []netip.Addr{nobody, ours}}, true, ours, "10.0.0.1"},
		{"preferred is nobody's", &fakeHost{addrs: []netip.Addr{ours}}, true, nobody, "10.0.0.1"},
		{"preferred was added", &fakeHost{addrs: []netip.Addr{ours}}, true, added, "10.0.0.200"},
		{"the host has none", &fakeHost{}, true, ours, "10.0.0.200"},
		{"nobody has any", &fakeHost{}, false, ours, ""},
		{"the host says 0.0.0.0", &fakeHost{source: netip.IPv4Unspecified()}, false, ours, ""},
		{"the host says IPv6", &fakeHost{source: netip.MustParseAddr("fe80::1")}, true, ours, "10.0.0.200"},
		{"the host says broadcast", &fakeHost{source: netip.MustParseAddr("255.255.255.255")}, true, ours, "10.0.0.200"},
		{"the host says IPv4 in IPv6", &fakeHost{addrs: []netip.Addr{ours}, source: netip.MustParseAddr("::ffff:10.0.0.1")}, true, nobody, "10.0.0.1"},
	} {
		s := newStation(t, ethstack.Options{Host: c.host}, ethstack.LinkOptions{})
		if c.add {
			if err := s.AddIPv4(added); err != nil {
				t.Fatal(err)
			}
			s.clock.Advance(0)
			s.take()
		}
		if _, result := s.i.Resolve(peer, c.preferred, 1, new(packet)); result != arp.Queued {
			t.Errorf("%s: Resolve: %v, want it queued", c.name, result)
		}
		s.clock.Advance(0)
		request := "who has 10.0.0.2? tell " + c.want
		if got := s.take(); slices.Contains(got, request) != (c.want != "") || c.want == "" && len(got) != 0 {
			t.Errorf("%s: sent %q, want a request from %q", c.name, got, c.want)
		}
		if got := s.i.Stats().Drops[ethstack.DropTxNoSource]; (got == 1) != (c.want == "") {
			t.Errorf("%s: %d counted as %v", c.name, got, ethstack.DropTxNoSource)
		}
	}
}

// TestHostDisabled: no ARP in either direction, and all of it counted.
func TestHostDisabled(t *testing.T) {
	h := &fakeHost{addrs: []netip.Addr{ours}, disabled: true}
	s := newStation(t, ethstack.Options{Host: h}, ethstack.LinkOptions{})
	s.hears(asked(ours))
	p, _ := s.resolve(peer)
	s.clock.Advance(time.Minute)
	wantSent(t, s, "disabled")
	if p.outcome() != "next hop unreachable" {
		t.Errorf("a packet: %s, want its next hop to be unreachable", p.outcome())
	}
	// Three requests of ours and one of the peer's.
	if got := s.i.Stats().Drops[ethstack.DropDisabled]; got != 4 {
		t.Errorf("%d counted as %v, want 4", got, ethstack.DropDisabled)
	}
	h.disabled = false
	s.hears(asked(ours))
	wantSent(t, s, "enabled", announceOurs, oursIsAt)
}

// TestHostThatHasEverything: one that answers for a whole network, asked for
// all of it, is answered for without end, and announced in bounds.
func TestHostThatHasEverything(t *testing.T) {
	const targets = 5000
	s := newStation(t, ethstack.Options{Host: &fakeHost{yes: true}, ARP: arp.Config{MaxReplyRate: 10 * targets}}, ethstack.LinkOptions{})
	// Its sender is ours, too: a conflict. So a probe asks.
	for n := range targets {
		s.hears(arp.Packet{
			Operation: arp.OperationRequest, SenderHardwareAddr: hw2, SenderAddr: netip.IPv4Unspecified(),
			TargetAddr: netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}),
		})
	}
	s.clock.Advance(time.Minute)
	st := s.i.Stats()
	if n := len(s.IPv4s()); st.ARPReplies != targets || n > 1024 || st.ARPRequests > 2*1024 {
		t.Errorf("%d questions: %d answers, %d addresses learnt, %d announcements; want all answers, at most 1024 and 2048",
			targets, st.ARPReplies, n, st.ARPRequests)
	}
	// What is added is announced all the same.
	s.take()
	if err := s.AddIPv4(ours); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(0)
	wantSent(t, s, "an address that was added", announceOurs)
	s.hears(asked(nobody))
	if got := s.i.Stats(); got.ARPConflicts != 1 || got.ARPIn[arp.InputConflict] != 1 {
		t.Errorf("who asks from an address of ours: %d conflicts counted, want 1", got.ARPConflicts)
	}
}

// TestHostSeesAddressBeingAdded: an address that is added while somebody asks
// for it stays, though the host, asked a moment before, has said no.
func TestHostSeesAddressBeingAdded(t *testing.T) {
	s := newStation(t, ethstack.Options{Host: &fakeHost{}}, ethstack.LinkOptions{})
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !over.Load() {
			s.hears(asked(ours))
		}
	})
	for range 3000 {
		if err := s.AddIPv4(ours); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
		if got := s.IPv4s(); len(got) != 1 {
			t.Errorf("IPv4s after AddIPv4: %v, want %v", got, ours)
			break
		}
		if err := s.RemoveIPv4(ours); err != nil {
			t.Fatal(err)
		}
		if got := s.IPv4s(); len(got) != 0 {
			t.Errorf("IPv4s after RemoveIPv4: %v, want none", got)
			break
		}
	}
	over.Store(true)
	wg.Wait()
}
