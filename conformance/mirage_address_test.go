package conformance

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/google/go-cmp/cmp"
)

// TestMirageAddIPv4: the new address is answered for and announced, as RFC 5227
// §3 says; one that was there before is left alone. The old code announced all
// addresses each time, by replies whose target was 0.0.0.0.
func TestMirageAddIPv4(t *testing.T) {
	l := newLAN(t)
	h := l.host()
	for _, c := range []struct {
		addr string
		want []string
	}{
		{"10.0.0.1", []string{"0s 1>all announce 10.0.0.1 is at 1", "2s 1>all announce 10.0.0.1 is at 1"}},
		{"10.0.0.2", []string{"10s 1>all announce 10.0.0.2 is at 1", "12s 1>all announce 10.0.0.2 is at 1"}},
		{"10.0.0.1", nil},
		{"::ffff:10.0.0.2", nil},
	} {
		if err := h.AddIPv4(netip.MustParseAddr(c.addr)); err != nil {
			t.Errorf("AddIPv4(%s): %v", c.addr, err)
		}
		l.clock.Advance(10 * time.Second)
		if diff := cmp.Diff(c.want, l.arp); diff != "" {
			t.Errorf("AddIPv4(%s) sent (-want +got):\n%s", c.addr, diff)
		}
		l.arp = nil
	}
	if diff := cmp.Diff([]string{"10.0.0.1", "10.0.0.2"}, addresses(h)); diff != "" {
		t.Errorf("IPv4s (-want +got):\n%s", diff)
	}
	for _, bad := range []netip.Addr{
		{}, netip.IPv4Unspecified(), netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("224.0.0.251"),
		netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("0.1.2.3"), netip.MustParseAddr("fe80::1"),
	} {
		if err := h.AddIPv4(bad); err == nil || !strings.Contains(err.Error(), bad.String()) {
			t.Errorf("AddIPv4(%v): %v; want an error that names it", bad, err)
		}
	}
}

// TestMirageAddIPv4KeepsTheCache: an address that is added, the first as well,
// changes nothing about what is known and who waits. The old code began anew,
// and left those who waited waiting for ever.
func TestMirageAddIPv4KeepsTheCache(t *testing.T) {
	l := newLAN(t)
	peer := l.hostAt("10.0.0.9")
	h := l.host()
	static := netip.MustParseAddr("10.0.0.7")
	if err := h.Interface().AddStaticNeighbor(static, ethstack.HardwareAddr{2, 7}); err != nil {
		t.Fatal(err)
	}
	// Without an address no request can be sent.
	waiting := l.ask(t.Context(), h, "10.0.0.9")
	l.clock.Advance(500 * time.Millisecond)
	if len(l.arp) != 0 {
		t.Errorf("sent without an address: %q", l.arp)
	}
	for _, addr := range []string{"10.0.0.1", "10.0.0.2"} {
		if err := h.AddIPv4(netip.MustParseAddr(addr)); err != nil {
			t.Fatal(err)
		}
	}
	l.clock.Advance(time.Second)
	if got := l.answered(waiting); got.err != nil || got.hw.String() != peer.hw.String() {
		t.Errorf("who waited got %v, %v; want %v", got.hw, got.err, peer.hw)
	}
	if err := h.AddIPv4(netip.MustParseAddr("10.0.0.3")); err != nil {
		t.Fatal(err)
	}
	l.clock.Advance(time.Second)
	l.arp = nil
	for addr, want := range map[string]string{"10.0.0.7": "02:07:00:00:00:00", "10.0.0.9": peer.hw.String()} {
		if hw, err := h.QueryARPv4(t.Context(), netip.MustParseAddr(addr)); err != nil || hw.String() != want {
			t.Errorf("%s is at %v, %v; want %s", addr, hw, err, want)
		}
	}
	if len(l.arp) != 0 {
		t.Errorf("what is known was asked for again: %q", l.arp)
	}
}

// TestMirageRemoveIPv4: the address is no longer answered for, used, or
// announced, and can be another host's. Removing what is not ours is an error.
func TestMirageRemoveIPv4(t *testing.T) {
	l := newLAN(t)
	h, peer := l.host(), l.hostAt("10.0.0.9")
	one, two := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for _, addr := range []netip.Addr{one, two} {
		if err := h.AddIPv4(addr); err != nil {
			t.Fatal(err)
		}
	}
	// Not even the announcements go out that are due already.
	if err := h.RemoveIPv4(one); err != nil {
		t.Errorf("RemoveIPv4: %v", err)
	}
	l.clock.Advance(time.Minute)
	want := []string{"1m0s 1>all announce 10.0.0.2 is at 1", "1m2s 1>all announce 10.0.0.2 is at 1"}
	if diff := cmp.Diff(want, l.arp); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"10.0.0.2"}, addresses(h)); diff != "" {
		t.Errorf("IPv4s (-want +got):\n%s", diff)
	}
	gone := l.ask(t.Context(), peer, "10.0.0.1")
	l.clock.Advance(time.Minute)
	if got := l.answered(gone); got.err == nil {
		t.Errorf("10.0.0.1 is still answered for, at %v", got.hw)
	}
	if err := h.RemoveIPv4(one); err == nil || !strings.Contains(err.Error(), "10.0.0.1: it was not added") {
		t.Errorf("RemoveIPv4 again: %v; want an error that names the address", err)
	}
	// Now it is the other host's, and asked for from the address that is left.
	if err := peer.AddIPv4(one); err != nil {
		t.Fatal(err)
	}
	l.clock.Advance(time.Minute)
	l.arp = nil
	asked := l.ask(t.Context(), h, "10.0.0.1")
	l.clock.Advance(time.Second)
	if got := l.answered(asked); got.err != nil || got.hw.String() != peer.hw.String() {
		t.Errorf("10.0.0.1 is at %v, %v; want %v", got.hw, got.err, peer.hw)
	}
	if want := " 1>all who has 10.0.0.1? tell 10.0.0.2"; len(l.arp) == 0 || !strings.HasSuffix(l.arp[0], want) {
		t.Errorf("sent %q, want first a request from the address that is left", l.arp)
	}
}

func addresses(h *lanHost) (list []string) {
	for _, a := range h.IPv4s() {
		list = append(list, a.String())
	}
	slices.Sort(list)
	return list
}
