package conformance

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestKernelRouter: netstacks in two networks talk to each other over a kernel
// that forwards. What is for the other network goes to the router's hardware
// address, and neither asks for the other's.
func TestKernelRouter(t *testing.T) {
	ctx := lasting(t, time.Minute)
	noLeaks(t)
	router := newRouterKernel(t)
	a := attach(t, router, "one", []netip.Addr{nearHost4, nearHost6}, []netip.Addr{nearRouter4, nearRouter6})
	b := attach(t, router, "two", []netip.Addr{farHost4, farHost6}, []netip.Addr{farRouter4, farRouter6})
	for _, x := range []struct {
		from, to   *lab.Netstack
		ipv4, ipv6 netip.Addr
	}{{a, b, farHost4, farHost6}, {b, a, nearHost4, nearHost6}} {
		exchange(ctx, t, member{Station: x.from}, member{x.to, x.ipv4, x.ipv6})
		list, err := x.from.Neighbors()
		wiretest.Check(t, err)
		for _, n := range list {
			if n.Addr == x.ipv4 || n.Addr == x.ipv6 {
				t.Errorf("%s has %v, which is in another network, for a neighbor: %+v", x.from.Name(), n.Addr, n)
			}
		}
	}
}

// TestKernelRedirect: a router that tells us of a better way is heard, and the
// packets keep going by way of it, and arrive: netstack follows no redirect.
//
// Deviation: RFC 1122 §3.2.2.2 wants a host to follow it. Netstack counts it, and
// keeps to its table of routes.
func TestKernelRedirect(t *testing.T) {
	ctx := lasting(t, time.Minute)
	noLeaks(t)
	newBridge(t, "bridge")
	router, other := newCable(t, "port1", "router"), newCable(t, "port2", "other")
	dev := newTAP(t, 0, true)
	wiretest.Check(t, netns.SetBridge("port1", "bridge"), netns.SetBridge("port2", "bridge"), netns.SetBridge(dev.Info().Name, "bridge"))
	// The other host has an address in a network beyond.
	beyond := netip.MustParseAddr("10.4.0.9")
	otherAddr := netip.AddrFrom4(bob.ipv4.As4())
	_, err := lab.NewKernelIn(other, "other", append(prefixes(otherAddr), netip.PrefixFrom(beyond, 32)))
	wiretest.Check(t, err)
	k, err := lab.NewKernelIn(router, "router", prefixes(kernelIPv4))
	wiretest.Check(t, err, router.Do(func() error {
		return netns.AddRoute("router", netip.MustParsePrefix("10.4.0.0/16"), otherAddr)
	}), router.Do(func() error { return netns.SetSysctl("ipv4/ip_forward", "1") }))
	ours, err := lab.NewNetstack(dev, lab.NetstackOptions{Name: "netstack", Addrs: prefixes(oursIPv4), Gateways: []netip.Addr{kernelIPv4}, Companion: true})
	wiretest.Check(t, err)
	t.Cleanup(ours.Close)

	p := listenOn(t, dev.Info().Name)
	if _, err := lab.Ping(ctx, ours, beyond, lab.PingSize); err != nil {
		t.Fatal(err)
	}
	heard := ours.Stack().Stats().ICMP.V4.PacketsReceived.Redirect
	wiretest.WaitFor(t, "the router tells of a better way", func() bool { return heard.Value() > 0 })
	if _, err := lab.Ping(ctx, ours, beyond, lab.PingSize); err != nil {
		t.Error(err)
	}
	pings := 0
	for pings < 2*lab.PingCount {
		f := p.next().frame
		h, ok := f.ipv4()
		if !ok || h.TransportProtocol() != header.ICMPv4ProtocolNumber || !bytes.Equal(h.DestinationAddressSlice(), beyond.AsSlice()) {
			continue
		}
		pings++
		if f.to() != hw(k.HardwareAddr()) {
			t.Errorf("ping %d goes to %v, want the router, %v", pings, f.to(), k.HardwareAddr())
		}
	}
}
