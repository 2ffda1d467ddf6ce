package conformance

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// A member is a station with an address of either kind.
type member struct {
	lab.Station
	ipv4, ipv6 netip.Addr
}

// newMember returns the addresses of host n of the three.
func newMember(n byte) member {
	return member{ipv4: netip.AddrFrom4([4]byte{10, 1, 0, n}), ipv6: netip.AddrFrom16([16]byte{0: 0xfd, 3: 1, 15: n})}
}

// TestThreeHosts: on a bridge that sends each frame to all, two netstacks and a
// kernel talk to each other in all directions, and none answers to, or for,
// another.
func TestThreeHosts(t *testing.T) {
	ctx := lasting(t, time.Minute)
	noLeaks(t)
	newBridge(t, "bridge")
	ns := newCable(t, "port", "kernel")
	wiretest.Check(t, netns.SetBridge("port", "bridge"), ns.Do(func() error { return netns.SetIPv6("kernel", true) }))
	members := []member{newMember(2), newMember(3), newMember(1)}
	for i := range members[:2] {
		m := &members[i]
		dev := newTAP(t, 0, true)
		wiretest.Check(t, netns.SetBridge(dev.Info().Name, "bridge"))
		n, err := lab.NewNetstack(dev, lab.NetstackOptions{Name: fmt.Sprintf("netstack %d", i), Addrs: prefixes(m.ipv4, m.ipv6), Companion: true})
		wiretest.Check(t, err)
		t.Cleanup(func() { within(t, "closing a netstack", n.Close) })
		m.Station = n
	}
	k, err := lab.NewKernelIn(ns, "kernel", prefixes(members[2].ipv4, members[2].ipv6))
	wiretest.Check(t, err)
	members[2].Station = k
	wiretest.Check(t, netns.FloodBridge("bridge"))

	for _, from := range members {
		for _, to := range members {
			if from.Station != to.Station {
				exchange(ctx, t, from, to)
			}
		}
	}
	for _, m := range members[:2] {
		link := m.Station.(*lab.Netstack).Endpoint().Interface().Stats()
		if link.ARPConflicts != 0 || link.Drops[ethstack.DropForeign] == 0 {
			t.Errorf("%s saw %d conflicts and dropped %d frames for others, want none and many", m.Name(), link.ARPConflicts, link.Drops[ethstack.DropForeign])
		}
		// Of what is for another, netstack would have said that no such port or
		// connection is known.
		s := m.Station.(*lab.Netstack).Stack().Stats()
		if n := s.ICMP.V4.PacketsSent.DstUnreachable.Value() + s.ICMP.V6.PacketsSent.DstUnreachable.Value() + s.TCP.ResetsSent.Value(); n != 0 {
			t.Errorf("%s has refused %d packets, which were for others", m.Name(), n)
		}
	}
}

// exchange has one station talk to another by TCP and UDP, and both kinds of IP.
func exchange(ctx context.Context, t *testing.T, from, to member) {
	t.Helper()
	for _, at := range []netip.Addr{to.ipv4, to.ipv6} {
		x := &lab.Transfer{From: from, To: to, At: at, Size: 200_000}
		if _, err := x.Run(ctx); err != nil {
			t.Errorf("TCP from %s to %s, %v: %v", from.Name(), to.Name(), at, err)
		}
		if err := lab.EchoUDP(ctx, from, to, at, []int{1, 1400, 20000}); err != nil {
			t.Errorf("UDP from %s to %s, %v: %v", from.Name(), to.Name(), at, err)
		}
	}
}
