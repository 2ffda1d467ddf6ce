package endpoint

import (
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// BenchmarkHeaderOut compares what it takes to put the Ethernet header before a
// packet: nothing, the room that the contract wants, gVisor's wrapper (to an address that somebody else has
// found), and ours (which finds it in the neighbor table).
func BenchmarkHeaderOut(b *testing.B) {
	e := newTest(b, newTape(0))
	learn(b, e, "10.0.0.5", hwB)
	wrapper := ethernet.New(channel.New(1, 1514, ""))
	r := routeTo("10.0.0.5")
	for _, bb := range []struct {
		name string
		add  func(*stack.PacketBuffer)
	}{
		{"packet only", func(*stack.PacketBuffer) {}},
		{"packet and Push", func(pkt *stack.PacketBuffer) { pkt.LinkHeader().Push(ethstack.HeaderLen) }},
		{"link/ethernet", wrapper.AddHeader},
		{"ours", e.AddHeader},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pkt := newOutgoing(r, 0)
				bb.add(pkt)
				pkt.DecRef()
			}
		})
	}
}

// BenchmarkWrite is the way of packets from the header to a device that forgets
// them, alone and in a list.
func BenchmarkWrite(b *testing.B) {
	d := newTape(0)
	d.forget = true
	e := newTest(b, d)
	learn(b, e, "10.0.0.5", hwB)
	for _, bb := range []struct {
		name string
		n    int
	}{{"one", 1}, {"list of 40", 40}} {
		b.Run(bb.name, func(b *testing.B) {
			var pkts stack.PacketBufferList
			for range bb.n {
				pkt := newOutgoing(routeTo("10.0.0.5"), 64)
				e.AddHeader(pkt)
				pkts.PushBack(pkt)
			}
			defer pkts.DecRef()
			b.ReportAllocs()
			for b.Loop() {
				e.WritePackets(pkts)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(bb.n), "ns/packet")
		})
	}
}

// BenchmarkHeaderIn compares the way of a frame up to a dispatcher that drops it:
// as a packet with no header taken off, with the header consumed as the contract
// wants it, through gVisor's wrapper, and through
// our receiver, without and with the verification of checksums, which netstack
// does itself above the others.
func BenchmarkHeaderIn(b *testing.B) {
	e := newTest(b, newTape(0))
	frame := tcpFrame(0, false)
	sink := &dispatcher{e: e}
	wrapper := ethernet.New(channel.New(1, 1514, ""))
	wrapper.Attach(sink)
	packet := func() *stack.PacketBuffer {
		v := buffer.NewViewSize(headSize)
		copy(v.AsSlice(), frame)
		v.CapLength(len(frame))
		return stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(v)})
	}
	b.Run("packet only", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pkt := packet()
			sink.DeliverNetworkPacket(header.IPv4ProtocolNumber, pkt)
			pkt.DecRef()
		}
	})
	b.Run("packet and Consume", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pkt := packet()
			pkt.LinkHeader().Consume(ethstack.HeaderLen)
			sink.DeliverNetworkPacket(header.IPv4ProtocolNumber, pkt)
			pkt.DecRef()
		}
	})
	b.Run("link/ethernet", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pkt := packet()
			wrapper.DeliverNetworkPacket(0, pkt)
			pkt.DecRef()
		}
	})
	for _, bb := range []struct {
		name string
		o    ethstack.Offload
	}{{"ours, vouched for", ethstack.Offload{Flags: ethstack.DataValid}}, {"ours, verified", ethstack.Offload{}}} {
		b.Run(bb.name, func(b *testing.B) {
			q := newQueue(b, e, &nic{dispatcher: sink, local: addrA})
			b.ReportAllocs()
			for b.Loop() {
				h, _ := ethstack.ParseHeader(frame, len(frame))
				q.input(frame, h, bb.o)
			}
		})
	}
}
