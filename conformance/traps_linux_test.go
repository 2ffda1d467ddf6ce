package conformance

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/adapters/channel"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// What follows are traps that other link endpoints have fallen into.

// TestStrayUnicast: frames for another host, as a bridge floods them, do not end
// reception. (They do with gVisor's link/fdbased on a TAP.)
func TestStrayUnicast(t *testing.T) {
	for _, n := range nears {
		if n.fifo > 0 || n.queue.Len > 0 || n.vlan != (ethstack.VLAN{}) || n.foreign {
			continue // received by the same code; or gVisor's endpoint drops them itself
		}
		t.Run(n.name, func(t *testing.T) {
			ctx := lasting(t, time.Minute)
			c := newCopper(t)
			ours := n.netstack(t, "netstack", n.open(c), oursIPv4)
			kernel := c.kernel(kernelIPv4)
			var p *packetSocket
			wiretest.Check(t, c.ns.Do(func() error { p = listenOn(t, c.far); return nil }))
			const strays = 100
			before := rxFrames(ours)
			for i := range byte(strays) {
				p.send(ether(hardwareAddr{2, 0, 0, 0, 0x99, i}, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, data(100))))
			}
			wiretest.WaitFor(t, "all of them are read", func() bool { return rxFrames(ours) >= before+strays })
			if _, err := lab.Ping(ctx, kernel, oursIPv4, 1000); err != nil {
				t.Errorf("ping behind %d strays: %v", strays, err)
			}
			if n := ours.Endpoint().Interface().Stats().Drops[ethstack.DropForeign]; n != strays {
				t.Errorf("%d frames were dropped as %v, want %d", n, ethstack.DropForeign, strays)
			}
		})
	}
}

// rxFrames returns how many frames a netstack's endpoint has read.
func rxFrames(n *lab.Netstack) uint64 { return n.Endpoint().Interface().Stats().RxFrames }

// TestSYNAndUDPHaveChecksums: a device that completes checksums is asked to do so
// for what says so in its metadata only, and SYN segments and datagrams do not.
// (With CapabilityTXChecksumOffload netstack sends them without any.)
func TestSYNAndUDPHaveChecksums(t *testing.T) {
	noLeaks(t)
	ctx := lasting(t, time.Minute)
	dev, err := channel.New(channel.Options{HardwareAddr: ethstack.HardwareAddr{2, 0, 0, 0, 0, 1}, Offloads: everyOffload})
	wiretest.Check(t, err)
	ours, err := lab.NewNetstack(dev, lab.NetstackOptions{Name: "netstack", Addrs: prefixes(oursIPv4)})
	wiretest.Check(t, err)
	t.Cleanup(ours.Close)
	i := ours.Endpoint().Interface()
	wiretest.Check(t, i.AddStaticNeighbor(kernelIPv4, ethstack.HardwareAddr(gateway.hw)))
	dialing, giveUp := context.WithCancel(ctx)
	dialed := make(chan struct{})
	go func() {
		ours.Dial(dialing, netip.AddrPortFrom(kernelIPv4, 80)) // nobody answers
		close(dialed)
	}()
	defer func() {
		giveUp()
		<-dialed
	}()
	c, err := ours.DialUDP(netip.AddrPortFrom(kernelIPv4, 7))
	wiretest.Check(t, err)
	defer c.Close()
	_, err = c.Write(data(999))
	wiretest.Check(t, err)
	for want := map[string]bool{"IPv4 TCP": true, "IPv4 UDP": true}; len(want) > 0; {
		out := wiretest.Memory(dev, 1)
		if n, err := dev.NextFrames(ctx, out); n != 1 || err != nil {
			t.Fatalf("waiting for frames: %d, %v; without any: %v", n, err, want)
		}
		f := append(frame(nil), out[0].Bufs[0]...)
		f = append(f, out[0].Bufs[1]...)[:out[0].Len]
		kind, err := inspect(f, 1500)
		if err != nil || out[0].Offload != (ethstack.Offload{}) {
			t.Errorf("%s: %v, metadata %+v; want a checksum, and no metadata", kind, err, out[0].Offload)
		}
		delete(want, kind)
	}
}

// TestLargestPacket: the longest frame that a kernel sends comes from a TAP whole:
// from 65536 bytes on, Ethernet header included, it takes a super-frame apart
// (gso_max_size). That longer ones are received, for which netstack's largest piece
// of memory is too small, endpoint's TestReceiveMemory shows.
func TestLargestPacket(t *testing.T) {
	lasting(t, time.Minute)
	w := newWire(t, wireOptions{quiet: true})
	p := liar(t, w.iface)
	i := w.ours.Endpoint().Interface()
	f := ether(hw(i.HardwareAddr()), alice.hw, typeIPv4, segment4(alice.ipv4, ownIPv4, header.TCPFlagAck, make([]byte, 65521-40)))
	h := header.TCP(f[transport4:])
	h.SetChecksum(header.PseudoHeaderChecksum(header.TCPProtocolNumber, alice.ipv4, ownIPv4, uint16(len(h))))
	o := super4(ethstack.SegmentTCPv4, tcpField)
	before, resets := i.Stats(), w.ours.Stack().Stats().TCP.ResetsSent.Value()
	wiretest.Check(t, p.sendWith(f, o))
	wiretest.WaitFor(t, "it is delivered", func() bool { return i.Stats().RxDelivered > before.RxDelivered })
	now := i.Stats()
	if n := now.RxBytes - before.RxBytes; n != 65535 {
		t.Errorf("the frame had %d bytes, want 65535", n)
	}
	wiretest.WaitFor(t, "TCP answers that nobody listens", func() bool {
		return w.ours.Stack().Stats().TCP.ResetsSent.Value() == resets+1
	})
}

// TestFloodThroughQueue: more datagrams than a queue before the device takes do
// not wedge it. (gVisor's link/xdp sends nothing afterwards.)
func TestFloodThroughQueue(t *testing.T) {
	for _, n := range nears {
		if n.fifo == 0 && n.queue.Len == 0 {
			continue
		}
		t.Run(n.name, func(t *testing.T) {
			ctx := lasting(t, time.Minute)
			c := newCopper(t)
			n.queue.Full = endpoint.DropNewest
			ours := n.netstack(t, "netstack", n.open(c), oursIPv4)
			far := n.far(c, kernelIPv4)
			if _, err := lab.Ping(ctx, ours, kernelIPv4, 100); err != nil {
				t.Fatal(err)
			}
			sink, err := far.ListenUDP(netip.AddrPortFrom(kernelIPv4, openPort)) // which nobody reads
			wiretest.Check(t, err)
			defer sink.Close()
			socket, err := ours.DialUDP(netip.AddrPortFrom(kernelIPv4, openPort))
			wiretest.Check(t, err)
			defer socket.Close()
			for i := range size(100_000, 20_000) {
				wiretest.Check(t, write(ctx, socket, data(1+i%1400)))
			}
			// The end of the flood may still be in its way.
			wiretest.WaitFor(t, "pings are answered behind the flood", func() bool {
				_, err := lab.Ping(ctx, ours, kernelIPv4, 1000)
				return err == nil
			})
			x := lab.Transfer{From: ours, To: far, At: kernelIPv4, Size: 1 << 20}
			if _, err := x.Run(ctx); err != nil {
				t.Errorf("TCP behind the flood: %v", err)
			}
		})
	}
}

// TestFullDeviceCounts: each packet that a device has no room for is counted, by
// the device and the interface, and when there is room again packets go out.
func TestFullDeviceCounts(t *testing.T) {
	noLeaks(t)
	ctx := lasting(t, time.Minute)
	dev, peer := newSocketpair(t, unix.SOCK_DGRAM)
	t.Cleanup(func() { peer.Close() })
	ours, err := lab.NewNetstack(dev, lab.NetstackOptions{Name: "netstack", Addrs: prefixes(oursIPv4)})
	wiretest.Check(t, err)
	t.Cleanup(ours.Close)
	i := ours.Endpoint().Interface()
	wiretest.Check(t, i.AddStaticNeighbor(kernelIPv4, ethstack.HardwareAddr(gateway.hw)))
	c, err := ours.DialUDP(netip.AddrPortFrom(kernelIPv4, 7))
	wiretest.Check(t, err)
	defer c.Close()
	before, full := i.Stats(), dev.Stats().WriteFull
	const count = 20_000
	for range count {
		if _, err := c.Write(data(1000)); err != nil {
			t.Fatal(err)
		}
	}
	now := i.Stats()
	sent, dropped := now.TxFrames-before.TxFrames, now.Drops[ethstack.DropTxFull]-before.Drops[ethstack.DropTxFull]
	if dropped == 0 || sent+dropped != count || dev.Stats().WriteFull-full != dropped {
		t.Errorf("of %d packets %d were sent and %d dropped, %d by the device's count; want all, and some dropped", count, sent, dropped, dev.Stats().WriteFull-full)
	}
	last := []byte("there is room again")
	arrived := make(chan bool, 1)
	go func() { arrived <- readUntil(peer, isDatagram(last)) }()
	for {
		_, err := c.Write(last)
		wiretest.Check(t, err, ctx.Err())
		select {
		case ok := <-arrived:
			if !ok {
				t.Error("the datagram behind the flood did not arrive")
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}
