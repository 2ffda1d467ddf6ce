package conformance

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// newNamespace makes a network namespace for the time of a test. Its kernel uses
// the addresses that it makes for itself without asking for duplicates first,
// which takes a second.
func newNamespace(t testing.TB) *netns.Namespace {
	t.Helper()
	nstest.Need(t)
	ns, err := netns.New()
	wiretest.Check(t, err)
	t.Cleanup(func() { ns.Close() })
	wiretest.Check(t, ns.Do(func() error { return netns.SetSysctl("ipv6/conf/default/accept_dad", "0") }))
	return ns
}

// newRouterKernel makes a namespace whose kernel forwards.
func newRouterKernel(t testing.TB) *netns.Namespace {
	t.Helper()
	ns := newNamespace(t)
	wiretest.Check(t, ns.Do(func() error {
		return errors.Join(netns.SetSysctl("ipv4/ip_forward", "1"), netns.SetSysctl("ipv6/conf/all/forwarding", "1"))
	}))
	return ns
}

// attach puts a netstack on a TAP of a router's, which has addresses there.
func attach(t testing.TB, router *netns.Namespace, iface string, host, gateways []netip.Addr) *lab.Netstack {
	t.Helper()
	nstest.NeedTUN(t)
	var dev *tap.Device
	wiretest.Check(t, router.Do(func() (err error) {
		dev, err = tap.Open(tap.Options{Name: iface, Up: true})
		return err
	}))
	n, err := lab.NewNetstack(dev, lab.NetstackOptions{Name: iface, Addrs: prefixes(host...), Gateways: gateways, Companion: true})
	wiretest.Check(t, err)
	t.Cleanup(func() { within(t, "closing a netstack", n.Close) })
	_, err = lab.NewKernelIn(router, iface, prefixes(gateways...))
	wiretest.Check(t, err)
	return n
}

// A narrowRoute leads from a netstack over a kernel that forwards to another
// kernel. To the router the second network has an MTU of narrow, while both hosts
// have 1500.
type narrowRoute struct {
	ours  *lab.Netstack
	far   *lab.Kernel
	farNS *netns.Namespace
}

const narrow = 1300

func newNarrowRoute(t *testing.T) *narrowRoute {
	t.Helper()
	noLeaks(t)
	router := newRouterKernel(t)
	r := &narrowRoute{farNS: newNamespace(t)}
	r.ours = attach(t, router, "near", []netip.Addr{nearHost4, nearHost6}, []netip.Addr{nearRouter4, nearRouter6})
	wiretest.Check(t, router.Do(func() error {
		return errors.Join(netns.AddVeth("beyond", "far"), netns.MoveLink("far", r.farNS), netns.SetUp("beyond"), netns.SetMTU("beyond", narrow))
	}), r.farNS.Do(func() error { return netns.SetUp("far") }))
	_, err := lab.NewKernelIn(router, "beyond", prefixes(farRouter4, farRouter6))
	wiretest.Check(t, err)
	r.far, err = lab.NewKernelIn(r.farNS, "far", prefixes(farHost4, farHost6))
	wiretest.Check(t, err, r.farNS.Do(func() error { return addRoutes("far", farRouter4, farRouter6) }))
	return r
}

// tooBig is how often the netstack was told that a packet was too big.
func (r *narrowRoute) tooBig(v6 bool) uint64 {
	s := r.ours.Stack().Stats().ICMP
	if v6 {
		return s.V6.PacketsReceived.PacketTooBig.Value()
	}
	return s.V4.PacketsReceived.DstUnreachable.Value()
}

// TestPathMTU: a router tells the netstack that what it sends is too big for the
// next network, and TCP then sends less.
//
// RFC 1191 §3, RFC 8201 §3: a host must reduce the size of its packets then.
func TestPathMTU(t *testing.T) {
	ctx := lasting(t, time.Minute)
	r := newNarrowRoute(t)
	for _, at := range []netip.Addr{farHost4, farHost6} {
		// A connection that had to ask for its neighbors first does not know
		// what to wait for an acknowledgement, and waits for seconds.
		wiretest.WaitFor(t, "a ping is answered", func() bool {
			_, err := lab.Ping(ctx, r.ours, at, lab.PingSize)
			return err == nil
		})
		x := &lab.Transfer{From: r.ours, To: r.far, At: at, Size: size[int64](8<<20, 1<<20)}
		got, err := x.Run(ctx)
		if err != nil {
			t.Fatalf("TCP to %v: %v", at, err)
		}
		if r.tooBig(at.Is6()) == 0 {
			t.Errorf("TCP to %v: the router did not say that the packets were too big", at)
		}
		t.Logf("%d MiB to %v in %v, with %d packets too big", x.Size>>20, at, got.Took.Round(time.Millisecond), r.tooBig(at.Is6()))
	}
}

// TestPathMTUDatagrams: what a router may fragment arrives; what it may not is
// reported to the netstack, and what fits arrives.
func TestPathMTUDatagrams(t *testing.T) {
	const most = 1500 - header.IPv6MinimumSize - header.UDPMinimumSize
	ctx := lasting(t, time.Minute)
	r := newNarrowRoute(t)
	for _, tt := range []struct {
		name  string
		at    netip.Addr
		whole bool
	}{{"IPv4", farHost4, false}, {"IPv4 with DF", farHost4, true}, {"IPv6", farHost6, false}} {
		server, err := r.far.ListenUDP(netip.AddrPortFrom(tt.at, 0))
		wiretest.Check(t, err)
		defer server.Close()
		to := netip.AddrPortFrom(tt.at, server.LocalAddr().(*net.UDPAddr).AddrPort().Port())
		c, err := fragmenting{r.ours, tt.whole}.DialUDP(to)
		wiretest.Check(t, err)
		defer c.Close()
		told := r.tooBig(tt.at.Is6())
		big, small := numbered(1, most), numbered(2, narrow-header.IPv6MinimumSize-header.UDPMinimumSize)
		for _, b := range [][]byte{big, small} {
			_, err := c.Write(b)
			wiretest.Check(t, err)
		}
		want := [][]byte{small}
		if tt.at.Is4() && !tt.whole {
			want = [][]byte{big, small}
		} else {
			wiretest.WaitFor(t, tt.name+": the router says that it was too big", func() bool { return r.tooBig(tt.at.Is6()) > told })
		}
		for _, b := range want {
			wantDatagrams(t, server, tt.name, b)
		}
	}
	wiretest.Check(t, ctx.Err())
}

// TestPathMTUTold: a netstack that forwards into a narrow network tells a kernel
// so, whose TCP then sends less.
//
// Netstack's packet too big of ICMPv6 says an MTU of 0, which no host believes
// (RFC 8201 §4): so of IPv6 it is only seen that the message is sent.
func TestPathMTUTold(t *testing.T) {
	ctx := lasting(t, time.Minute)
	noLeaks(t)
	host, dev := hostOnTAP(t)
	router := new(near).netstack(t, "router", dev, nearRouter4, nearRouter6)
	c := newCopper(t)
	second, err := endpoint.New(c.packetSocket(), endpoint.Options{})
	wiretest.Check(t, err)
	second.SetMTU(narrow)
	wiretest.Check(t, router.AddNIC(second, prefixes(farRouter4, farRouter6), nil))
	for _, p := range []tcpip.NetworkProtocolNumber{ipv4.ProtocolNumber, ipv6.ProtocolNumber} {
		if err := router.Stack().SetForwardingDefaultAndAllNICs(p, true); err != nil {
			t.Fatal(err)
		}
	}
	far := c.kernel(farHost4, farHost6)
	wiretest.Check(t, c.ns.Do(func() error { return addRoutes(c.far, farRouter4, farRouter6) }))
	sent := router.Stack().Stats().ICMP.V6.PacketsSent.PacketTooBig
	wiretest.WaitFor(t, "the netstack says that packets are too big", func() bool {
		sendTooBig(t, host, farHost6)
		return sent.Value() > 0
	})
	if raceDetector { // see TestRouter
		return
	}
	x := &lab.Transfer{From: host, To: far, At: farHost4, Size: size[int64](4<<20, 1<<20)}
	if _, err := x.Run(ctx); err != nil {
		t.Errorf("TCP: %v", err)
	}
	wiretest.WaitFor(t, "the kernel refuses packets that are too big", func() bool {
		return errors.Is(sendTooBig(t, host, farHost4), unix.EMSGSIZE)
	})
}

// sendTooBig sends two datagrams that a narrow path does not take. The second is
// refused by who has been told.
func sendTooBig(t *testing.T, from lab.Station, at netip.Addr) error {
	t.Helper()
	c, err := fragmenting{from, true}.DialUDP(netip.AddrPortFrom(at, closedPort))
	wiretest.Check(t, err)
	defer c.Close()
	_, first := c.Write(make([]byte, 1400))
	_, second := c.Write(make([]byte, 1400))
	return cmp.Or(first, second)
}
