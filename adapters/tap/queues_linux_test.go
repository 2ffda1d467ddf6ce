package tap_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// someQueues is more than one goroutine can read.
const someQueues = 4

// queueFile opens a queue of a TAP as a program that passes it on does.
func queueFile(t testing.TB, name string, flags uint16) *os.File {
	t.Helper()
	nstest.NeedTUN(t)
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	wiretest.Check(t, err)
	f := os.NewFile(uintptr(fd), "passed TAP")
	t.Cleanup(func() { f.Close() })
	if flags != 0 {
		ifr, err := unix.NewIfreq(name)
		wiretest.Check(t, err)
		ifr.SetUint16(flags)
		wiretest.Check(t, unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr))
	}
	return f
}

const (
	oneQueue    = unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR
	multiQueues = oneQueue | unix.IFF_MULTI_QUEUE
)

// queueFiles opens several queues of one TAP.
func queueFiles(t testing.TB, name string) (files []*os.File) {
	t.Helper()
	for range someQueues {
		files = append(files, queueFile(t, name, multiQueues))
	}
	return files
}

// makePersistent makes an interface that stays until the test ends.
func makePersistent(t testing.TB, name string, flags uint16) {
	t.Helper()
	f := queueFile(t, name, flags)
	wiretest.Check(t, unix.IoctlSetInt(int(f.Fd()), unix.TUNSETPERSIST, 1), f.Close())
	t.Cleanup(func() { wiretest.Check(t, netns.DelLink(name)) })
}

// echoes makes flows of UDP datagrams from the kernel to a device that echoes
// them, and finds out which queues they come in on.
type echoes struct {
	d *tap.Device
	// write returns the queue that a flow's n-th datagram is echoed to.
	write func(flow, n int) int

	mu     sync.Mutex
	queues map[int][]int // of each flow, in the order of time
	wrong  []error
}

var (
	kernelAddr = netip.MustParseAddr("10.7.0.1")
	deviceAddr = netip.MustParseAddr("10.7.0.2")
)

const (
	flows    = 64
	window   = 8 // datagrams of a flow that are under way
	windows  = 6
	basePort = 20000
)

func (e *echoes) run(t *testing.T) {
	t.Helper()
	name := e.d.Info().Name
	wiretest.Check(t, netns.AddAddr(name, netip.PrefixFrom(kernelAddr, 24)), netns.SetNeighbor(name, netns.Neighbor{
		Addr: deviceAddr, HardwareAddr: e.d.Info().HardwareAddr, State: netns.NeighborPermanent,
	}))
	e.queues = map[int][]int{}
	var readers, senders sync.WaitGroup
	for q := range e.d.Queues() {
		readers.Go(func() { e.read(q) })
	}
	for flow := range flows {
		senders.Go(func() { e.fail(send(flow)) })
	}
	senders.Wait()
	wiretest.Check(t, e.d.Close())
	readers.Wait()
	wiretest.Check(t, e.wrong...)
}

func (e *echoes) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wrong = append(e.wrong, err)
}

// send sends a flow's datagrams and checks that the echoes come in order.
func send(flow int) error {
	local := &net.UDPAddr{IP: kernelAddr.AsSlice(), Port: basePort + flow}
	c, err := net.DialUDP("udp", local, &net.UDPAddr{IP: deviceAddr.AsSlice(), Port: 9})
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(wiretest.Patience))
	b := make([]byte, 4)
	for first := range windows {
		for i := range window {
			binary.BigEndian.PutUint32(b, uint32(first*window+i))
			if _, err := c.Write(b); err != nil {
				return err
			}
		}
		for i := range window {
			if _, err := c.Read(b); err != nil {
				return err
			}
			if got, want := binary.BigEndian.Uint32(b), uint32(first*window+i); got != want {
				return errors.New("a datagram was overtaken")
			}
		}
	}
	return nil
}

// read echoes what comes in on a queue.
func (e *echoes) read(queue int) {
	frames := wiretest.Memory(e.d, 4)
	for {
		n, err := e.d.Read(queue, frames)
		if err != nil {
			return
		}
		for i := range frames[:n] {
			const udp = 14 + 20
			b := frames[i].Bufs[0]
			flow := int(binary.BigEndian.Uint16(b[udp:])) - basePort
			if flow < 0 || flow >= flows {
				continue // of somebody else
			}
			e.mu.Lock()
			e.queues[flow] = append(e.queues[flow], queue)
			n := len(e.queues[flow])
			e.mu.Unlock()
			swap(b[0:6], b[6:12])
			swap(b[14+12:14+16], b[14+16:14+20])
			swap(b[udp:udp+2], b[udp+2:udp+4])
			f := []ethstack.Frame{{Bufs: [][]byte{b[:frames[i].Len]}, Offload: frames[i].Offload}}
			if _, err := e.d.Write(e.write(flow, n), f); err != nil {
				e.fail(err)
			}
		}
	}
}

func swap(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}

// TestFlowStaysOnItsQueue: wherever the frames of the other direction are
// written to, a flow comes in on one queue, in order.
func TestFlowStaysOnItsQueue(t *testing.T) {
	e := echoes{
		d:     open(t, tap.Options{Queues: someQueues}),
		write: func(_, n int) int { return n % someQueues },
	}
	if got := e.d.Queues(); got != someQueues {
		t.Fatalf("the device has %d queues, want %d", got, someQueues)
	}
	e.run(t)
	used := map[int]bool{}
	for flow, queues := range e.queues {
		for _, q := range queues {
			used[q] = true
			if q != queues[0] {
				t.Fatalf("flow %d came in on queues %v", flow, queues)
			}
		}
	}
	if len(used) != someQueues {
		t.Errorf("%d flows came in on queues %v, want all %d", flows, used, someQueues)
	}
}

// TestFlowOfFilesFollowsWrite: there is no queue that the kernel learns nothing
// from, so that a flow comes in where its other direction is written to.
func TestFlowOfFilesFollowsWrite(t *testing.T) {
	e := echoes{
		d:     open(t, tap.Options{Files: queueFiles(t, "passed0")}),
		write: func(flow, _ int) int { return flow % someQueues },
	}
	if got := e.d.Queues(); got != someQueues {
		t.Fatalf("the device has %d queues, want as many as Files, %d", got, someQueues)
	}
	e.run(t)
	for flow, queues := range e.queues {
		for _, q := range queues[window:] {
			if q != flow%someQueues {
				t.Fatalf("flow %d, written to queue %d, came in on queues %v", flow, flow%someQueues, queues)
			}
		}
	}
}
