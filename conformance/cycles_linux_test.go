package conformance

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// long, set to 1 in the environment, makes tests run longer that find more the
// longer they run.
const long = "LONG"

// usage is what a process has.
type usage struct{ files, goroutines, references, heap int }

func (u usage) String() string {
	return fmt.Sprintf("%d file descriptors, %d goroutines, %d packet references, %d KiB of heap", u.files, u.goroutines, u.references, u.heap>>10)
}

func currentUsage(t *testing.T) usage {
	t.Helper()
	runtime.GC()
	runtime.GC() // what pools held at the first
	files, err := os.ReadDir("/proc/self/fd")
	wiretest.Check(t, err)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{len(files), runtime.NumGoroutine(), len(references()), int(m.HeapAlloc)}
}

// cycles returns what a process has more after many cycles.
func cycles(t *testing.T, one func(i int)) usage {
	t.Helper()
	n, warmUp := 100, 10
	if os.Getenv(long) == "1" {
		n = 1000
	}
	lasting(t, time.Duration(n)*time.Second)
	for i := range warmUp {
		one(i)
	}
	before := currentUsage(t)
	for i := range n {
		one(i)
	}
	after := currentUsage(t)
	more := usage{after.files - before.files, after.goroutines - before.goroutines, after.references - before.references, after.heap - before.heap}
	t.Logf("after %d cycles there are, more than before: %v", n, more)
	return more
}

// wantNone fails the test if there is more after many cycles. Of the heap, a
// process that does nothing has a little more or less each time one looks.
func (u usage) wantNone(t *testing.T) {
	t.Helper()
	const slack = 1 << 20
	if u.files > 0 || u.references > 0 || u.heap > slack {
		t.Errorf("more is there after the cycles: %v", u)
	}
}

// TestCyclesOnTAP: an endpoint that was made, attached, used and removed many
// times leaves nothing behind.
func TestCyclesOnTAP(t *testing.T) {
	noLeaks(t)
	cycles(t, func(i int) {
		dev := newTAP(t, 0, true)
		ours, err := lab.NewNetstack(dev, lab.NetstackOptions{Name: "netstack", Addrs: prefixes(oursIPv4)})
		wiretest.Check(t, err)
		defer ours.Close()
		kernel, err := lab.NewKernel(dev.Info().Name, prefixes(kernelIPv4))
		wiretest.Check(t, err)
		// In one piece: netstack's timer for fragments keeps a stack in memory
		// for half a minute after its end.
		wiretest.Check(t, lab.EchoUDP(t.Context(), kernel, ours, oursIPv4, []int{1000}))
		if err := ours.Stack().RemoveNIC(1); err != nil {
			t.Fatal(err)
		}
	}).wantNone(t)
}

// TestCyclesOnSocketpair is TestCyclesOnTAP on a socketpair.
func TestCyclesOnSocketpair(t *testing.T) {
	nstest.Need(t)
	noLeaks(t)
	cycles(t, func(i int) {
		dev, peer := newSocketpair(t, unix.SOCK_DGRAM)
		defer peer.Close()
		ours, err := lab.NewNetstack(dev, lab.NetstackOptions{Name: "netstack", Addrs: prefixes(oursIPv4)})
		wiretest.Check(t, err)
		defer ours.Close()
		converse(t, peer, hw(ours.HardwareAddr()))
		if err := ours.Stack().RemoveNIC(1); err != nil {
			t.Fatal(err)
		}
	}).wantNone(t)
}

// converse asks for the address of what is at the other end, and pings it.
func converse(t *testing.T, peer *os.File, own hardwareAddr) {
	t.Helper()
	data := []byte("to and fro")
	wiretest.Check(t, peer.SetDeadline(time.Now().Add(wiretest.Patience)))
	for _, x := range []struct {
		send   frame
		answer func(frame) bool
	}{
		{request(gateway, everybody, ownIPv4), isReplyTo(gateway)},
		{ether(own, gateway.hw, typeIPv4, echo4(gateway.ipv4, ownIPv4, data)), isEchoReply(data)},
	} {
		if _, err := peer.Write(x.send); err != nil {
			t.Fatal(err)
		}
		if !readUntil(peer, x.answer) {
			t.Fatalf("there is no answer to %v", x.send)
		}
	}
}

// TestCyclesOfGVisor is TestCyclesOnSocketpair with gVisor's own endpoint and
// ARP. What it leaves behind is shown only.
func TestCyclesOfGVisor(t *testing.T) {
	nstest.Need(t)
	own := newPeer(2)
	cycles(t, func(i int) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		wiretest.Check(t, err)
		peer := os.NewFile(uintptr(fds[1]), "the other end")
		defer peer.Close()
		defer unix.Close(fds[0])
		ep, err := fdbased.New(&fdbased.Options{
			FDs: fds[:1], MTU: 1500, EthernetHeader: true, Address: tcpip.LinkAddress(own.hw[:]), ProcessorsPerChannel: 2,
		})
		wiretest.Check(t, err)
		s := stack.New(stack.Options{NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol}})
		defer s.Destroy()
		if err := s.CreateNIC(1, ep); err != nil {
			t.Fatal(err)
		}
		a := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: own.ipv4.WithPrefix()}
		if err := s.AddProtocolAddress(1, a, stack.AddressProperties{}); err != nil {
			t.Fatal(err)
		}
		s.SetRouteTable([]tcpip.Route{{Destination: tcpip.AddressWithPrefix{Address: own.ipv4, PrefixLen: 24}.Subnet(), NIC: 1}})
		converse(t, peer, own.hw)
		if err := s.RemoveNIC(1); err != nil {
			t.Fatal(err)
		}
	})
}
