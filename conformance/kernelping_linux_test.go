package conformance

import (
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestKernelPing: between two ends that do not know each other, no echo request
// is lost, and then each has the other in its table.
func TestKernelPing(t *testing.T) {
	onColdWires(t, wireOptions{}, func(t *testing.T, w *wire, y way) {
		ctx := lasting(t, time.Minute)
		times, err := lab.Ping(ctx, y.from, y.at, lab.PingSize)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d of %d, the first after %v", len(times), lab.PingCount, times[0])
		list, err := y.from.Neighbors()
		wiretest.Check(t, err)
		if n := lab.FindNeighbor(list, y.at); n.HardwareAddr != y.to.HardwareAddr() || n.State != "reachable" {
			t.Errorf("the neighbor that answered is %+v; want it reachable at %v", n, y.to.HardwareAddr())
		}
		// It has learnt from the request, and does not know if it can be
		// reached.
		list, err = y.to.Neighbors()
		wiretest.Check(t, err)
		if n := lab.FindNeighbor(list, w.at(y.from, y.at)); n.HardwareAddr != y.from.HardwareAddr() {
			t.Errorf("the neighbor that asked is %+v; want it at %v", n, y.from.HardwareAddr())
		}
	})
}

// TestKernelJumbo: with an MTU of 9000, a ping of 8900 bytes goes in one frame,
// and TCP's segments fill it.
func TestKernelJumbo(t *testing.T) {
	const mtu, pingSize = 9000, 8900
	w := newWire(t, wireOptions{mtu: mtu})
	ctx := lasting(t, time.Minute)
	for _, y := range w.ways(oursIPv4, oursIPv6) {
		seen := w.listen()
		if _, err := lab.Ping(ctx, y.from, y.at, pingSize); err != nil {
			t.Errorf("%s: ping: %v", y.name, err)
		}
		isWhole := func(f frame) bool {
			if y.at.Is6() {
				m, ok := f.icmp6()
				return ok && len(m) == header.ICMPv6MinimumSize+pingSize
			}
			m, ok := f.icmp4()
			if !ok || len(m) != header.ICMPv4MinimumSize+pingSize {
				return false
			}
			h, _ := f.ipv4()
			return !h.More() && h.FragmentOffset() == 0
		}
		if got := count(seen.fence(), isWhole); got != lab.PingCount {
			t.Errorf("%s: %d frames of netstack's with the whole of a ping, want %d", y.name, got, lab.PingCount)
		}
		x := lab.Transfer{From: y.from, To: y.to, At: y.at, Size: size[int64](64<<20, 8<<20)}
		if _, err := x.Run(ctx); err != nil {
			t.Errorf("%s: TCP: %v", y.name, err)
		}
		// The first TCP segment of netstack's is its SYN, or the answer to one.
		first := seen.until(func(f frame) bool { _, ok := segmentSize(f); return ok })
		want := mtu - header.IPv4MinimumSize - header.TCPMinimumSize
		if y.at.Is6() {
			want = mtu - header.IPv6MinimumSize - header.TCPMinimumSize
		}
		if mss, _ := segmentSize(first[len(first)-1].frame); mss != want {
			t.Errorf("%s: netstack announces segments of %d bytes, want %d", y.name, mss, want)
		}
	}
}

// segmentSize returns what a SYN says of the segments that may be sent.
func segmentSize(f frame) (mss int, ok bool) {
	var b []byte
	if h, is := f.ipv4(); is && h.TransportProtocol() == header.TCPProtocolNumber {
		b = h.Payload()
	} else if h, is := f.ipv6(); is && h.NextHeader() == uint8(header.TCPProtocolNumber) {
		b = h.Payload()
	}
	if len(b) < header.TCPMinimumSize || header.TCP(b).Flags()&header.TCPFlagSyn == 0 {
		return 0, false
	}
	return int(header.ParseSynOptions(header.TCP(b).Options(), false).MSS), true
}

// TestKernelTCP: what TCP carries arrives as it was sent.
func TestKernelTCP(t *testing.T) {
	w := newWire(t, wireOptions{})
	ctx := lasting(t, 5*time.Minute)
	for i, y := range w.ways(oursIPv4, oursIPv6) {
		t.Run(y.name, func(t *testing.T) {
			x := lab.Transfer{From: y.from, To: y.to, At: y.at, Size: size[int64](256<<20, 16<<20), Seed: uint64(i)}
			r, err := x.Run(ctx)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d MiB in %v, %.2f Gbit/s, SHA-256 %v at both ends", x.Size>>20, r.Took.Round(time.Millisecond), r.Gbits(x.Size), r.Digest)
		})
	}
}

// size returns how much of something a test does: less where time matters.
func size[T any](full, short T) T {
	if testing.Short() || raceDetector {
		return short
	}
	return full
}
