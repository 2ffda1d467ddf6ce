package ethstack_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/google/go-cmp/cmp"
)

// TestFailoverOnTheWire: a neighbor that is gone is followed within VerifyTime;
// one that is there is not, whatever is said of it. R5, R55.
func TestFailoverOnTheWire(t *testing.T) {
	for _, alive := range []bool{false, true} {
		s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
		s.hears(asked(ours))
		s.clock.Advance(2 * time.Second)
		s.take()
		other := ethstack.HardwareAddr{2, 0, 0, 0, 0, 3}
		s.hears(arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: other, SenderAddr: peer, TargetAddr: peer})
		wantSent(t, s, "said to move", "who has 10.0.0.2? tell 10.0.0.1")
		if hw, _ := s.i.Lookup(peer.As4()); hw != hw2 {
			t.Errorf("while it is verified, packets go to %v", hw)
		}
		want := other
		if alive {
			s.hears(answers())
			want = hw2
		}
		s.clock.Advance(50 * time.Millisecond)
		if hw, _ := s.i.Lookup(peer.As4()); hw != want {
			t.Errorf("alive %v: packets go to %v, want %v", alive, hw, want)
		}
		if n := s.i.Stats().ARPIn[arp.InputChallenged]; n != 1 {
			t.Errorf("%d challenges counted, want 1", n)
		}
	}
}

// TestWhoIsOffLink is R57: the host says who is on the link.
func TestWhoIsOffLink(t *testing.T) {
	s := newStation(t, ethstack.Options{Host: &fakeHost{addrs: []netip.Addr{ours}}}, ethstack.LinkOptions{})
	off := asked(ours)
	off.SenderAddr = netip.MustParseAddr("192.0.2.7")
	s.hears(off)
	s.hears(asked(ours))
	if _, known := s.i.Neighbor(off.SenderAddr); known {
		t.Errorf("%v, which is off the link, is a neighbor", off.SenderAddr)
	}
	if _, known := s.i.Neighbor(peer); !known {
		t.Errorf("%v, which is on the link, is none", peer)
	}
	if n := s.i.Stats().ARPReplies; n != 2 {
		t.Errorf("%d answers, want 2", n)
	}
}

// TestSourceDiffers is R58: it is counted, and refused if that is asked for.
func TestSourceDiffers(t *testing.T) {
	for _, strict := range []bool{false, true} {
		s := newStation(t, ethstack.Options{ARP: arp.Config{StrictSource: strict}}, ethstack.LinkOptions{}).withAddress()
		f := arpFrame(hwAll, asked(ours))
		f[6+5] = 77
		s.Input(f, ethstack.Handlers{})
		st := s.i.Stats()
		if got := st.ARPReplies == 1; got == strict || st.ARPSourceDiffers != 1 || (st.ARPIn[arp.InputBadSender] == 1) != strict {
			t.Errorf("strict %v: %d answers, %d counted, %d refused", strict, st.ARPReplies, st.ARPSourceDiffers, st.ARPIn[arp.InputBadSender])
		}
	}
}

func behind(s string) netip.Addr { return netip.MustParseAddr(s) }

// TestProxyARP is R52, RFC 1027: off by default; explicit prefixes with
// exceptions; never broadcast addresses, our own subnet by a wider prefix, or
// who is on our side.
func TestProxyARP(t *testing.T) {
	host := &fakeHost{addrs: []netip.Addr{ours}}
	o := ethstack.Options{Host: host, ProxyARP: ethstack.ProxyARP{
		Prefixes: []netip.Prefix{
			netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("172.16.0.0/12"),
			netip.MustParsePrefix("8.0.0.0/6"), netip.MustParsePrefix("10.5.0.0/24"), netip.MustParsePrefix("198.51.100.7/32"),
		},
		Except: []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25"), netip.MustParsePrefix("172.16.9.9/32")},
	}}
	for _, tt := range []struct {
		target string
		want   bool
	}{
		{"192.0.2.1", true}, {"192.0.2.127", true}, {"192.0.2.128", false}, {"192.0.2.200", false},
		{"192.0.2.0", false}, {"192.0.3.1", false},
		{"172.16.9.8", true}, {"172.16.9.9", false}, {"172.31.255.255", false}, {"172.16.0.0", false}, {"172.31.255.254", true},
		{"9.1.1.1", true},                                              // of a wider prefix, not on our link
		{"10.9.9.9", false},                                            // of a wider prefix, on our link
		{"10.5.0.7", true}, {"10.5.0.0", false}, {"10.5.0.255", false}, // of a prefix within our link's
		{"198.51.100.7", true},
		{"255.255.255.255", false}, {"224.0.0.1", false}, {"127.0.0.1", false}, {"0.0.0.0", false},
	} {
		for _, on := range []bool{true, false} {
			opts := o
			if !on {
				opts.ProxyARP = ethstack.ProxyARP{}
			}
			s := newStation(t, opts, ethstack.LinkOptions{})
			s.hears(asked(behind(tt.target)))
			wantSent(t, s, tt.target+", at once")
			s.clock.Advance(time.Second)
			var want []string
			if on && tt.want {
				want = []string{tt.target + " is at " + hw1.String()}
			}
			wantSent(t, s, tt.target, want...)
		}
	}
	s := newStation(t, o, ethstack.LinkOptions{})
	there := asked(ours)
	there.SenderAddr, there.SenderHardwareAddr = behind("10.5.0.7"), ethstack.HardwareAddr{2, 0, 0, 0, 0, 7}
	s.hears(there)
	s.clock.Advance(time.Minute)
	s.take()
	s.hears(there)
	s.hears(asked(there.SenderAddr))
	s.clock.Advance(time.Second)
	wantSent(t, s, "one that is on our side", oursIsAt)

	_, err := ethstack.Connect(s.port, ethstack.Options{ProxyARP: ethstack.ProxyARP{Prefixes: []netip.Prefix{netip.MustParsePrefix("fd00::/64")}}})
	if err == nil || !strings.Contains(err.Error(), "fd00::/64") {
		t.Errorf("a prefix of IPv6: %v, want an error that names it", err)
	}
}

// TestProxyARPIsNotSpoofing is R52: a host that says yes to every address, as a
// netstack does in spoofing mode, is answered for by its own word only; proxying
// is nothing that comes by accident. And what is proxied is never a source of
// ours, nor in conflict.
func TestProxiedIsNotOurs(t *testing.T) {
	s := newStation(t, ethstack.Options{ProxyARP: ethstack.ProxyARP{Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}, ethstack.LinkOptions{}).withAddress()
	s.hears(asked(behind("192.0.2.1")))
	s.clock.Advance(time.Second)
	s.take()
	from := asked(nobody)
	from.SenderAddr = behind("192.0.2.1")
	s.hears(from)
	if n := s.i.Stats().ARPConflicts; n != 0 {
		t.Errorf("%d conflicts, want none", n)
	}
	s.clock.Advance(time.Minute)
	wantSent(t, s, "a proxied address is used by another")
	if diff := cmp.Diff([]netip.Addr{ours}, s.IPv4s(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

// TestRestoredNeighbors: by Options and later; used, they are verified.
func TestRestoredNeighbors(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	s.hears(asked(ours))
	if err := s.i.AddStaticNeighbor(nobody, hw2); err != nil {
		t.Fatal(err)
	}
	snapshot := slices.Collect(s.i.Neighbors())
	other := newStation(t, ethstack.Options{Neighbors: snapshot}, ethstack.LinkOptions{}).withAddress()
	if _, known := other.i.Neighbor(peer); known {
		t.Error("one that nobody used is kept for longer than StaleTime")
	}
	if err := other.i.RestoreNeighbors(snapshot); err != nil {
		t.Fatal(err)
	}
	for _, a := range []netip.Addr{peer, nobody} {
		if hw, ok := other.i.Lookup(a.As4()); !ok || hw != hw2 {
			t.Errorf("%v is at %v, %v; want %v", a, hw, ok, hw2)
		}
	}
	other.take()
	other.clock.Advance(5 * time.Second)
	wantSent(t, other, "a restored one was used", "who has 10.0.0.2? tell 10.0.0.1")
	bad := []arp.Entry{{Addr: ours, HardwareAddr: hwAll, State: arp.Static}}
	if err := other.i.RestoreNeighbors(bad); err == nil {
		t.Error("a static neighbor at the broadcast address is accepted")
	}
	if _, err := ethstack.Connect(s.port, ethstack.Options{Neighbors: bad}); err == nil {
		t.Error("and by Options, too")
	}
}

// TestNoARP: the error says what to do.
func TestNoARP(t *testing.T) { synctest.Test(t, testNoARP) }

func testNoARP(t *testing.T) {
	s := newStation(t, ethstack.Options{ARP: arp.Config{NoARP: true}}, ethstack.LinkOptions{}).withAddress()
	done := make(chan error, 1)
	go func() {
		_, err := s.QueryARPv4(t.Context(), peer)
		done <- err
	}()
	synctest.Wait()
	s.clock.Advance(0)
	if err := <-done; !errors.Is(err, arp.ErrNoARP) || !strings.Contains(err.Error(), "static neighbor") {
		t.Errorf("query: %v, want %v and what to do", err, arp.ErrNoARP)
	}
	s.hears(asked(ours))
	s.clock.Advance(time.Minute)
	wantSent(t, s, "without ARP")
	if err := s.i.AddStaticNeighbor(peer, hw2); err != nil {
		t.Fatal(err)
	}
	if hw, ok := s.i.Lookup(peer.As4()); !ok || hw != hw2 {
		t.Errorf("a static neighbor is at %v, %v", hw, ok)
	}
}

// TestAnnounceAnew: what is ours, by whoever says so, and nothing else.
func TestAnnounceAnew(t *testing.T) {
	h := new(fakeHost)
	s := newStation(t, ethstack.Options{Host: h}, ethstack.LinkOptions{}).withAddress()
	if err := s.i.Announce(ours); err != nil {
		t.Error(err)
	}
	s.clock.Advance(time.Minute)
	wantSent(t, s, "added", announceOurs, announceOurs)
	h.addrs = []netip.Addr{nobody}
	if err := s.i.Announce(nobody); err != nil {
		t.Error(err)
	}
	s.clock.Advance(time.Minute)
	wantSent(t, s, "the host's", "announce 10.0.0.9 at 02:00:00:00:00:01", "announce 10.0.0.9 at 02:00:00:00:00:01")
	if err := s.i.Announce(peer); err == nil || !strings.Contains(err.Error(), "10.0.0.2") {
		t.Errorf("announcing the peer's address: %v, want an error that names it", err)
	}
	s.clock.Advance(time.Minute)
	wantSent(t, s, "the peer's")
}
