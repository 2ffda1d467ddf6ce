package conformance_test

import (
	"context"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/conformance"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

var hardwareAddr = ethstack.HardwareAddr{0x02, 0xaa, 0, 0, 0, 2}

const mtu = 1500

// ipOnly are the protocols for an endpoint with an ARP of its own, withARP for
// one without.
var (
	ipOnly  = []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol}
	withARP = append(ipOnly[:2:2], arp.NewProtocol)
)

// linkClock is a conformance.Clock for a link.
type linkClock struct{ *conformance.Clock }

func (c linkClock) Now() time.Duration { return c.Elapsed() }

func (c linkClock) AfterFunc(d time.Duration, f func()) ethstack.Timer {
	return linkTimer{c.Clock.AfterFunc(d, f)}
}

type linkTimer struct{ tcpip.Timer }

func (t linkTimer) Reset(d time.Duration) bool {
	was := t.Stop()
	t.Timer.Reset(d)
	return was
}

// ours makes a subject of our endpoint on a device.
func ours(dev ethstack.Device, wire conformance.Wire) (*conformance.Subject, error) {
	clock := conformance.NewClock()
	ep, err := endpoint.New(dev, endpoint.Options{HardwareAddr: hardwareAddr, Clock: linkClock{clock}})
	if err != nil {
		return nil, err
	}
	return &conformance.Subject{
		Endpoint: ep, NetworkProtocols: ipOnly, HardwareAddr: tcpip.LinkAddress(hardwareAddr[:]), MTU: mtu,
		Wire: wire, Clock: clock,
	}, nil
}

// TestOnSegment: our endpoint on a virtual segment passes everything.
func TestOnSegment(t *testing.T) {
	nstest.CheckLeaks(t)
	conformance.Run(t, onSegment)
}

// onSegment makes a subject of our endpoint at one end of a virtual cable.
func onSegment() (*conformance.Subject, error) {
	near, far, err := ethtest.Pipe(ethtest.PortOptions{MTU: mtu}, ethtest.PortOptions{MTU: 2 * mtu})
	if err != nil {
		return nil, err
	}
	s, err := ours(near, newPortWire(far))
	if err != nil {
		return nil, err
	}
	s.Unplug = func() { near.SetLinkState(ethstack.LinkGone) }
	s.Close = func() { far.Close() }
	return s, nil
}

// portWire is the far end of an ethtest.Pipe.
type portWire struct {
	port   *ethtest.Port
	frames chan []byte
}

func newPortWire(p *ethtest.Port) *portWire {
	w := &portWire{port: p, frames: make(chan []byte, 4096)}
	p.OnFrame(func(f *ethstack.Frame) {
		select {
		case w.frames <- append([]byte(nil), f.Bufs[0][:f.Len]...):
		default: // as a wire whose end does not read
		}
	})
	return w
}

func (w *portWire) Send(frame []byte) error {
	_, err := w.port.Write(0, []ethstack.Frame{{Bufs: [][]byte{frame}}})
	return err
}

func (w *portWire) Recv(timeout time.Duration) []byte {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	select {
	case f := <-w.frames:
		return f
	default:
	}
	select {
	case f := <-w.frames:
		return f
	case <-ctx.Done():
		return nil
	}
}

// TestGvisorEthernet: gVisor's link/ethernet with its network/arp.
func TestGvisorEthernet(t *testing.T) {
	t.Parallel()
	compare(t, "gvisor-ethernet.txt", func() (*conformance.Subject, error) {
		child := channel.New(4096, mtu+ethstack.HeaderLen, tcpip.LinkAddress(hardwareAddr[:]))
		return &conformance.Subject{
			Endpoint: ethernet.New(child), NetworkProtocols: withARP, HardwareAddr: child.LinkAddress(), MTU: mtu,
			Wire: channelWire{child}, Clock: conformance.NewClock(),
		}, nil
	}, conformance.Names()...)
}

// channelWire is the other end of a channel.Endpoint.
type channelWire struct{ *channel.Endpoint }

func (w channelWire) Send(frame []byte) error {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
	defer pkt.DecRef()
	w.InjectInbound(0, pkt)
	return nil
}

func (w channelWire) Recv(timeout time.Duration) []byte {
	pkt := w.Read()
	if pkt == nil && timeout > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		pkt = w.ReadContext(ctx)
	}
	if pkt == nil {
		return nil
	}
	defer pkt.DecRef()
	v := pkt.ToView()
	defer v.Release()
	return append([]byte(nil), v.AsSlice()...)
}

// TestNeighborDiscovery lists the attacks that work on netstack's neighbor
// discovery, on our endpoint as on any.
func TestNeighborDiscovery(t *testing.T) {
	report := conformance.Discovery(onSegment)
	t.Logf("%v", report)
	golden(t, "gvisor-neighbor-discovery.txt", failures(report))
}
