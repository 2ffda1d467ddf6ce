package conformance

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// mostAtOnce is from how many bytes on no datagram is added to a super-frame, for
// which the kernel's limits are 65507 bytes and 64 datagrams.
const mostAtOnce = 20_000

// TestUDPSuperFrameIn: a super-frame of datagrams that a kernel sends is taken
// apart: a socket receives each of them, in order and nothing else.
func TestUDPSuperFrameIn(t *testing.T) {
	noLeaks(t)
	ctx := lasting(t, time.Minute)
	ns := newCable(t, "near", "far")
	dev, err := fdbased.OpenPacket("near", fdbased.Options{})
	wiretest.Check(t, err)
	ours := new(near).netstack(t, "netstack", dev, oursIPv4, oursIPv6)
	wiretest.Check(t, ns.Do(func() error { return netns.SetIPv6("far", true) }))
	kernel, err := lab.NewKernelIn(ns, "far", prefixes(kernelIPv4, kernelIPv6))
	wiretest.Check(t, err)
	for _, at := range []netip.Addr{oursIPv4, oursIPv6} {
		server, err := ours.ListenUDP(netip.AddrPortFrom(at, 0))
		wiretest.Check(t, err)
		defer server.Close()
		c, err := kernel.DialUDP(netip.AddrPortFrom(at, server.LocalAddr().(*net.UDPAddr).AddrPort().Port()))
		wiretest.Check(t, err)
		defer c.Close()
		_, err = c.Write(numbered(0, mixedSize(0))) // finds the neighbor
		wiretest.Check(t, err)
		next, err := receiveDatagrams(ctx, server, 0, 1)
		wiretest.Check(t, err)
		before := ours.Endpoint().Interface().Stats().RxFrames
		sends := 0
		const count = 1000
		for next < count && err == nil {
			// As many as the last of which alone is shorter.
			end, all := next, []byte(nil)
			size := mixedSize(next)
			for more := true; more; end++ {
				all = slices.Concat(all, numbered(end, mixedSize(end)))
				more = len(all) < mostAtOnce && size > 0 && mixedSize(end) == size && mixedSize(end+1) <= size && mixedSize(end+1) > 0 && end+1 < count
			}
			setSegment(t, c.(*net.UDPConn), size)
			_, err = c.Write(all)
			wiretest.Check(t, err)
			sends++
			next, err = receiveDatagrams(ctx, server, next, end)
		}
		if err != nil {
			t.Errorf("to %v: %v", at, err)
		}
		if frames := ours.Endpoint().Interface().Stats().RxFrames - before; frames > uint64(sends+sends/4) || sends > count/2 {
			t.Errorf("%d datagrams that were sent in %d pieces came in %d frames: not in super-frames", count, sends, frames)
		}
	}
	if d := drops(ours.Endpoint()); d != "" {
		t.Errorf("dropped: %s", d)
	}
}

// setSegment has a socket of the kernel's send what is written in datagrams of
// such a size; 0 means whole.
func setSegment(t testing.TB, c *net.UDPConn, size int) {
	t.Helper()
	raw, err := c.SyscallConn()
	wiretest.Check(t, err)
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, size) })
	wiretest.Check(t, err, failed)
}
