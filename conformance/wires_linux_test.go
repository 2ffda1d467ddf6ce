package conformance

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip"
	gvfdbased "gvisor.dev/gvisor/pkg/tcpip/link/fdbased"

	"github.com/ethlink/ethlink/adapters/channel"
	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// A copper is a veth pair without offloads: what passes it is as on a cable. The
// near end is in the tests' namespace, and what a device is connected to.
type copper struct {
	t         testing.TB
	near, far string
	ns        *netns.Namespace // of the far end
}

func newCopper(t testing.TB) *copper {
	t.Helper()
	c := &copper{t: t, near: "near", far: "far"}
	c.ns = newCable(t, c.near, c.far)
	off := func(name string) func() error { return func() error { return netns.DisableOffloads(name) } }
	wiretest.Check(t, off(c.near)(), c.ns.Do(off(c.far)))
	return c
}

// kernel gives the far end to a kernel with such addresses.
func (c *copper) kernel(addrs ...netip.Addr) *lab.Kernel {
	c.t.Helper()
	wiretest.Check(c.t, c.ns.Do(func() error { return netns.SetIPv6(c.far, true) }))
	k, err := lab.NewKernelIn(c.ns, c.far, prefixes(addrs...))
	wiretest.Check(c.t, err)
	return k
}

// behindTAP connects a TAP to the near end, by a bridge.
func (c *copper) behindTAP(o tap.Options) ethstack.Device {
	c.t.Helper()
	nstest.NeedTUN(c.t)
	newBridge(c.t, "bridge")
	o.Name = "wire%d"
	dev, err := tap.Open(o)
	wiretest.Check(c.t, err)
	name := dev.Info().Name
	wiretest.Check(c.t, netns.SetIPv6(name, false), netns.SetBridge(name, "bridge"), netns.SetBridge(c.near, "bridge"), netns.SetUp(name))
	return dev
}

// packetSocket opens one on the near end.
func (c *copper) packetSocket() ethstack.Device {
	c.t.Helper()
	dev, err := fdbased.OpenPacket(c.near, fdbased.Options{})
	wiretest.Check(c.t, err)
	return dev
}

// withoutMetadata opens a packet socket that has no offload metadata: gVisor's
// link endpoint, as a device.
func (c *copper) withoutMetadata() ethstack.Device {
	c.t.Helper()
	link, err := netns.Link(c.near)
	wiretest.Check(c.t, err)
	fd, err := unix.FcntlInt(uintptr(listenOn(c.t, c.near).fd), unix.F_DUPFD_CLOEXEC, 0)
	wiretest.Check(c.t, err)
	c.t.Cleanup(func() { unix.Close(fd) })
	var none unix.Timeval // gVisor waits by other means
	wiretest.Check(c.t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &none))
	child, err := gvfdbased.New(&gvfdbased.Options{
		FDs: []int{fd}, MTU: 1500, EthernetHeader: true, Address: tcpip.LinkAddress(link.HardwareAddr[:]), PacketDispatchMode: gvfdbased.RecvMMsg,
	})
	wiretest.Check(c.t, err)
	dev, err := endpoint.FromLink(child)
	wiretest.Check(c.t, err)
	return dev
}

// carried makes a device whose frames this program carries to the near end and
// back.
func (c *copper) carried() ethstack.Device {
	c.t.Helper()
	out := c.packetSocket()
	dev, err := channel.New(channel.Options{HardwareAddr: out.Info().HardwareAddr})
	wiretest.Check(c.t, err)
	var carriers sync.WaitGroup
	carriers.Go(func() { carry(out.Read, dev.InjectFrames) })
	carriers.Go(func() {
		carry(func(_ int, f []ethstack.Frame) (int, error) { return dev.NextFrames(context.Background(), f) },
			func(f []ethstack.Frame) (int, error) { return out.Write(0, f) })
	})
	c.t.Cleanup(func() {
		wiretest.Check(c.t, dev.Close(), out.Close())
		carriers.Wait()
	})
	return dev
}

// carry carries frames until there are no more.
func carry(read func(int, []ethstack.Frame) (int, error), write func([]ethstack.Frame) (int, error)) {
	memory, frames := make([][]byte, 8), make([]ethstack.Frame, 8)
	for i := range memory {
		memory[i] = make([]byte, ethstack.MaxSuperFrame)
	}
	for {
		for i := range frames {
			frames[i].Bufs = append(frames[i].Bufs[:0], memory[i])
		}
		n, err := read(0, frames)
		if errors.Is(err, ethstack.ErrDisconnected) {
			return
		}
		for i := range frames[:n] {
			frames[i].Bufs[0] = memory[i][:frames[i].Len]
		}
		write(frames[:n]) // what there is no room for is lost
	}
}

// near is a netstack's end of a wire.
type near struct {
	name    string
	open    func(*copper) ethstack.Device
	fifo    int
	queue   endpoint.Queue
	vlan    ethstack.VLAN
	foreign bool // the device leaves file descriptors and goroutines behind
}

func onOffloadTAP(c *copper) ethstack.Device { return c.behindTAP(tap.Options{}) }
func onPlainTAP(c *copper) ethstack.Device   { return c.behindTAP(tap.Options{NoOffload: true}) }

const someRoom = 1000

// nears are all kinds that there are.
var nears = []near{
	{name: "TAP", open: onOffloadTAP},
	{name: "TAP, fifo", open: onOffloadTAP, fifo: someRoom},
	{name: "TAP, our queue", open: onOffloadTAP, queue: endpoint.Queue{Len: someRoom, Full: endpoint.Wait}},
	{name: "TAP with 3 queues", open: func(c *copper) ethstack.Device { return c.behindTAP(tap.Options{Queues: 3}) }},
	{name: "plain TAP", open: onPlainTAP},
	{name: "plain TAP, fifo", open: onPlainTAP, fifo: someRoom},
	{name: "TAP, VLAN", open: onOffloadTAP, vlan: ethstack.VLAN{{ID: 5}}},
	{name: "TAP, VLAN, fifo", open: onOffloadTAP, fifo: someRoom, vlan: ethstack.VLAN{{EtherType: ethstack.EtherTypeServiceVLAN, ID: 6}, {ID: 5}}},
	{name: "packet socket", open: (*copper).packetSocket},
	{name: "packet socket, fifo", open: (*copper).packetSocket, fifo: someRoom},
	{name: "packet socket without metadata", open: (*copper).withoutMetadata, foreign: true},
	{name: "channel", open: (*copper).carried},
	{name: "channel, fifo", open: (*copper).carried, fifo: someRoom},
}

// netstack makes a netstack on a device, in a VLAN if there is one.
func (n *near) netstack(t testing.TB, name string, dev ethstack.Device, addrs ...netip.Addr) *lab.Netstack {
	t.Helper()
	o := lab.NetstackOptions{Name: name, Addrs: prefixes(addrs...), FIFO: n.fifo}
	eo := endpoint.Options{Queue: n.queue}
	ep, err := endpoint.New(dev, eo)
	wiretest.Check(t, err)
	t.Cleanup(ep.Close) // in a VLAN it has no netstack
	if n.vlan != (ethstack.VLAN{}) {
		ep, err = ep.VLAN(n.vlan, eo)
		wiretest.Check(t, err)
	}
	s, err := lab.NewNetstackOn(ep, o)
	wiretest.Check(t, err)
	t.Cleanup(func() { within(t, "closing a netstack", s.Close) })
	return s
}

// far returns the station at the other end: a kernel, or, since few kernels have
// VLANs, another netstack.
func (n *near) far(c *copper, addrs ...netip.Addr) lab.Station {
	c.t.Helper()
	if n.vlan == (ethstack.VLAN{}) {
		return c.kernel(addrs...)
	}
	other := near{vlan: n.vlan}
	return other.netstack(c.t, "far", openPacketIn(c.t, c.ns, c.far, fdbased.Options{}), addrs...)
}
