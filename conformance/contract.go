package conformance

import (
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// What netstack expects of the methods of a stack.LinkEndpoint on Ethernet,
// apart from moving packets. The clause is the method.
var contract = []check{
	{
		requirement: "C1", clause: "LinkEndpoint, Capabilities", name: "capabilities", level: Must, bare: true,
		asks: "The capabilities do not change over the endpoint's life; they ask for resolution and do not claim a loopback.",
		test: func(t *trial) {
			first := t.Endpoint.Capabilities()
			if first&stack.CapabilityResolutionRequired == 0 {
				t.errorf("no CapabilityResolutionRequired: IPv6 neighbors would not be asked for")
			}
			if first&stack.CapabilityLoopback != 0 {
				t.errorf("CapabilityLoopback: this is Ethernet")
			}
			t.constant("Capabilities", func() any { return t.Endpoint.Capabilities() })
		},
	}, {
		requirement: "C2", clause: "LinkEndpoint, MaxHeaderLength", name: "header_length", level: Must, bare: true,
		asks: "The header length does not change over the endpoint's life and has room for the Ethernet header.",
		test: func(t *trial) {
			if n := t.Endpoint.MaxHeaderLength(); n < headerLen {
				t.errorf("MaxHeaderLength is %d, want at least %d", n, headerLen)
			}
			t.constant("MaxHeaderLength", func() any { return t.Endpoint.MaxHeaderLength() })
		},
	}, {
		requirement: "C3", clause: "LinkEndpoint, ARPHardwareType", name: "identity", level: Must, bare: true,
		asks: "The hardware type is Ethernet, the link address 6 bytes with the group bit clear, and what the subject says.",
		test: func(t *trial) {
			if got := t.Endpoint.ARPHardwareType(); got != header.ARPHardwareEther {
				t.errorf("ARPHardwareType is %d, want %d", got, header.ARPHardwareEther)
			}
			if got := t.Endpoint.LinkAddress(); got != t.HardwareAddr || got[0]&1 != 0 {
				t.errorf("LinkAddress is %v, want %v with the group bit clear", got, t.HardwareAddr)
			}
		},
	}, {
		requirement: "C4", clause: "LinkEndpoint, MTU", name: "mtu", level: Must, bare: true,
		asks: "The MTU is that of IP, without the Ethernet header, and SetMTU lowers it.",
		test: func(t *trial) {
			if got := t.Endpoint.MTU(); got != t.MTU {
				t.errorf("MTU is %d, want %d", got, t.MTU)
			}
			t.Endpoint.SetMTU(t.MTU - 200)
			if got := t.Endpoint.MTU(); got != t.MTU-200 {
				t.errorf("MTU after SetMTU(%d) is %d", t.MTU-200, got)
			}
		},
	}, {
		requirement: "C5", clause: "LinkEndpoint, AddHeader", name: "add_header", level: Must, bare: true,
		asks: "AddHeader pushes one header, not longer than MaxHeaderLength, with the route's addresses and the packet's type.",
		test: func(t *trial) {
			pkt := t.packet(data(40), typeIPv4, alice.hw, t.own)
			defer pkt.DecRef()
			t.Endpoint.AddHeader(pkt)
			got := pkt.LinkHeader().Slice()
			if len(got) != headerLen || len(got) > int(t.Endpoint.MaxHeaderLength()) {
				t.fatalf("AddHeader pushed %d bytes, want %d", len(got), headerLen)
			}
			t.equal("the header", got, ether(alice.hw, t.own, typeIPv4))
		},
	}, {
		requirement: "C5", clause: "LinkEndpoint, AddHeader", name: "foreign_source", level: Must, bare: true,
		asks: "AddHeader honours a source address in the route that is not the endpoint's: a transparent bridge sends so.",
		test: func(t *trial) {
			pkt := t.packet(data(40), typeIPv6, alice.hw, bob.hw)
			defer pkt.DecRef()
			t.Endpoint.AddHeader(pkt)
			t.equal("the header", pkt.LinkHeader().Slice(), ether(alice.hw, bob.hw, typeIPv6))
		},
	}, {
		requirement: "C6", clause: "LinkEndpoint, ParseHeader", name: "parse_header", level: Must, bare: true,
		asks: "ParseHeader takes the Ethernet header off a packet, and says no if it is not all there.",
		test: func(t *trial) {
			whole := ether(alice.hw, t.own, typeIPv4, data(20))
			for n := range len(whole) + 1 {
				pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(whole[:n])})
				ok := t.Endpoint.ParseHeader(pkt)
				if want := n >= headerLen; ok != want {
					t.errorf("ParseHeader of %d bytes: %v, want %v", n, ok, want)
				} else if got := pkt.LinkHeader().Slice(); ok && string(got) != string(whole[:headerLen]) {
					t.errorf("ParseHeader of %d bytes took % x", n, got)
				}
				pkt.DecRef()
			}
		},
	}, {
		requirement: "C7", clause: "LinkEndpoint, Attach", name: "delivery", level: Must, bare: true,
		asks: "A packet is delivered with its protocol, and with the Ethernet header taken off but still there.",
		test: func(t *trial) {
			d := t.attach()
			for _, whole := range []frame{
				t.anyPacket(), ether(t.own, alice.hw, typeIPv6, echo6(alice.ipv6, ownIPv6, data(30))),
			} {
				t.put(whole)
				got := t.wantDelivery(d)
				t.equal("the header of the packet", got.header, whole[:headerLen])
				t.equal("the packet", got.payload, whole.payload())
				if uint16(got.proto) != whole.typ() {
					t.errorf("the protocol is %#04x, want %#04x", got.proto, whole.typ())
				}
			}
		},
	}, {
		requirement: "R29", clause: "RFC 1122 §2.4", name: "packet_type", level: Must, bare: true,
		asks: "A packet is delivered with a flag that says whether it came to us, as a link-layer broadcast, or to a group.",
		test: func(t *trial) {
			d := t.attach()
			for _, tt := range []struct {
				to   hardwareAddr
				ip   tcpip.Address
				want tcpip.PacketType
			}{
				{t.own, ownIPv4, tcpip.PacketHost},
				{everybody, limitedBroadcast, tcpip.PacketBroadcast},
				{group4(groupIPv4), groupIPv4, tcpip.PacketMulticast},
			} {
				t.put(ether(tt.to, alice.hw, typeIPv4, udp4(alice.ipv4, tt.ip, openPort, data(30))))
				if got := t.wantDelivery(d).typ; got != tt.want {
					t.errorf("the packet's type for a frame to % x is %d, want %d", tt.to, got, tt.want)
				}
			}
		},
	}, {
		requirement: "C8", clause: "GSOEndpoint, GSOMaxSize", name: "gso", level: Must, bare: true,
		asks: "An endpoint that supports GSO takes at least a packet of the MTU, and at most what IP can carry.",
		test: func(t *trial) {
			g, ok := t.Endpoint.(stack.GSOEndpoint)
			if !ok || g.SupportedGSO() == stack.GSONotSupported {
				t.skip("the endpoint does not support GSO")
			}
			if n := g.GSOMaxSize(); n < t.MTU || n > 65536 {
				t.errorf("GSOMaxSize is %d, want from %d to 65536", n, t.MTU)
			}
		},
	},
}

// constant checks that a value is the same at every time of life.
func (t *trial) constant(what string, get func() any) {
	want := get()
	same := func(when string) {
		if got := get(); got != want {
			t.errorf("%s %s: %v, before: %v", what, when, got, want)
		}
	}
	d := t.attach()
	same("when attached")
	t.put(ether(t.own, alice.hw, typeIPv4, udp4(alice.ipv4, ownIPv4, openPort, data(30))))
	t.wantDelivery(d)
	same("after a packet")
	t.Endpoint.Attach(nil)
	t.Endpoint.Close()
	same("after Close")
}

// packet makes a packet of netstack's with a route.
func (t *trial) packet(payload []byte, typ tcpip.NetworkProtocolNumber, to, from hardwareAddr) *stack.PacketBuffer {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(t.Endpoint.MaxHeaderLength()),
		Payload:            buffer.MakeWithData(payload),
	})
	pkt.NetworkProtocolNumber = typ
	pkt.EgressRoute.NetProto = typ
	pkt.EgressRoute.LocalLinkAddress = tcpip.LinkAddress(from[:])
	pkt.EgressRoute.RemoteLinkAddress = tcpip.LinkAddress(to[:])
	return pkt
}

// A dispatcher takes packets in place of a NIC.
type dispatcher struct {
	packets chan delivered
	// entered is signalled in a delivery, which then waits for leave.
	entered, leave chan struct{}
	once           sync.Once
}

type delivered struct {
	proto           tcpip.NetworkProtocolNumber
	typ             tcpip.PacketType
	header, payload []byte
}

func (d *dispatcher) DeliverNetworkPacket(proto tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	if d.entered != nil {
		d.once.Do(func() { close(d.entered) })
		<-d.leave
		return
	}
	p := delivered{proto: proto, typ: pkt.PktType, header: append([]byte(nil), pkt.LinkHeader().Slice()...)}
	p.payload = pkt.Data().AsRange().ToSlice()
	select {
	case d.packets <- p:
	default: // nobody is interested any more
	}
}

func (*dispatcher) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}
