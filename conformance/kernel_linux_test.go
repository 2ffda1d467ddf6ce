package conformance

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
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

// The netstack has the addresses that the suite's has, so that the frames made
// for that are of use here; the kernel has its gateway's.
var (
	oursIPv4   = netip.AddrFrom4(ownIPv4.As4())
	oursIPv6   = netip.AddrFrom16(ownIPv6.As16())
	kernelIPv4 = netip.AddrFrom4(gateway.ipv4.As4())
	kernelIPv6 = netip.AddrFrom16(gateway.ipv6.As16())
)

// subnet returns an address with the prefix length that tests give to subnets.
func subnet(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(a, 24)
	}
	return netip.PrefixFrom(a, 64)
}

// wireOptions say how to make a [wire].
type wireOptions struct {
	mtu       int // 0: 1500
	endpoint  endpoint.Options
	companion bool
	ipv4      ipv4.Options
	ipv6      ipv6.Options
	// quiet leaves IPv6 out, of which the kernel sends messages by itself.
	quiet bool
}

// A wire is a TAP with our netstack at one end and the Linux kernel at the
// other. Neither knows the other yet.
type wire struct {
	t      testing.TB
	iface  string
	dev    *tap.Device
	ours   *lab.Netstack
	kernel *lab.Kernel
}

// newWire makes a wire, for a test that leaves nothing behind. It is taken down
// when the test ends.
func newWire(t testing.TB, o wireOptions) *wire {
	t.Helper()
	noLeaks(t)
	ours, theirs := []netip.Prefix{subnet(oursIPv4)}, []netip.Prefix{subnet(kernelIPv4)}
	if !o.quiet {
		ours, theirs = append(ours, subnet(oursIPv6)), append(theirs, subnet(kernelIPv6))
	}
	w := &wire{t: t, dev: newTAP(t, o.mtu, o.quiet)}
	w.iface = w.dev.Info().Name
	var err error
	w.ours, err = lab.NewNetstack(w.dev, lab.NetstackOptions{
		Name: "netstack", Addrs: ours, Companion: o.companion, Endpoint: o.endpoint, IPv4: o.ipv4, IPv6: o.ipv6,
	})
	wiretest.Check(t, err)
	t.Cleanup(func() { within(t, "closing the netstack", w.ours.Close) })
	w.kernel, err = lab.NewKernel(w.iface, theirs)
	wiretest.Check(t, err)
	return w
}

// newTAP opens a TAP, which is up. Whoever gets it closes it.
func newTAP(t testing.TB, mtu int, quiet bool) *tap.Device {
	t.Helper()
	nstest.NeedTUN(t)
	dev, err := tap.Open(tap.Options{Name: "wire%d", MTU: mtu})
	wiretest.Check(t, err)
	// RFC 8200 §5: there is no IPv6 on a link with less, nor its switch.
	if mtu == 0 || mtu >= header.IPv6MinimumMTU {
		wiretest.Check(t, netns.SetIPv6(dev.Info().Name, !quiet))
	}
	wiretest.Check(t, netns.SetUp(dev.Info().Name))
	return dev
}

// at returns the address of a station of the same kind as a.
func (w *wire) at(s lab.Station, a netip.Addr) netip.Addr {
	switch {
	case s == w.kernel && a.Is4():
		return kernelIPv4
	case s == w.kernel:
		return kernelIPv6
	case a.Is4():
		return oursIPv4
	}
	return oursIPv6
}

// A way is a direction over a wire.
type way struct {
	name     string
	from, to lab.Station
	at       netip.Addr // the receiver's
}

// ways returns all four, or the two of IPv4 on a quiet wire.
func (w *wire) ways(families ...netip.Addr) (list []way) {
	for _, a := range families {
		family := "IPv6"
		if a.Is4() {
			family = "IPv4"
		}
		list = append(list,
			way{family + " to netstack", w.kernel, w.ours, w.at(w.ours, a)},
			way{family + " to the kernel", w.ours, w.kernel, w.at(w.kernel, a)})
	}
	return list
}

// onColdWires runs a test for each way over a wire, on a wire of its own, so that
// neither end knows the other.
func onColdWires(t *testing.T, o wireOptions, f func(t *testing.T, w *wire, y way)) {
	for i, name := range []string{"IPv4 to netstack", "IPv4 to the kernel", "IPv6 to netstack", "IPv6 to the kernel"} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t, o)
			f(t, w, w.ways(oursIPv4, oursIPv6)[i])
		})
	}
}

// ping sends five echo requests, all of which must be answered.
func (w *wire) ping(from, to lab.Station) {
	w.t.Helper()
	if _, err := lab.Ping(w.t.Context(), from, w.at(to, oursIPv4), lab.PingSize); err != nil {
		w.t.Fatalf("ping from %s: %v", from.Name(), err)
	}
}

// within ends the test run, and shows what all goroutines do, if f takes longer
// than any correct program does.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	defer watch(t, what, wiretest.Patience)()
	f()
}

// watch is within for what ends when the function that it returns is called.
func watch(t testing.TB, what string, limit time.Duration) (end func() bool) {
	return time.AfterFunc(limit, func() {
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		panic(fmt.Sprintf("%s: %s does not end within %v", t.Name(), what, limit))
	}).Stop
}

// lasting returns a context that ends the waits of a test which has hung, and
// bounds the test.
func lasting(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	end := watch(t, "the test", limit+wiretest.Patience)
	t.Cleanup(func() { end() })
	return ctx
}

// prefixes returns addresses with their subnets.
func prefixes(addrs ...netip.Addr) (list []netip.Prefix) {
	for _, a := range addrs {
		list = append(list, subnet(a))
	}
	return list
}

// drops describes what an endpoint has dropped.
func drops(ep *endpoint.Endpoint) string {
	own, strays := ep.Interface().Stats(), ep.Interface().Link().Stats()
	var list []string
	for r := range ethstack.NumDropReasons {
		if n := own.Drops[r] + strays.Drops[r]; n > 0 {
			list = append(list, fmt.Sprintf("%v %d", r, n))
		}
	}
	return strings.Join(list, ", ")
}

// addrPort returns a port of a peer.
func addrPort(p peer, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4(p.ipv4.As4()), port)
}
