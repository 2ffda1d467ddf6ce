package endpoint_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/google/go-cmp/cmp"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// check asks whether an address is in use and returns how netstack took that,
// and where the answer comes.
func (h *host) check(addr tcpip.Address) (stack.DADCheckAddressDisposition, <-chan stack.DADResult) {
	h.t.Helper()
	answer := make(chan stack.DADResult, 1)
	how, err := h.stack.CheckDuplicateAddress(nicID, ipv4.ProtocolNumber, addr, func(r stack.DADResult) { answer <- r })
	if err != nil {
		h.t.Fatal(err)
	}
	return how, answer
}

func (h *host) answer(from <-chan stack.DADResult, want stack.DADResult) {
	h.t.Helper()
	select {
	case got := <-from:
		if diff := cmp.Diff(want, got); diff != "" {
			h.t.Errorf("result (-want +got):\n%s", diff)
		}
	case <-time.After(patience):
		h.t.Fatalf("no result in %v, want %T", patience, want)
	}
}

// dadHosts makes a host with the companion, and another, whose address is taken.
func dadHosts(t *testing.T) (h, other *host) {
	t.Helper()
	s := newSegment(t, ethtest.SegmentOptions{})
	h = newHost(t, s, 2, hostOptions{more: companion, endpoint: endpoint.Options{ARP: arp.Config{Claim: arp.FastClaim}}})
	return h, newHost(t, s, 3, hostOptions{})
}

// TestCheckDuplicateAddress: R39, R41, RFC 5227 §2.1.1, in netstack's words.
func TestCheckDuplicateAddress(t *testing.T) {
	h, other := dadHosts(t)
	free := h.neighbor(99).addr4()
	how, first := h.check(free)
	again, second := h.check(free)
	if how != stack.DADStarting || again != stack.DADAlreadyRunning {
		t.Errorf("two checks at once: %v and %v, want %v and %v", how, again, stack.DADStarting, stack.DADAlreadyRunning)
	}
	h.answer(first, &stack.DADSucceeded{})
	h.answer(second, &stack.DADSucceeded{})

	_, taken := h.check(other.addr4())
	h.answer(taken, &stack.DADDupAddrDetected{HolderLinkAddress: other.ep.LinkAddress()})
	_, impossible := h.check(tcpip.AddrFrom4([4]byte{224, 0, 0, 1}))
	h.answer(impossible, &stack.DADError{Err: &tcpip.ErrInvalidEndpointState{}})
}

// TestDADConfigurations: netstack's numbers are kept to, and none means no check.
func TestDADConfigurations(t *testing.T) {
	h, other := dadHosts(t)
	set := func(probes uint8) {
		t.Helper()
		ep, err := h.stack.GetNetworkEndpoint(nicID, header.ARPProtocolNumber)
		if err != nil {
			t.Fatal(err)
		}
		ep.(stack.DuplicateAddressDetector).SetDADConfigurations(stack.DADConfigurations{
			DupAddrDetectTransmits: probes, RetransmitTimer: 20 * time.Millisecond,
		})
	}
	set(0)
	if how, _ := h.check(other.addr4()); how != stack.DADDisabled {
		t.Errorf("with no probes: %v, want %v", how, stack.DADDisabled)
	}
	for _, probes := range []uint8{1, 4} {
		set(probes)
		before := h.ep.Interface().Stats().ARPRequests
		_, answer := h.check(h.neighbor(99).addr4())
		h.answer(answer, &stack.DADSucceeded{})
		if n := h.ep.Interface().Stats().ARPRequests - before; n != uint64(probes) {
			t.Errorf("%d probes were sent, want %d", n, probes)
		}
	}
}

// TestCheckIsAborted: when the NIC goes, and its goroutine with it.
func TestCheckIsAborted(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	h := newHost(t, s, 2, hostOptions{more: companion}) // with the RFC's times
	_, answer := h.check(h.neighbor(99).addr4())
	h.stack.RemoveNIC(nicID)
	h.answer(answer, &stack.DADAborted{})
}

// TestAddAddressClaims: R39, an address is asked for before it is used.
func TestAddAddressClaims(t *testing.T) {
	h, other := dadHosts(t)
	o := endpoint.AddressOptions{Claim: true}
	taken := netip.PrefixFrom(other.ip4(), 24)
	err := h.ep.AddAddress(t.Context(), h.stack, nicID, taken, o)
	var conflict *ethstack.ConflictError
	if !errors.As(err, &conflict) || conflict.HardwareAddr != other.ep.Interface().HardwareAddr() || hasAddress(h.stack, taken.String()) {
		t.Errorf("AddAddress of another host's: %v; want a ConflictError with %v, and that it was not added", err, other.ep.LinkAddress())
	}
	free := netip.MustParsePrefix("10.0.0.77/24")
	if err := h.ep.AddAddress(t.Context(), h.stack, nicID, free, o); err != nil || !hasAddress(h.stack, free.String()) {
		t.Errorf("AddAddress of one that is free: %v; want it added", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	slow := endpoint.AddressOptions{Claim: true, Timing: arp.ClaimTiming{ProbeWait: time.Hour, ProbeMin: time.Hour, ProbeMax: time.Hour}}
	late := netip.MustParsePrefix("10.0.0.78/24")
	if err := h.ep.AddAddress(ctx, h.stack, nicID, late, slow); !errors.Is(err, context.DeadlineExceeded) || hasAddress(h.stack, late.String()) {
		t.Errorf("AddAddress that was given too little time: %v; want %v, and that it was not added", err, context.DeadlineExceeded)
	}
}
