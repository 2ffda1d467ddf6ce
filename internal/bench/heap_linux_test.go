//go:build !race

package bench

import (
	"fmt"
	"net/netip"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	gvfdbased "gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/link/tun"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

const (
	heapConns = 1000
	// heapBuffer is each connection's receive buffer in bytes.
	heapBuffer = 64 << 10
	heapIface  = "heap"
	heapPort   = 80
)

var (
	heapKernel   = netip.MustParsePrefix("10.4.0.1/24")
	heapNetstack = netip.MustParseAddr("10.4.0.2")
)

// TestHeapOfConnections: what 1000 connections take, idle and with receive queues
// full of small segments, is no more than with gVisor's link, and bounded by the
// receive buffers that they have. (The race detector makes sync.Pool forget.)
func TestHeapOfConnections(t *testing.T) {
	nstest.NeedTUN(t)
	sizes := []int{60, 1000}
	if testing.Short() {
		sizes = sizes[:1]
	}
	for _, size := range sizes {
		theirs, ours := measureHeap(t, heapOfTheirs, size), measureHeap(t, heapOfOurs, size)
		t.Logf("segments of %d bytes, gVisor's link: %v", size, theirs)
		t.Logf("segments of %d bytes, ours: %v", size, ours)
		if ours.idle > theirs.idle+theirs.idle/10 {
			t.Errorf("an idle connection takes %d bytes, with gVisor's link %d", ours.idle, theirs.idle)
		}
		each, same := ours.full/ours.segments, theirs.full/theirs.segments
		if each > same+same/10 {
			t.Errorf("a segment of %d bytes takes %d in a queue, with gVisor's link %d", size, each, same)
		}
		// About 700 bytes are netstack's for any packet; the headers are 66.
		if most := 2*(size+66) + 800; each > most {
			t.Errorf("a segment of %d bytes takes %d in a queue, want at most %d", size, each, most)
		}
		if most := heapConns * heapBuffer * 3 / 2; ours.full > most {
			t.Errorf("queues of %d bytes each take %d in all, want at most %d", heapBuffer, ours.full, most)
		}
	}
}

// heapOfTheirs and heapOfOurs make a netstack's link on a new TAP.
func heapOfTheirs() (l link, closed func(), err error) {
	fd, err := tun.OpenTAP(heapIface)
	if err != nil {
		return link{}, nil, err
	}
	ep, err := gvfdbased.New(&gvfdbased.Options{FDs: []int{fd}, MTU: mtu, EthernetHeader: true, Address: stationAddr})
	return link{endpoint: ep, needsARP: true}, func() { unix.Close(fd) }, err
}

func heapOfOurs() (l link, closed func(), err error) {
	dev, err := tap.Open(tap.Options{Name: heapIface})
	if err != nil {
		return link{}, nil, err
	}
	ep, err := endpoint.New(dev, endpoint.Options{})
	return link{endpoint: ep}, ep.Close, err
}

// heapUse is how much memory connections take.
type heapUse struct {
	idle     int // bytes of heap for a connection
	full     int // bytes of heap for all that is queued
	payload  int // bytes that are queued
	segments int
}

func (u heapUse) String() string {
	return fmt.Sprintf("%d bytes an idle connection; %d segments queued, %d bytes each, %.1f for each byte of payload",
		u.idle, u.segments, u.full/u.segments, float64(u.full)/float64(u.payload))
}

func measureHeap(t *testing.T, open func() (link, func(), error), size int) heapUse {
	t.Helper()
	l, closed, err := open()
	if err != nil {
		t.Fatal(err)
	}
	n, err := openNetstack(l, false)
	if err != nil {
		t.Fatal(err)
	}
	defer closed()
	defer n.s.Destroy()
	h := &heapTest{t: t, s: n.s}
	h.configure()
	l0 := h.listen()
	defer l0.Close()
	if err := netns.SetUp(heapIface); err != nil {
		t.Fatal(err)
	}
	if err := netns.AddAddr(heapIface, heapKernel); err != nil {
		t.Fatal(err)
	}
	defer h.close()
	before := heapBytes()
	h.connect(l0)
	idle := heapBytes()
	h.fill(size)
	full := heapBytes()
	payload := h.queued()
	if n := n.s.Stats().TCP.ValidSegmentsReceived.Value(); n < uint64(payload/size) {
		t.Fatalf("%d bytes came in %d segments: not of %d bytes each", payload, n, size)
	}
	return heapUse{idle: (idle - before) / heapConns, full: full - idle, payload: payload, segments: payload / size}
}

// heapBytes returns what is in use, after what is not has been given back.
func heapBytes() int {
	runtime.GC()
	runtime.GC() // sync.Pool keeps things for one more
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int(s[0].Value.Uint64())
}

// A heapTest has connections from the kernel to a netstack.
type heapTest struct {
	t   *testing.T
	s   *stack.Stack
	fds []int
	eps []tcpip.Endpoint
}

func (h *heapTest) configure() {
	h.t.Helper()
	buffer := tcpip.TCPReceiveBufferSizeRangeOption{Min: heapBuffer, Default: heapBuffer, Max: heapBuffer}
	moderate := tcpip.TCPModerateReceiveBufferOption(false)
	for _, o := range []tcpip.SettableTransportProtocolOption{&buffer, &moderate} {
		if err := h.s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			h.t.Fatal(err)
		}
	}
	a := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(heapNetstack.As4()), PrefixLen: heapKernel.Bits()}
	pa := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: a}
	if err := h.s.AddProtocolAddress(nic, pa, stack.AddressProperties{}); err != nil {
		h.t.Fatal(err)
	}
	h.s.SetRouteTable([]tcpip.Route{{Destination: a.Subnet(), NIC: nic}})
}

func (h *heapTest) listen() tcpip.Endpoint {
	h.t.Helper()
	l, err := h.s.NewEndpoint(tcp.ProtocolNumber, ipv4.ProtocolNumber, new(waiter.Queue))
	if err == nil {
		err = l.Bind(tcpip.FullAddress{Port: heapPort})
	}
	if err == nil {
		err = l.Listen(heapConns)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

// connect makes the connections.
func (h *heapTest) connect(l tcpip.Endpoint) {
	h.t.Helper()
	for range heapConns {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			h.t.Fatal(err)
		}
		h.fds = append(h.fds, fd)
		for option, level := range map[int]int{unix.TCP_NODELAY: unix.SOL_TCP, unix.SO_SNDBUF: unix.SOL_SOCKET} {
			if err := unix.SetsockoptInt(fd, level, option, 1); err != nil { // 1 is the least buffer
				h.t.Fatal(err)
			}
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: heapPort, Addr: heapNetstack.As4()}); err != nil {
			h.t.Fatal(err)
		}
	}
	h.eventually("all connections are accepted", func() bool {
		for {
			ep, _, err := l.Accept(nil)
			if err != nil {
				return len(h.eps) == heapConns
			}
			h.eps = append(h.eps, ep)
		}
	})
}

// fill sends segments until no connection gets any through: each has some that
// it may not send and waits for no acknowledgment, or has sent one three times.
// (Netstack counts memory, which the window that it announces does not tell.)
func (h *heapTest) fill(size int) {
	h.t.Helper()
	b := make([]byte, size)
	h.eventually("all receive queues are full", func() bool {
		full := 0
		for _, fd := range h.fds {
			// MSG_EOR: what is written next is in a segment of its own.
			if err := unix.Sendto(fd, b, unix.MSG_DONTWAIT|unix.MSG_EOR, nil); err != nil && err != unix.EAGAIN {
				h.t.Fatal(err)
			}
			info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
			if err != nil {
				h.t.Fatal(err)
			}
			if info.Unacked == 0 && info.Notsent_bytes > 0 || info.Retransmits >= 2 {
				full++
			}
		}
		return full == len(h.fds)
	})
}

// queued returns how many bytes of payload are in receive queues.
func (h *heapTest) queued() (n int) {
	h.t.Helper()
	for _, ep := range h.eps {
		k, err := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
		if err != nil {
			h.t.Fatal(err)
		}
		n += k
	}
	return n
}

func (h *heapTest) close() {
	for _, fd := range h.fds {
		unix.Close(fd)
	}
	for _, ep := range h.eps {
		ep.Abort()
		ep.Close()
	}
}

func (h *heapTest) eventually(what string, ok func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain until %s", what)
		}
	}
}
