package conformance

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// A victim is a netstack that something is done to while it has work.
type victim struct {
	t    *testing.T
	ours *lab.Netstack
	dev  ethstack.Device
	// wire is nil if the netstack is on a socketpair, whose other end peer is.
	wire *wire
	peer *os.File
	// flood sends frames to the netstack until it is told to stop.
	flood func(...frame) (stop func())

	mu   sync.Mutex
	told []ethstack.LinkState
}

func (v *victim) note(s ethstack.LinkState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = append(v.told, s)
}

// wasTold reports whether OnLinkState was told of a state last.
func (v *victim) wasTold(s ethstack.LinkState) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.told) > 0 && v.told[len(v.told)-1] == s
}

// onTAP makes a victim on a TAP.
func onTAP(t *testing.T) *victim {
	t.Helper()
	v := &victim{t: t}
	v.wire = newWire(t, wireOptions{endpoint: endpoint.Options{OnLinkState: v.note}})
	v.ours, v.dev, v.flood = v.wire.ours, v.wire.dev, v.wire.listen().flood
	return v
}

// onSocketpair makes a victim on a socketpair. Whatever it sends is taken, as
// long as the other end is there.
func onSocketpair(t *testing.T, kind int) *victim {
	t.Helper()
	nstest.Need(t)
	noLeaks(t)
	v := &victim{t: t}
	dev, peer := newSocketpair(t, kind)
	ours, err := lab.NewNetstack(dev, lab.NetstackOptions{
		Name: "netstack", Addrs: prefixes(oursIPv4, oursIPv6), Endpoint: endpoint.Options{OnLinkState: v.note},
	})
	wiretest.Check(t, err)
	t.Cleanup(ours.Close)
	wiretest.Check(t, ours.Endpoint().Interface().AddStaticNeighbor(kernelIPv4, ethstack.HardwareAddr(gateway.hw)))
	v.ours, v.dev, v.peer = ours, dev, peer
	taken := make(chan struct{})
	go func() {
		defer close(taken)
		readUntil(peer, func(frame) bool { return false })
	}()
	t.Cleanup(func() {
		peer.Close()
		<-taken
	})
	v.flood = func(frames ...frame) func() {
		return forever(func(i int) bool {
			_, err := peer.Write(frames[i%len(frames)])
			return err == nil
		})
	}
	return v
}

// forever calls f with rising numbers until it returns false or the function
// that forever returns is called.
func forever(f func(i int) bool) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; f(i); i++ {
			select {
			case <-over:
				return
			default:
				runtime.Gosched() // there may be one CPU only
			}
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}

// A load is what a victim does meanwhile. It begins when start returns.
type load struct {
	name  string
	start func(*victim) (stop func())
}

var loads = []load{
	{"idle", func(*victim) func() { return func() {} }},
	{"inbound flood", inboundFlood},
	{"outbound bulk", outboundBulk},
	{"resolutions pending", resolutionsPending},
}

// inboundFlood has all kinds of packets come in: for sockets, for nobody, in
// fragments, and such that have to be answered.
func inboundFlood(v *victim) func() {
	own := hw(v.ours.HardwareAddr())
	var frames []frame
	for i := range byte(4) {
		from := newPeer(100 + i)
		d := udp4(from.ipv4, ownIPv4, closedPort, make([]byte, 1000))
		frames = append(frames,
			request(from, everybody, ownIPv4),
			ether(own, from.hw, typeIPv4, d),
			ether(own, from.hw, typeIPv4, firstFragment(d)),
			ether(own, from.hw, typeIPv4, echo4(from.ipv4, ownIPv4, make([]byte, 100))))
	}
	i := v.ours.Endpoint().Interface()
	before := i.Stats().RxDelivered
	stop := v.flood(frames...)
	wiretest.WaitFor(v.t, "packets come in", func() bool { return i.Stats().RxDelivered > before+100 })
	return stop
}

// firstFragment makes the first fragment, with a part of its data, of an IPv4
// packet. The others never come.
func firstFragment(packet []byte) []byte {
	const part = 512
	b := slices.Clone(packet[:header.IPv4MinimumSize+part])
	h := header.IPv4(b)
	h.SetTotalLength(uint16(len(b)))
	h.SetFlagsFragmentOffset(header.IPv4FlagMoreFragments, 0)
	h.SetChecksum(0)
	h.SetChecksum(^h.CalculateChecksum())
	return b
}

// outboundBulk sends to the other end as much as it can.
func outboundBulk(v *victim) func() {
	c, err := v.ours.DialUDP(netip.AddrPortFrom(kernelIPv4, closedPort))
	wiretest.Check(v.t, err)
	i := v.ours.Endpoint().Interface()
	before := i.Stats().TxFrames
	b := make([]byte, 1400)
	stop := forever(func(int) bool {
		c.Write(b) // errors come and, when the link comes back, go
		return true
	})
	wiretest.WaitFor(v.t, "packets go out", func() bool { return i.Stats().TxFrames > before+100 })
	return func() {
		stop()
		c.Close()
	}
}

// resolutionsPending sends to many hosts that are not there.
func resolutionsPending(v *victim) func() {
	const absent = 50
	var conns []lab.PacketConn
	for n := range byte(absent) {
		c, err := v.ours.DialUDP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, 150 + n}), closedPort))
		wiretest.Check(v.t, err)
		if _, err := c.Write(make([]byte, 3000)); err != nil {
			v.t.Fatal(err)
		}
		conns = append(conns, c)
	}
	wiretest.WaitFor(v.t, "packets wait for all of them", func() bool {
		n := 0
		for e := range v.ours.Endpoint().Interface().Neighbors() {
			if e.State == arp.Incomplete && e.Pending > 0 {
				n++
			}
		}
		return n == absent
	})
	return func() {
		for _, c := range conns {
			c.Close()
		}
	}
}

// withProcs runs a test with so many CPUs.
func withProcs(t *testing.T, f func(t *testing.T)) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprintf("GOMAXPROCS=%d", n), func(t *testing.T) {
			before := runtime.GOMAXPROCS(n)
			t.Cleanup(func() { runtime.GOMAXPROCS(before) })
			f(t)
		})
	}
}

// A slowest is the longest of many times.
type slowest time.Duration

func (s *slowest) add(d time.Duration) { *s = max(*s, slowest(d)) }
