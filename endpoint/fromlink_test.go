package endpoint_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/link/veth"
	gvisorarp "gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest/devicetest"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// frameMTU is the MTU of a child whose MTU counts the Ethernet header.
const frameMTU = 1500 + ethstack.HeaderLen

func fromLink(t testing.TB, child stack.LinkEndpoint) *endpoint.LinkDevice {
	t.Helper()
	d, err := endpoint.FromLink(child)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// A childPair makes two link endpoints whose frames arrive at each other.
type childPair struct {
	name string
	make func(t testing.TB) (a, b stack.LinkEndpoint)
}

var childPairs = []childPair{
	{"veth", func(testing.TB) (stack.LinkEndpoint, stack.LinkEndpoint) {
		a, b := veth.NewPair(frameMTU, veth.DefaultBacklogSize)
		return a, b
	}},
	{"pipe", func(testing.TB) (stack.LinkEndpoint, stack.LinkEndpoint) {
		a, b := pipe.New("\x02\x00\x00\x00\x00\x0a", "\x02\x00\x00\x00\x00\x0b", frameMTU)
		return a, b
	}},
	{"channel", func(t testing.TB) (stack.LinkEndpoint, stack.LinkEndpoint) { return channels(t, stack.GSONotSupported) }},
	{"channel with host GSO", func(t testing.TB) (stack.LinkEndpoint, stack.LinkEndpoint) {
		return channels(t, stack.HostGSOSupported)
	}},
	{"ethernet over channel", func(t testing.TB) (stack.LinkEndpoint, stack.LinkEndpoint) {
		a, b := channels(t, stack.GSONotSupported)
		return ethernet.New(a), ethernet.New(b)
	}},
}

// channels makes two channel endpoints and carries frames between them.
func channels(t testing.TB, gso stack.SupportedGSO) (a, b *channel.Endpoint) {
	a = channel.New(1024, frameMTU, "\x02\x00\x00\x00\x00\x0a")
	b = channel.New(1024, frameMTU, "\x02\x00\x00\x00\x00\x0b")
	a.SupportedGSOKind, b.SupportedGSOKind = gso, gso
	ctx, cancel := context.WithCancel(context.Background())
	var carriers sync.WaitGroup
	carriers.Go(func() { carryPackets(ctx, a, b) })
	carriers.Go(func() { carryPackets(ctx, b, a) })
	t.Cleanup(func() {
		cancel()
		carriers.Wait()
	})
	return a, b
}

func carryPackets(ctx context.Context, from, to *channel.Endpoint) {
	for {
		out := from.ReadContext(ctx)
		if out == nil {
			return
		}
		in := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(out.ToView())})
		in.GSOOptions = out.GSOOptions
		to.InjectInbound(out.NetworkProtocolNumber, in)
		in.DecRef()
		out.DecRef()
	}
}

func TestFromLinkContract(t *testing.T) {
	for _, p := range childPairs {
		t.Run(p.name, func(t *testing.T) {
			nstest.CheckLeaks(t)
			devicetest.Run(t, func(t *testing.T) (ethstack.Device, ethstack.Device) {
				a, b := p.make(t)
				return fromLink(t, a), fromLink(t, b)
			})
		})
	}
}

// hostOn makes a host with a link endpoint that is ready for a NIC.
func hostOn(t testing.TB, n byte, link stack.LinkEndpoint, more ...stack.NetworkProtocolFactory) *host {
	t.Helper()
	return hostIn(t, 0, n, link, more...)
}

// hostIn makes one in a network of which it believes that it is all there is.
func hostIn(t testing.TB, net, n byte, link stack.LinkEndpoint, more ...stack.NetworkProtocolFactory) *host {
	t.Helper()
	h := &host{t: t, net: net, n: n, stack: stack.New(stack.Options{
		NetworkProtocols:   append(more, ipv4.NewProtocol, ipv6.NewProtocol),
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})}
	t.Cleanup(func() {
		h.stack.Destroy()
		link.Close()
	})
	if err := h.stack.CreateNIC(nicID, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range protocols {
		a := tcpip.ProtocolAddress{Protocol: p.number, AddressWithPrefix: h.addr(p.number, 0).Addr.WithPrefix()}
		a.AddressWithPrefix.PrefixLen = 24
		if err := h.stack.AddProtocolAddress(nicID, a, stack.AddressProperties{}); err != nil {
			t.Fatal(err)
		}
	}
	h.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nicID}, {Destination: header.IPv6EmptySubnet, NIC: nicID}})
	return h
}

func ours(t testing.TB, child stack.LinkEndpoint) *endpoint.Endpoint {
	t.Helper()
	ep, err := endpoint.New(fromLink(t, child), endpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return ep
}

// TestFromLinkStacks: two stacks reach each other over every kind of child, ours
// at one end and ours or netstack's own Ethernet and ARP at the other.
func TestFromLinkStacks(t *testing.T) {
	test := func(t *testing.T, a, b *host) {
		for _, p := range protocols {
			for _, n := range []int{0, 56, 4000} {
				a.mustPing(p.number, b.addr(p.number, 0).Addr, n)
				b.mustPing(p.number, a.addr(p.number, 0).Addr, n)
			}
			stream(t, a, b, p.number, size(1<<20, 1<<18))
		}
	}
	for _, p := range childPairs {
		t.Run(p.name, func(t *testing.T) {
			nstest.CheckLeaks(t)
			x, y := p.make(t)
			a, b := ours(t, x), ours(t, y)
			if got := a.MTU(); got != 1500 {
				t.Errorf("MTU is %d, want 1500", got)
			}
			test(t, hostOn(t, 2, a), hostOn(t, 3, b))
			if s := a.Interface().Stats(); s.RxDropped() != 0 || s.RxARP == 0 {
				t.Errorf("received frames were dropped, or no ARP was seen: %+v", s)
			}
		})
		if p.name == "ethernet over channel" || p.name == "channel with host GSO" {
			// The one is what netstack's own end has; the other leaves checksums
			// to be completed, which that end does not expect.
			continue
		}
		t.Run(p.name+" to netstack's own", func(t *testing.T) {
			nstest.CheckLeaks(t)
			x, y := p.make(t)
			test(t, hostOn(t, 2, ours(t, x)), hostOn(t, 3, ethernet.New(y), gvisorarp.NewProtocol))
		})
	}
}

// typed is a child with another ARP hardware type.
type typed struct {
	stack.LinkEndpoint
	kind header.ARPHardwareType
}

func (c typed) ARPHardwareType() header.ARPHardwareType { return c.kind }

func TestFromLinkErrors(t *testing.T) {
	attached := channel.New(1, frameMTU, "")
	attached.Attach(stopDispatcher{})
	for name, child := range map[string]stack.LinkEndpoint{
		"nil":                         nil,
		"loopback":                    loopback.New(),
		"Ethernet without its header": typed{channel.New(1, frameMTU, ""), header.ARPHardwareEther},
		"unknown hardware":            typed{channel.New(1, frameMTU, ""), 32},
		"attached":                    attached,
	} {
		if d, err := endpoint.FromLink(child); err == nil {
			t.Errorf("%s: no error", name)
			d.Close()
		}
	}
	if !attached.IsAttached() {
		t.Error("a child that was refused is no longer attached")
	}
}

// stopDispatcher is somebody to be attached to.
type stopDispatcher struct{}

func (stopDispatcher) DeliverNetworkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}
func (stopDispatcher) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer)    {}

func TestFromLinkInfo(t *testing.T) {
	child := channel.New(1, 1514, "\x02\x00\x00\x00\x00\x0a")
	d := fromLink(t, child)
	want := ethstack.DeviceInfo{Name: "*channel.Endpoint", HardwareAddr: ethstack.HardwareAddr{2, 5: 0xa}, MTU: 1500, MaxFrame: 1518}
	if diff := cmp.Diff(want, d.Info()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	child.SetMTU(9014)
	child.SetLinkAddress("")
	want.HardwareAddr, want.MTU, want.MaxFrame = ethstack.HardwareAddr{}, 9000, 9018
	if diff := cmp.Diff(want, d.Info()); diff != "" {
		t.Errorf("after changes of the child (-want +got):\n%s", diff)
	}

	child = channel.New(1, 1514, "")
	child.SupportedGSOKind = stack.HostGSOSupported
	got := fromLink(t, child).Info()
	if tcp := ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6; got.Offloads != tcp || got.MaxFrame != 1<<15+14 {
		t.Errorf("with host GSO: offloads %v, longest frame %d; want %v, %d", got.Offloads, got.MaxFrame, tcp, 1<<15+14)
	}
}
