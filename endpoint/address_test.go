package endpoint_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestAddAddress: an address that is added by way of the endpoint is announced
// and answered for at once, wherever the NIC is and in whatever mode, until it is
// removed.
func TestAddAddress(t *testing.T) {
	for _, tt := range []struct {
		name     string
		o        hostOptions
		spoofing bool
	}{
		{"bare", hostOptions{}, false},
		{"spoofing", hostOptions{}, true},
		{"sniffer", hostOptions{wrap: sniff}, false},
		{"companion", hostOptions{more: companion}, false},
		{"companion, sniffer, spoofing", hostOptions{wrap: sniff, more: companion}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := new(ethtest.ManualClock)
			s, p := newPeered(t)
			tt.o.endpoint.Clock = clock
			h := newBareHost(t, s, 2, tt.o)
			h.stack.SetSpoofing(nicID, tt.spoofing)
			for _, prefix := range []string{"10.0.0.2/24", "10.0.0.44/24", "10.5.0.1/25", "10.6.0.255/16"} {
				addr := netip.MustParsePrefix(prefix).Addr()
				if err := h.ep.AddAddress(t.Context(), h.stack, nicID, netip.MustParsePrefix(prefix), endpoint.AddressOptions{}); err != nil {
					t.Fatal(err)
				}
				clock.Advance(time.Minute)
				if n := p.announcements(addr.As4()); n != 2 {
					t.Errorf("%v: %d announcements, want 2", addr, n)
				}
				if !hasAddress(h.stack, prefix) {
					t.Errorf("the stack does not have %v: %v", prefix, h.stack.AllAddresses())
				}
				if n := p.answers(h, addr.As4()); n != 1 {
					t.Errorf("%v: %d answers, want 1", addr, n)
				}
			}
			addr := netip.MustParseAddr("10.6.0.255")
			if err := h.ep.RemoveAddress(h.stack, nicID, addr); err != nil {
				t.Fatal(err)
			}
			if slices.Contains(h.ep.Interface().IPv4s(), addr) {
				t.Error("removed: ARP still has it")
			}
			if n := p.answers(h, addr.As4()); n != 0 || hasAddress(h.stack, "10.6.0.255/16") {
				t.Errorf("removed: %d answers; the stack has %v", n, h.stack.AllAddresses())
			}
			if tt.spoofing || tt.o.wrap != nil {
				return
			}
			// Where the NIC can be asked, the stack's own way does as well.
			second := h.neighbor(44).addr4()
			if err := h.stack.RemoveAddress(nicID, second); err != nil {
				t.Fatal(err)
			}
			if n := p.answers(h, second.As4()); n != 0 {
				t.Errorf("removed from the stack: %d answers", n)
			}
		})
	}
}

func hasAddress(s *stack.Stack, prefix string) bool {
	for _, a := range s.AllAddresses()[nicID] {
		if a.AddressWithPrefix.String() == prefix {
			return true
		}
	}
	return false
}

// TestAddAddress6: an IPv6 address is netstack's alone.
func TestAddAddress6(t *testing.T) {
	s, _ := newPeered(t)
	h := newBareHost(t, s, 2, hostOptions{})
	prefix := netip.MustParsePrefix("fd00::2/64")
	o := endpoint.AddressOptions{Properties: stack.AddressProperties{PEB: stack.FirstPrimaryEndpoint}}
	if err := h.ep.AddAddress(t.Context(), h.stack, nicID, prefix, o); err != nil {
		t.Fatal(err)
	}
	if a, err := h.stack.GetMainNICAddress(nicID, ipv6.ProtocolNumber); err != nil || a.String() != "fd00::2/64" {
		t.Errorf("the main address is %v (%v), want the one added as first", a, err)
	}
	if n := len(h.ep.Interface().IPv4s()); n != 0 {
		t.Errorf("ARP knows of %d addresses", n)
	}
	if err := h.ep.RemoveAddress(h.stack, nicID, prefix.Addr()); err != nil {
		t.Error(err)
	}
}

// TestAddAddressErrors: what cannot be added is named, and nothing is left of it.
func TestAddAddressErrors(t *testing.T) {
	s, _ := newPeered(t)
	h := newHost(t, s, 2, hostOptions{more: companion})
	plain := newHost(t, s, 3, hostOptions{})
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	prefix := netip.MustParsePrefix("10.0.0.44/24")
	for _, tt := range []struct {
		ctx    context.Context
		h      *host
		s      *stack.Stack
		nic    tcpip.NICID
		prefix netip.Prefix
		want   string
	}{
		{t.Context(), h, h.stack, nicID, netip.Prefix{}, "want an IPv4 or IPv6 address"},
		{t.Context(), h, h.stack, nicID, netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.44"), 120), "want an IPv4 or IPv6 address"},
		{t.Context(), h, nil, nicID, prefix, "no stack"},
		{t.Context(), h, plain.stack, nicID, prefix, "another stack's"},
		{t.Context(), h, h.stack, 7, prefix, "NIC 1, not 7"},
		{t.Context(), plain, plain.stack, 7, prefix, "NIC 1, not 7"},
		{ended, h, h.stack, nicID, prefix, "context canceled"},
		{t.Context(), h, h.stack, nicID, netip.MustParsePrefix("10.0.0.2/24"), "10.0.0.2/24 to NIC 1: duplicate address"},
		{t.Context(), h, h.stack, nicID, netip.MustParsePrefix("127.0.0.1/8"), "127.0.0.1"},
	} {
		err := tt.h.ep.AddAddress(tt.ctx, tt.s, tt.nic, tt.prefix, endpoint.AddressOptions{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("AddAddress(%v to %d): %v, want an error that says %q", tt.prefix, tt.nic, err, tt.want)
		}
		if n := len(tt.h.stack.AllAddresses()[nicID]); n != 3 {
			t.Errorf("%v: %d addresses, want those from before: two and netstack's broadcast", tt.prefix, n)
		}
	}
	if err := h.ep.RemoveAddress(h.stack, nicID, prefix.Addr()); err == nil || !strings.Contains(err.Error(), "10.0.0.44 from NIC 1") {
		t.Errorf("RemoveAddress of what is not there: %v", err)
	}
	if err := h.ep.RemoveAddress(h.stack, nicID, netip.Addr{}); err == nil {
		t.Error("RemoveAddress of no address: no error")
	}
	if a, err := h.stack.GetMainNICAddress(nicID, ipv4.ProtocolNumber); err != nil || a.Address != h.addr4() {
		t.Errorf("the main address is %v (%v)", a, err)
	}
}
