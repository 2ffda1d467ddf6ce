package conformance

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// An arm is one of the networks that a router is on: it has address 1 there, and
// a kernel in a network namespace of its own has address 2.
type arm struct {
	router, host, absent netip.Addr
	dev                  ethstack.Device
	kernel               *lab.Kernel
}

// newArm makes network 10.2.n.0/24 of a wire, whose other end is an interface in
// a namespace.
func newArm(t *testing.T, n byte, dev ethstack.Device, ns *netns.Namespace, iface string) *arm {
	t.Helper()
	at := func(host byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 2, n, host}) }
	a := &arm{router: at(1), host: at(2), absent: at(99), dev: dev}
	var err error
	a.kernel, err = lab.NewKernelIn(ns, iface, prefixes(a.host))
	wiretest.Check(t, err)
	others := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 2, 0, 0}), 16)
	wiretest.Check(t, ns.Do(func() error { return netns.AddRoute(iface, others, a.router) }))
	return a
}

// armOnTAP makes an arm whose wire is a TAP.
func armOnTAP(t *testing.T, n byte) *arm {
	t.Helper()
	ns, err := netns.New()
	wiretest.Check(t, err)
	t.Cleanup(func() { ns.Close() })
	var dev *tap.Device
	wiretest.Check(t, ns.Do(func() (err error) {
		dev, err = tap.Open(tap.Options{Name: "arm", Up: true})
		return err
	}))
	return newArm(t, n, dev, ns, "arm")
}

// armOnVeth makes an arm whose wire is a veth pair, with a packet socket at the
// router's end.
func armOnVeth(t *testing.T, n byte) *arm {
	t.Helper()
	ns := newCable(t, "near", "far")
	dev, err := fdbased.OpenPacket("near", fdbased.Options{})
	wiretest.Check(t, err)
	return newArm(t, n, dev, ns, "far")
}

// TestRouter: a netstack that forwards between two of our endpoints carries TCP
// intact both ways, and says of a host that is not there that it is
// unreachable.
func TestRouter(t *testing.T) {
	if raceDetector {
		t.Skip("netstack reads the TTL of a packet that it forwards in memory that it has just given back " +
			"(ipv4.forwardPacketWithRoute, after DeepCopyForForwarding), and the race detector finds that")
	}
	for name, other := range map[string]func(*testing.T, byte) *arm{"TAP and TAP": armOnTAP, "TAP and packet socket": armOnVeth} {
		t.Run(name, func(t *testing.T) {
			nstest.NeedTUN(t)
			ctx := lasting(t, 2*time.Minute)
			noLeaks(t)
			a, b := armOnTAP(t, 1), other(t, 2)
			router, err := lab.NewNetstack(a.dev, lab.NetstackOptions{Name: "router", Addrs: prefixes(a.router), Companion: true})
			wiretest.Check(t, err)
			t.Cleanup(func() { within(t, "closing the router", router.Close) })
			second, err := endpoint.New(b.dev, endpoint.Options{})
			wiretest.Check(t, err)
			wiretest.Check(t, router.AddNIC(second, prefixes(b.router), nil))
			if err := router.Stack().SetForwardingDefaultAndAllNICs(ipv4.ProtocolNumber, true); err != nil {
				t.Fatal(err)
			}

			for i, x := range []*lab.Transfer{{From: a.kernel, To: b.kernel, At: b.host}, {From: b.kernel, To: a.kernel, At: a.host}} {
				x.Size, x.Seed = size[int64](64<<20, 8<<20), uint64(i)
				r, err := x.Run(ctx)
				if err != nil {
					t.Fatalf("TCP to %v: %v", x.At, err)
				}
				t.Logf("%d MiB to %v in %v, %.2f Gbit/s, intact", x.Size>>20, x.At, r.Took.Round(time.Millisecond), r.Gbits(x.Size))
			}
			var dialing sync.WaitGroup
			for from, to := range map[*lab.Kernel]netip.Addr{a.kernel: b.absent, b.kernel: a.absent} {
				dialing.Go(func() {
					start := time.Now()
					c, err := from.Dial(ctx, netip.AddrPortFrom(to, 80))
					if err == nil {
						c.Close()
					}
					// It is what the kernel makes of ICMP host unreachable.
					if !errors.Is(err, unix.EHOSTUNREACH) {
						t.Errorf("dialing %v, which is not there: %v; want %v", to, err, unix.EHOSTUNREACH)
					}
					t.Logf("dialing %v, which is not there, failed after %v", to, time.Since(start).Round(time.Millisecond))
				})
			}
			dialing.Wait()
			if n := router.Stack().Stats().ICMP.V4.PacketsSent.DstUnreachable.Value(); n < 2 {
				t.Errorf("the router has sent %d times that a destination is unreachable, want twice at least", n)
			}
			if _, err := lab.Ping(ctx, a.kernel, b.host, lab.PingSize); err != nil {
				t.Errorf("ping through the router: %v", err)
			}
		})
	}
}
