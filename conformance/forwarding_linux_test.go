package conformance

import (
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// Addresses of the two networks of a router: the router's own, and a kernel's.
var (
	nearRouter4, nearHost4 = netip.MustParseAddr("10.3.1.1"), netip.MustParseAddr("10.3.1.2")
	farRouter4, farHost4   = netip.MustParseAddr("10.3.2.1"), netip.MustParseAddr("10.3.2.2")
	nearRouter6, nearHost6 = netip.MustParseAddr("fd00:3:1::1"), netip.MustParseAddr("fd00:3:1::2")
	farRouter6, farHost6   = netip.MustParseAddr("fd00:3:2::1"), netip.MustParseAddr("fd00:3:2::2")
	allOf4, allOf6         = netip.MustParsePrefix("10.3.0.0/16"), netip.MustParsePrefix("fd00:3::/32")
)

// TestForwardedIntact: what a netstack forwards between a TAP with offload and
// an interface without it is intact. From the TAP come super-frames and packets
// whose checksums are not complete; on the other side each frame has to be right.
func TestForwardedIntact(t *testing.T) {
	for _, n := range nears {
		if n.vlan != (ethstack.VLAN{}) || n.foreign {
			continue // not another way for what is forwarded
		}
		t.Run(n.name, func(t *testing.T) {
			nstest.NeedTUN(t)
			noLeaks(t)
			ctx := lasting(t, 2*time.Minute)
			host, dev := hostOnTAP(t)
			router := n.netstack(t, "router", dev, nearRouter4, nearRouter6)
			c := newCopper(t)
			second, err := endpoint.New(n.open(c), endpoint.Options{Queue: n.queue})
			wiretest.Check(t, err)
			wiretest.Check(t, router.AddNIC(second, prefixes(farRouter4, farRouter6), nil))
			for _, p := range []tcpip.NetworkProtocolNumber{ipv4.ProtocolNumber, ipv6.ProtocolNumber} {
				if err := router.Stack().SetForwardingDefaultAndAllNICs(p, true); err != nil {
					t.Fatal(err)
				}
			}
			other := c.kernel(farHost4, farHost6)
			wiretest.Check(t, c.ns.Do(func() error { return addRoutes(c.far, farRouter4, farRouter6) }))

			wire := startCapture(t, c.ns, c.far)
			kinds := []string{"IPv6 TCP", "IPv6 UDP", "IPv6 ICMP"}
			addrs := [][2]netip.Addr{{nearHost6, farHost6}}
			if !raceDetector { // see TestRouter
				kinds = append(kinds, "IPv4 TCP", "IPv4 UDP", "IPv4 ICMP")
				addrs = append(addrs, [2]netip.Addr{nearHost4, farHost4})
			}
			for i, a := range addrs {
				for j, x := range []*lab.Transfer{{From: host, To: other, At: a[1]}, {From: other, To: host, At: a[0]}} {
					x.Size, x.Seed = size[int64](4<<20, 1<<20), uint64(2*i+j)
					before := router.Endpoint().Interface().Stats()
					if _, err := x.Run(ctx); err != nil {
						t.Errorf("TCP to %v: %v", x.At, err)
					}
					now := router.Endpoint().Interface().Stats()
					if average := (now.RxBytes - before.RxBytes) / (now.RxFrames - before.RxFrames); x.From == lab.Station(host) && average <= 1514 {
						t.Errorf("the frames from the TAP have %d bytes on average: there were no super-frames", average)
					}
					if err := sendDatagrams(ctx, x.From, x.To, x.At, size(1000, 300)); err != nil {
						t.Errorf("UDP to %v: %v", x.At, err)
					}
				}
				if _, err := lab.Ping(ctx, host, a[1], 1000); err != nil {
					t.Errorf("ping of %v: %v", a[1], err)
				}
			}
			wire.verify(t, kinds...)
		})
	}
}

// hostOnTAP makes a kernel of its own namespace the host behind a TAP with
// offload.
func hostOnTAP(t testing.TB) (*lab.Kernel, ethstack.Device) {
	t.Helper()
	ns, err := netns.New()
	wiretest.Check(t, err)
	t.Cleanup(func() { ns.Close() })
	var dev *tap.Device
	wiretest.Check(t, ns.Do(func() (err error) {
		dev, err = tap.Open(tap.Options{Name: "host", Up: true})
		return err
	}))
	host, err := lab.NewKernelIn(ns, "host", prefixes(nearHost4, nearHost6))
	wiretest.Check(t, err, ns.Do(func() error { return addRoutes("host", nearRouter4, nearRouter6) }))
	return host, dev
}

// addRoutes makes a router the way to both networks.
func addRoutes(iface string, router4, router6 netip.Addr) error {
	if err := netns.AddRoute(iface, allOf4, router4); err != nil {
		return err
	}
	return netns.AddRoute(iface, allOf6, router6)
}
