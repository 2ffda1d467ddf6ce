package bench

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	ownarp "github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
)

// nicID is the number of a netstack's only interface in memory.
const nicID = 1

// ownAddr is the netstack's: every other address of 10/8 is a neighbor's.
var ownAddr = [4]byte{10, 0, 0, 1}

// frameLen is the length of an ARP packet's frame without padding.
const frameLen = 42

// Where the fields of ARP are in a frame.
const (
	operationAt = 20
	senderAt    = 22 // hardware address, then IP address
	targetAt    = 32
)

// maxHops is how many neighbors are used at most.
const maxHops = 100_000

// A neighborhood answers every ARP request, and counts what else it is sent.
type neighborhood struct {
	replies   chan [frameLen]byte
	delivered atomic.Uint64
	answered  atomic.Uint64 // ARP replies that came
	asked     atomic.Uint64 // ARP requests that came
}

func newNeighborhood() *neighborhood {
	return &neighborhood{replies: make(chan [frameLen]byte, 2*maxHops)}
}

// take takes the beginning of a frame. What the queue has no room for is lost.
func (n *neighborhood) take(head []byte) {
	switch {
	case head[12] != 0x08 || head[13] != 0x06:
		n.delivered.Add(1)
	case head[operationAt+1] == 2:
		n.answered.Add(1)
	default:
		n.asked.Add(1)
		target := [4]byte(head[targetAt+6:])
		if target == ownAddr {
			return // an announcement
		}
		select {
		case n.replies <- arpFrame(2, target, [6]byte(head[6:])):
		default:
		}
	}
}

// settle waits until all replies have been taken.
func (n *neighborhood) settle() {
	for deadline := time.Now().Add(10 * time.Second); len(n.replies) > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

// arpFrame makes a packet from a neighbor to ownAddr.
func arpFrame(operation byte, sender [4]byte, to [6]byte) (f [frameLen]byte) {
	hw := [6]byte{2, 0, sender[0], sender[1], sender[2], sender[3]}
	copy(f[:], to[:])
	copy(f[6:], hw[:])
	copy(f[12:], "\x08\x06\x00\x01\x08\x00\x06\x04\x00")
	f[operationAt+1] = operation
	copy(f[senderAt:], hw[:])
	copy(f[senderAt+6:], sender[:])
	copy(f[targetAt+6:], ownAddr[:])
	return f
}

// neighborAt returns the address of neighbor i.
func neighborAt(i int) (a [4]byte) {
	binary.BigEndian.PutUint32(a[:], 10<<24|uint32(i+2))
	return a
}

// ownHardwareAddr is the netstack's.
const ownHardwareAddr = "\x02\x00\x00\x00\x00\x01"

// theirs is gVisor's own Ethernet and ARP on the neighborhood.
type theirs struct {
	*channel.Endpoint
	n     *neighborhood
	stack *stack.Stack
	end   chan struct{}
	wg    sync.WaitGroup
}

func newTheirs(b testing.TB) *theirs {
	t := &theirs{Endpoint: channel.New(1, 1514, ownHardwareAddr), n: newNeighborhood(), end: make(chan struct{})}
	t.stack = newStack(b, ethernet.New(t), arp.NewProtocol)
	t.wg.Go(func() {
		for {
			select {
			case f := <-t.n.replies:
				t.inject(f[:])
			case <-t.end:
				return
			}
		}
	})
	b.Cleanup(func() {
		close(t.end)
		t.wg.Wait()
		t.stack.Destroy()
	})
	return t
}

func (t *theirs) inject(frame []byte) {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
	t.InjectInbound(0, pkt)
	pkt.DecRef()
}

func (t *theirs) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range list.AsSlice() {
		var head [frameLen]byte
		at := 0
		views, skip := pkt.AsViewList()
		for v := views.Front(); v != nil && at < len(head); v = v.Next() {
			x := v.AsSlice()
			if skip >= len(x) {
				skip -= len(x)
				continue
			}
			at += copy(head[at:], x[skip:])
			skip = 0
		}
		t.n.take(head[:])
	}
	return list.Len(), nil
}

// ours is this module on the neighborhood, which is its device.
type ours struct {
	n        *neighborhood
	endpoint *endpoint.Endpoint
	stack    *stack.Stack
	// flood makes ARP requests: see requests.
	flood chan int
	idle  chan struct{}
	left  int
	next  int
	from  int
	end   chan struct{}
	once  sync.Once
}

func newOurs(b testing.TB) *ours {
	o := &ours{n: newNeighborhood(), flood: make(chan int), idle: make(chan struct{}), end: make(chan struct{})}
	// gVisor's table has 512 entries, and no option; and it limits no rates.
	limits := ownarp.Config{MaxEntries: 2 * maxHops, MaxUnresolved: 2 * maxHops, MaxRequestRate: 1 << 20, MaxReplyRate: 1 << 20}
	ep, err := endpoint.New(o, endpoint.Options{ARP: limits})
	if err != nil {
		b.Fatal(err)
	}
	o.endpoint = ep
	o.stack = newStack(b, ep)
	b.Cleanup(func() {
		o.stack.Destroy()
		ep.Close()
	})
	return o
}

// requests makes ARP requests from so many neighbors in turn, and returns when
// they have been read and what came of them was done.
func (o *ours) requests(n, from int) {
	o.from = from
	o.flood <- n
	<-o.idle
}

func (o *ours) Info() ethstack.DeviceInfo {
	return ethstack.DeviceInfo{Name: "neighborhood", HardwareAddr: ethstack.HardwareAddr([]byte(ownHardwareAddr)), MTU: 1500, MaxFrame: 1514}
}

func (*ours) Queues() int { return 1 }

func (o *ours) Read(_ int, frames []ethstack.Frame) (int, error) {
	if o.left > 0 {
		n := min(o.left, len(frames))
		for i := range frames[:n] {
			o.next++
			fill(&frames[i], arpFrame(1, neighborAt(o.next%o.from), [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}))
		}
		if o.left -= n; o.left == 0 {
			o.left = -1
		}
		return n, nil
	}
	if o.left < 0 {
		o.left = 0
		o.idle <- struct{}{}
	}
	for {
		select {
		case f := <-o.n.replies:
			fill(&frames[0], f)
			return 1, nil
		case n := <-o.flood:
			o.left = n
			return o.Read(0, frames)
		case <-o.end:
			return 0, ethstack.ErrDisconnected
		}
	}
}

func fill(f *ethstack.Frame, b [frameLen]byte) {
	f.Len, f.Offload = copy(f.Bufs[0], b[:]), ethstack.Offload{}
}

func (o *ours) Write(_ int, frames []ethstack.Frame) (int, error) {
	for i := range frames {
		var head [frameLen]byte
		at := 0
		for _, x := range frames[i].Bufs {
			at += copy(head[at:], x)
		}
		o.n.take(head[:])
		frames[i].Err = nil
	}
	return len(frames), nil
}

func (*ours) Notify(f func(ethstack.LinkState)) {
	if f != nil {
		f(ethstack.LinkUp)
	}
}

func (o *ours) Close() error {
	o.once.Do(func() { close(o.end) })
	return nil
}

// newStack makes a netstack with ownAddr/8.
func newStack(b testing.TB, ep stack.LinkEndpoint, more ...stack.NetworkProtocolFactory) *stack.Stack {
	b.Helper()
	s := stack.New(stack.Options{
		NetworkProtocols:   append([]stack.NetworkProtocolFactory{ipv4.NewProtocol}, more...),
		TransportProtocols: []stack.TransportProtocolFactory{udp.NewProtocol},
	})
	if err := s.CreateNIC(nicID, ep); err != nil {
		b.Fatal(err)
	}
	a := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(ownAddr), PrefixLen: 8}
	if err := s.AddProtocolAddress(nicID, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: a}, stack.AddressProperties{}); err != nil {
		b.Fatal(err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: a.Subnet(), NIC: nicID}})
	return s
}

// inTurn gives each of two functions n operations, some at a time, and reports
// how long they take for one, and how many times as long the first takes. It
// returns how long each took for all.
func inTurn(b *testing.B, ops int, first, second func(n int)) (took [2]time.Duration) {
	b.Helper()
	n := 0
	for b.Loop() {
		for i, f := range []func(int){first, second} {
			start := time.Now()
			f(ops)
			took[i] += time.Since(start)
		}
		n += ops
	}
	b.ReportMetric(float64(took[0].Nanoseconds())/float64(n), "ns/gVisor")
	b.ReportMetric(float64(took[1].Nanoseconds())/float64(n), "ns/ours")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "x-gVisor")
	// How long an iteration takes says nothing.
	b.ReportMetric(0, "ns/op")
	return took
}
