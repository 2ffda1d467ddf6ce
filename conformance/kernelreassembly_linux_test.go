package conformance

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// A press makes the kernel's fragments: it sends to the netstack's addresses on a
// cable at whose end nobody but us listens.
type press struct {
	t      *testing.T
	kernel *lab.Kernel
	out    *packetSocket
}

func newPress(t *testing.T, to ethstack.HardwareAddr) *press {
	t.Helper()
	ns := newCable(t, "press", "paper")
	wiretest.Check(t, ns.Do(func() error { return netns.SetIPv6("paper", true) }))
	k, err := lab.NewKernelIn(ns, "paper", prefixes(kernelIPv4, kernelIPv6))
	wiretest.Check(t, err)
	for _, a := range []netip.Addr{oursIPv4, oursIPv6} {
		n := netns.Neighbor{Addr: a, HardwareAddr: to, State: netns.NeighborPermanent}
		wiretest.Check(t, ns.Do(func() error { return netns.SetNeighbor("paper", n) }))
	}
	return &press{t, k, listenOn(t, "press")}
}

// print returns the frames that a datagram is sent in.
func (p *press) print(to netip.AddrPort, b []byte) (frames []frame) {
	p.t.Helper()
	c, err := fragmenting{Station: p.kernel}.DialUDP(to)
	wiretest.Check(p.t, err)
	defer c.Close()
	_, err = c.Write(b)
	wiretest.Check(p.t, err)
	for had := 0; had < len(b)+header.UDPMinimumSize; {
		f := p.out.next().frame
		if x, ok := f.piece(); ok {
			frames = append(frames, f)
			had += len(x.data)
		}
	}
	return frames
}

// orders are those in which fragments come.
var orders = []struct {
	name  string
	order func(r *rand.Rand, f []frame) []frame
}{
	{"as sent", func(_ *rand.Rand, f []frame) []frame { return f }},
	{"reversed", func(_ *rand.Rand, f []frame) []frame {
		f = slices.Clone(f)
		slices.Reverse(f)
		return f
	}},
	{"shuffled", func(r *rand.Rand, f []frame) []frame {
		f = slices.Clone(f)
		r.Shuffle(len(f), func(i, j int) { f[i], f[j] = f[j], f[i] })
		return f
	}},
	{"the last first", func(_ *rand.Rand, f []frame) []frame {
		return slices.Concat(f[len(f)-1:], f[:len(f)-1])
	}},
	{"shuffled, each twice but the last to come", func(r *rand.Rand, f []frame) (twice []frame) {
		f = slices.Clone(f)
		r.Shuffle(len(f), func(i, j int) { f[i], f[j] = f[j], f[i] })
		for _, x := range f[:len(f)-1] {
			twice = append(twice, x, x)
		}
		return append(twice, f[len(f)-1])
	}},
}

// TestKernelReassembly: fragments that the kernel has made are put together in
// whatever order they come, those of two datagrams between each other as well.
func TestKernelReassembly(t *testing.T) {
	const seed = 7
	lasting(t, time.Minute)
	w := newWire(t, wireOptions{})
	in := w.listen()
	p := newPress(t, w.ours.HardwareAddr())
	for _, at := range []netip.Addr{oursIPv4, oursIPv6} {
		server, err := w.ours.ListenUDP(netip.AddrPortFrom(at, 0))
		wiretest.Check(t, err)
		defer server.Close()
		to := netip.AddrPortFrom(at, server.LocalAddr().(*net.UDPAddr).AddrPort().Port())
		longest := longest4
		if at.Is6() {
			longest = longest6
		}
		r := rand.New(rand.NewPCG(seed, 0))
		number := 0
		for _, size := range []int{1500, 4000, longest} {
			for _, o := range orders {
				one, other := numbered(number, size), numbered(number+1, size)
				number += 2
				what := fmt.Sprintf("%d bytes to %v, %s", size, at, o.name)
				in.send(o.order(r, p.print(to, one))...)
				wantDatagrams(t, server, what, one)
				var both []frame
				a, b := o.order(r, p.print(to, one)), o.order(r, p.print(to, other))
				for i := range a {
					both = append(both, a[i], b[i])
				}
				in.send(both...)
				wantDatagrams(t, server, what+", with another between", one, other)
			}
		}
	}
}

// TestKernelFragmentLost: a datagram of which a fragment is lost or damaged never
// arrives, and is in no other's way.
func TestKernelFragmentLost(t *testing.T) {
	lasting(t, time.Minute)
	w := newWire(t, wireOptions{})
	in := w.listen()
	p := newPress(t, w.ours.HardwareAddr())
	for _, at := range []netip.Addr{oursIPv4, oursIPv6} {
		server, err := w.ours.ListenUDP(netip.AddrPortFrom(at, 0))
		wiretest.Check(t, err)
		defer server.Close()
		to := netip.AddrPortFrom(at, server.LocalAddr().(*net.UDPAddr).AddrPort().Port())
		for i := range len(p.print(to, numbered(0, 8000))) {
			lost, damaged, whole := p.print(to, numbered(1, 8000)), p.print(to, numbered(2, 8000)), p.print(to, numbered(3, 8000))
			in.send(slices.Delete(lost, i, i+1)...)
			// Only the checksum of UDP covers what is in the fragments.
			damaged[i] = slices.Clone(damaged[i])
			damaged[i][len(damaged[i])-1] ^= 0x10
			in.send(damaged...)
			in.send(whole...)
			wantDatagrams(t, server, fmt.Sprintf("to %v, after fragment %d of others was lost", at, i), numbered(3, 8000))
		}
	}
}

// wantDatagrams wants these next, and no others before them.
func wantDatagrams(t *testing.T, c net.PacketConn, what string, want ...[]byte) {
	t.Helper()
	wiretest.Check(t, c.SetReadDeadline(time.Now().Add(wiretest.Patience)))
	b := make([]byte, 1<<16)
	for _, one := range want {
		n, _, err := c.ReadFrom(b)
		if err != nil || !slices.ContainsFunc(want, func(x []byte) bool { return slices.Equal(x, b[:n]) }) {
			t.Fatalf("%s: %d bytes %.8x..., %v; want %d bytes %.8x...", what, n, b[:n], err, len(one), one)
		}
	}
}
