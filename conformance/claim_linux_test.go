package conformance

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

var (
	kernelAddr = netip.MustParseAddr("10.9.0.1")
	stackAddr  = netip.MustParseAddr("10.9.0.2")
	thirdAddr  = netip.MustParseAddr("10.9.0.3")
	all        = ethstack.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	// thief is a third host on the link, played by a packet socket.
	thief = ethstack.HardwareAddr{2, 0, 0, 0, 0, 0x66}
)

// A claimLink is one of our stacks and the Linux kernel on a TAP, and a packet
// socket on the kernel's side of it.
type claimLink struct {
	*ethstack.Stack
	t      *testing.T
	name   string
	hw     ethstack.HardwareAddr // the kernel's
	socket wiretest.PacketSocket

	mu     sync.Mutex
	events []arp.Event
}

func newClaimLink(t *testing.T) *claimLink {
	t.Helper()
	nstest.NeedTUN(t)
	nstest.CheckLeaks(t)
	wiretest.Check(t, netns.SetIPv6("default", false))
	dev, err := tap.Open(tap.Options{Name: "kernel%d", Up: true})
	wiretest.Check(t, err)
	k := &claimLink{t: t, name: dev.Info().Name}
	info, err := netns.Link(k.name)
	wiretest.Check(t, err, netns.AddAddr(k.name, netip.PrefixFrom(kernelAddr, 24)))
	k.hw = info.HardwareAddr
	k.socket = wiretest.Listen(t, k.name, false)
	k.Stack, err = ethstack.Connect(dev, ethstack.Options{
		HardwareAddr: ethstack.HardwareAddr{2, 0, 0, 0, 0, 2},
		ARP:          arp.Config{LockTime: time.Millisecond, Claim: arp.FastClaim},
		OnEvent:      k.event,
	})
	wiretest.Check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = k.Listen(context.Background(), ethstack.Handlers{}) // ends with Disconnect
	}()
	t.Cleanup(func() {
		k.Disconnect()
		<-done
	})
	return k
}

func (k *claimLink) event(e arp.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = append(k.events, e)
}

// count is how many events there were of a kind for an address.
func (k *claimLink) count(kind arp.EventKind, a netip.Addr) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.events {
		if e.Kind == kind && e.Addr == a {
			n++
		}
	}
	return n
}

// says sends an ARP packet from the thief's place.
func (k *claimLink) says(p arp.Packet, to ethstack.HardwareAddr) {
	k.t.Helper()
	var packet [arp.PacketLen]byte
	p.Put(&packet)
	k.socket.Send(k.t, nil, append(frameTo(to, p.SenderHardwareAddr, ethstack.EtherTypeARP), packet[:]...))
}

// hears returns the next ARP packet of the stack's that is wanted.
func (k *claimLink) hears(what string, want func(arp.Packet) bool) arp.Packet {
	k.t.Helper()
	for range 1000 {
		_, b := k.socket.Receive(k.t)
		if p, _, ok := arpIn(b); ok && want(p) {
			return p
		}
	}
	k.t.Fatalf("a thousand frames, and not %s", what)
	panic("unreachable")
}

// TestClaimAgainstKernel: R41, an address that the kernel has is found in use,
// by the kernel's answer to a probe; one that nobody has is claimed.
func TestClaimAgainstKernel(t *testing.T) {
	k := newClaimLink(t)
	err := k.Interface().Claim(t.Context(), kernelAddr, arp.ClaimOptions{})
	var conflict *ethstack.ConflictError
	if !errors.As(err, &conflict) || conflict.HardwareAddr != k.hw {
		t.Fatalf("claim of the kernel's address: %v, want a conflict with %v", err, k.hw)
	}
	// The kernel believes something else of the address that we are about to have.
	wiretest.Check(t, netns.SetNeighbor(k.name, netns.Neighbor{Addr: stackAddr, HardwareAddr: thief, State: netns.NeighborStale}))
	if err := k.Interface().Claim(t.Context(), stackAddr, arp.ClaimOptions{}); err != nil {
		t.Fatal(err)
	}
	// R43: it takes our announcement.
	wiretest.WaitFor(t, "the kernel's table has our address", func() bool {
		n, err := netns.NeighborOf(k.name, stackAddr)
		return err == nil && n.HardwareAddr == k.Interface().HardwareAddr()
	})
	// arping -D, that is a probe, finds us.
	k.says(arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: thief, SenderAddr: netip.IPv4Unspecified(), TargetAddr: stackAddr}, all)
	k.hears("an answer to a probe", func(p arp.Packet) bool {
		return p.Operation == arp.OperationReply && p.SenderAddr == stackAddr && p.TargetHardwareAddr == thief
	})
}

// TestDefendedAgainstKernelsLink: R44, who uses our address on the kernel's link,
// a hundred times, gets one announcement, which the kernel takes.
func TestDefendedAgainstKernelsLink(t *testing.T) {
	k := newClaimLink(t)
	if err := k.Interface().Claim(t.Context(), stackAddr, arp.ClaimOptions{}); err != nil {
		t.Fatal(err)
	}
	ours := func(p arp.Packet) bool { return p.IsAnnouncement() && p.SenderAddr == stackAddr }
	k.hears("the first announcement", ours)
	k.hears("the second announcement", ours)
	forged := arp.Packet{Operation: arp.OperationReply, SenderHardwareAddr: thief, SenderAddr: stackAddr, TargetAddr: stackAddr}
	for range 100 {
		k.says(forged, all)
	}
	k.hears("a defense", ours)
	wiretest.WaitFor(t, "all conflicts are reported", func() bool { return k.count(arp.EventConflict, stackAddr) == 100 })
	// What comes next is no further defense.
	k.says(arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: thief, SenderAddr: thirdAddr, TargetAddr: stackAddr}, all)
	next := k.hears("an answer", func(p arp.Packet) bool { return ours(p) || p.Operation == arp.OperationReply })
	if next.IsAnnouncement() {
		t.Error("it is defended twice")
	}
	if _, known := k.Interface().Neighbor(stackAddr); known {
		t.Error("our own address is a neighbor")
	}
}

// TestForgedAgainstKernel: R55, who says in each form that the kernel's address is
// his is not believed, since the kernel answers.
func TestForgedAgainstKernel(t *testing.T) {
	k := newClaimLink(t)
	wiretest.Check(t, k.AddIPv4(stackAddr))
	if _, err := k.QueryARPv4(t.Context(), kernelAddr); err != nil {
		t.Fatal(err)
	}
	rejected := 0
	for _, op := range []arp.Operation{arp.OperationRequest, arp.OperationReply} {
		for _, target := range []netip.Addr{stackAddr, kernelAddr, thirdAddr} {
			for _, to := range []ethstack.HardwareAddr{all, k.Interface().HardwareAddr()} {
				rejected++
				p := arp.Packet{Operation: op, SenderHardwareAddr: thief, SenderAddr: kernelAddr, TargetAddr: target}
				// Within LockTime of the one before it is not looked at.
				wiretest.WaitFor(t, "it is rejected", func() bool {
					k.says(p, to)
					return k.count(arp.EventRejected, kernelAddr) >= rejected
				})
				if hw, ok := k.Interface().Lookup(kernelAddr.As4()); !ok || hw != k.hw {
					t.Errorf("%v for %v, to %v: the kernel is held to be at %v", op, target, to, hw)
				}
				rejected = k.count(arp.EventRejected, kernelAddr)
			}
		}
	}
	if n := k.count(arp.EventMoved, kernelAddr); n != 0 {
		t.Errorf("the kernel moved %d times", n)
	}
}

// TestFailoverOnKernelsLink: R5, a neighbor that is gone is followed by either
// form of announcement, arping -U and -A.
func TestFailoverOnKernelsLink(t *testing.T) {
	k := newClaimLink(t)
	wiretest.Check(t, k.AddIPv4(stackAddr))
	hw := thief
	k.says(arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: hw, SenderAddr: thirdAddr, TargetAddr: stackAddr}, all)
	at := func(want ethstack.HardwareAddr) func() bool {
		return func() bool {
			hw, ok := k.Interface().Lookup(thirdAddr.As4())
			return ok && hw == want
		}
	}
	wiretest.WaitFor(t, "it is learned", at(hw))
	for _, op := range []arp.Operation{arp.OperationRequest, arp.OperationReply} {
		hw[5]++
		wiretest.WaitFor(t, "it has moved", func() bool {
			k.says(arp.Packet{Operation: op, SenderHardwareAddr: hw, SenderAddr: thirdAddr, TargetAddr: thirdAddr}, all)
			return at(hw)()
		})
	}
}
