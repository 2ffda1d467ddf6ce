package conformance_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
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
		Endpoint: ep, NetworkProtocols: ipOnly, HardwareAddr: ep.LinkAddress(), MTU: uint32(dev.Info().MTU),
		Wire: wire, Clock: clock,
	}, nil
}

// TestOnSegment: our endpoint on a virtual segment passes everything.
func TestOnSegment(t *testing.T) {
	nstest.CheckLeaks(t)
	conformance.Run(t, onSegment)
}

// withCompanion makes a subject of which everything can be asked: the companion
// in the stack, jumbo frames, and a device that takes super-frames and hands them
// over. [TestIndex] runs the suite on it.
func withCompanion() (*conformance.Subject, error) {
	const jumbo = 9000
	all := ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6 | ethstack.OffloadECN | ethstack.OffloadUDP
	s, err := onPipe(ethtest.PortOptions{MTU: jumbo, Offloads: all}, ethtest.PortOptions{MTU: 2 * jumbo, Offloads: all})
	if err != nil {
		return nil, err
	}
	s.NetworkProtocols = append(s.NetworkProtocols[:2:2], endpoint.NewProtocol)
	s.Offload = s.Wire.(*portWire).offload
	return s, nil
}

// onSegment makes a subject of our endpoint at one end of a virtual cable.
func onSegment() (*conformance.Subject, error) {
	return onPipe(ethtest.PortOptions{MTU: mtu}, ethtest.PortOptions{MTU: 2 * mtu})
}

func onPipe(o, peers ethtest.PortOptions) (*conformance.Subject, error) {
	near, far, err := ethtest.Pipe(o, peers)
	if err != nil {
		return nil, err
	}
	s, err := ours(near, newPortWire(far))
	if err != nil {
		return nil, err
	}
	s.Unplug = func() { near.SetLinkState(ethstack.LinkGone) }
	s.SetLink = func(up bool) {
		if up {
			near.SetLinkState(ethstack.LinkUp)
		} else {
			near.SetLinkState(ethstack.LinkDown)
		}
	}
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
	var soft ethstack.Segmenter
	p.OnFrame(func(f *ethstack.Frame) {
		frames := []ethstack.Frame{*f}
		if f.Offload != (ethstack.Offload{}) {
			frames, _ = soft.Segment(f, 0) // as the hardware would
		}
		for _, f := range frames {
			select {
			case w.frames <- bytes.Join(f.Bufs, nil):
			default: // as a wire whose end does not read
			}
		}
	})
	return w
}

func (w *portWire) Send(frame []byte) error { return w.offload(frame, conformance.Offload{}) }

// offload sends a frame with metadata, which is virtio's in both.
func (w *portWire) offload(frame []byte, o conformance.Offload) error {
	f := ethstack.Frame{Bufs: [][]byte{frame}}
	if o != (conformance.Offload{}) {
		f.Offload = ethstack.Offload{
			Flags: ethstack.NeedsChecksum, SegmentSize: uint16(o.SegmentSize), HeaderLen: uint16(o.HeaderLen),
			ChecksumStart: uint16(o.ChecksumStart), ChecksumOffset: uint16(o.ChecksumOffset),
		}
	}
	if o.SegmentSize != 0 {
		f.Offload.Segment = ethstack.SegmentTCPv4
		if frame[12] == 0x86 {
			f.Offload.Segment = ethstack.SegmentTCPv6
		}
	}
	_, err := w.port.Write(0, []ethstack.Frame{f})
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
	compare(t, "gvisor-ethernet.txt", gvisorEthernet, conformance.Names()...)
}

// TestNeighborDiscovery lists the attacks that work on netstack's neighbor
// discovery, on our endpoint as on any.
func TestNeighborDiscovery(t *testing.T) {
	report := conformance.Discovery(onSegment)
	t.Logf("%v", report)
	conformance.Golden(t, "gvisor-neighbor-discovery.txt", failures(report))
}
