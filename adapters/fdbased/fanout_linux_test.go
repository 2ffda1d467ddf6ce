package fdbased_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// someQueues is more than one goroutine can read.
const someQueues = 4

// flowFrame makes the n-th UDP datagram of a flow.
func flowFrame(flow, n int) []byte {
	b := ipv4(60, 17)
	binary.BigEndian.PutUint16(b[34:], uint16(20000+flow))
	binary.BigEndian.PutUint16(b[36:], 9)
	binary.BigEndian.PutUint16(b[38:], 26)
	binary.BigEndian.PutUint32(b[42:], uint32(n))
	return b
}

// flowOf returns what flowFrame was given, and false for somebody else's frame.
func flowOf(b []byte) (flow, n int, ok bool) {
	if len(b) != 60 || !bytes.Equal(b[:34], flowFrame(0, 0)[:34]) {
		return 0, 0, false
	}
	return int(binary.BigEndian.Uint16(b[34:])) - 20000, int(binary.BigEndian.Uint32(b[42:])), true
}

// arrivals collects what comes in on a device's queues.
type arrivals struct {
	d       *fdbased.Device
	readers sync.WaitGroup

	mu     sync.Mutex
	queues map[int][]int // of each flow, in the order of time
	number map[int][]int
	count  int
}

func collect(d *fdbased.Device) *arrivals {
	a := &arrivals{d: d, queues: map[int][]int{}, number: map[int][]int{}}
	for q := range d.Queues() {
		a.readers.Go(func() { a.read(q) })
	}
	return a
}

func (a *arrivals) read(queue int) {
	for frames := wiretest.Memory(a.d, 8); ; {
		n, err := a.d.Read(queue, frames)
		if err != nil {
			return
		}
		a.mu.Lock()
		for _, f := range frames[:n] {
			if flow, n, ok := flowOf(f.Bufs[0][:min(f.Len, ethstack.HeadLen)]); ok {
				a.queues[flow], a.number[flow] = append(a.queues[flow], queue), append(a.number[flow], n)
				a.count++
			}
		}
		a.mu.Unlock()
	}
}

// wait waits until so many frames have come, and closes the device.
func (a *arrivals) wait(t *testing.T, n int) {
	t.Helper()
	wiretest.WaitFor(t, "frames to come in", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.count >= n
	})
	wiretest.Check(t, a.d.Close())
	a.readers.Wait()
}

// used returns the queues on which there were frames.
func (a *arrivals) used() map[int]bool {
	used := map[int]bool{}
	for _, queues := range a.queues {
		for _, q := range queues {
			used[q] = true
		}
	}
	return used
}

// TestFlowsOverSeveralQueues: each flow comes in on one queue, in order and
// once, and what the device or its host sends comes in on none.
func TestFlowsOverSeveralQueues(t *testing.T) {
	const flows, each = 64, 20
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{Queues: someQueues})
	if got := d.Queues(); got != someQueues {
		t.Fatalf("the device has %d queues, want %d", got, someQueues)
	}
	kernel, host := wiretest.Listen(t, b, false), wiretest.Listen(t, a, false)
	got := collect(d)
	for n := range each {
		for q := range someQueues {
			want := flowFrame(flows, n)
			if k, err := d.Write(q, []ethstack.Frame{{Bufs: [][]byte{want}}}); k != 1 || err != nil {
				t.Fatalf("Write to queue %d: %d, %v", q, k, err)
			}
			if _, b := kernel.Receive(t); !bytes.Equal(b, want) {
				t.Errorf("through queue %d came %x, want %x", q, b, want)
			}
		}
		host.Send(t, nil, flowFrame(flows+1, n))
		kernel.Receive(t)
		for flow := range flows {
			kernel.Send(t, nil, flowFrame(flow, n))
		}
	}
	got.wait(t, flows*each)
	for flow := range flows {
		queues, numbers := got.queues[flow], got.number[flow]
		if len(numbers) != each {
			t.Fatalf("flow %d: %d frames, want %d", flow, len(numbers), each)
		}
		for n := range each {
			if queues[n] != queues[0] || numbers[n] != n {
				t.Fatalf("flow %d: numbers %v on queues %v", flow, numbers, queues)
			}
		}
	}
	if used := got.used(); len(used) != someQueues || got.count != flows*each {
		t.Errorf("%d frames came in on queues %v; want %d on all %d", got.count, used, flows*each, someQueues)
	}
	wantStats(t, d, fdbased.Stats{})
}

// TestTCPOverSeveralQueues: connections both ways between the kernel and a
// netstack, whose content is checked by its hash.
func TestTCPOverSeveralQueues(t *testing.T) {
	ns, d := station(t, "fa", fdbased.Options{Queues: someQueues})
	kernelAddr, ourAddr := netip.MustParsePrefix("10.8.0.1/24"), netip.MustParsePrefix("10.8.0.2/24")
	kernel, err := lab.NewKernelIn(ns, "eth0", []netip.Prefix{kernelAddr})
	wiretest.Check(t, err)
	netstack, err := lab.NewNetstack(d, lab.NetstackOptions{Name: "netstack", Addrs: []netip.Prefix{ourAddr}})
	wiretest.Check(t, err)
	t.Cleanup(netstack.Close)
	var all sync.WaitGroup
	for i := range uint64(8) {
		x := &lab.Transfer{From: kernel, To: netstack, At: ourAddr.Addr(), Size: 2 << 20, Seed: i}
		if i%2 == 0 {
			x.From, x.To, x.At = x.To, x.From, kernelAddr.Addr()
		}
		all.Go(func() {
			if _, err := x.Run(t.Context()); err != nil {
				t.Errorf("from %s to %s: %v", x.From.Name(), x.To.Name(), err)
			}
		})
	}
	all.Wait()
}

// TestOpenSeveralQueuesUnderTraffic: while the sockets are opened no frame comes
// in twice.
func TestOpenSeveralQueuesUnderTraffic(t *testing.T) {
	a, b := veth(t)
	kernel := wiretest.Listen(t, b, false)
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				kernel.Send(t, nil, flowFrame(n%256, n))
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		sender.Wait()
	})
	for range 20 {
		d := openPacket(t, a, fdbased.Options{Queues: someQueues})
		got := collect(d)
		got.wait(t, 100)
		for flow, numbers := range got.number {
			seen := map[int]bool{}
			for _, n := range numbers {
				if seen[n] {
					t.Fatalf("flow %d: frame %d came in twice, on queues %v", flow, n, got.queues[flow])
				}
				seen[n] = true
			}
		}
	}
}

// TestWriteToStoppedReader: a packet socket passes on at once what is written;
// where nobody reads, it is dropped and counted. What came before is read in
// order, and there is room again.
func TestWriteToStoppedReader(t *testing.T) {
	for _, queues := range []int{1, someQueues} {
		a, b := veth(t)
		d, peer := openPacket(t, a, fdbased.Options{Queues: queues}), openPacket(t, b, fdbased.Options{})
		const most = 1e5
		taken := 0
		for ; peer.Stats().ReadKernelDrops < 1000 && taken < most; taken++ {
			n, err := d.Write(taken%queues, []ethstack.Frame{{Bufs: [][]byte{flowFrame(0, taken)}}})
			if n != 1 || err != nil {
				t.Fatalf("Write of frame %d: %d, %v", taken, n, err)
			}
		}
		got := 0
		for frames := wiretest.Memory(peer, 8); got+int(peer.Stats().ReadKernelDrops) < taken; {
			k, err := peer.Read(0, frames)
			wiretest.Check(t, err)
			for _, f := range frames[:k] {
				if _, n, ok := flowOf(f.Bufs[0][:min(f.Len, ethstack.HeadLen)]); ok {
					if n != got {
						t.Fatalf("frame %d came as number %d of those queued", n, got)
					}
					got++
				}
			}
		}
		want := wiretest.Frame(60, 9)
		wiretest.Write(t, d, want, ethstack.Offload{})
		if b, _ := wiretest.Read(t, peer); !bytes.Equal(b, want) {
			t.Errorf("after that read %x, want %x", b, want)
		}
		if drops := peer.Stats().ReadKernelDrops; drops < 1000 || got == 0 {
			t.Errorf("of %d frames %d were read and %d dropped; want some of both", taken, got, drops)
		}
		wantStats(t, d, fdbased.Stats{})
		wiretest.Check(t, d.Close(), peer.Close(), netns.DelLink(a))
	}
}
