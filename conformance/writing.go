package conformance

import (
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// WritePackets: the four shapes in which packets come to it.
var writing = []check{
	{
		requirement: "C10", clause: "LinkEndpoint, WritePackets", name: "resolved_packet", level: Must, bare: true,
		asks: "A packet that has its header is sent as it is, and is the caller's again afterwards.",
		test: func(t *trial) {
			t.attach()
			d := data(46)
			pkt := t.packet(d, typeIPv4, alice.hw, t.own)
			t.Endpoint.AddHeader(pkt)
			t.written(pkt)
			want := ether(alice.hw, t.own, typeIPv4, d)
			t.want("the packet", isFrame(want))
			t.equal("the caller's packet", append(pkt.LinkHeader().Slice(), pkt.Data().AsRange().ToSlice()...), want)
			pkt.DecRef()
		},
	}, {
		requirement: "C10", clause: "LinkEndpoint, WritePackets", name: "list", level: Must, bare: true,
		asks: "The packets of a list are sent in order, all of them.",
		test: func(t *trial) {
			t.attach()
			var list stack.PacketBufferList
			defer func() { list.DecRef() }()
			const n = 20
			for i := range n {
				pkt := t.packet(data(100+i), typeIPv6, alice.hw, t.own)
				t.Endpoint.AddHeader(pkt)
				list.PushBack(pkt)
			}
			if sent, err := t.Endpoint.WritePackets(list); sent != n || err != nil {
				t.errorf("WritePackets of %d packets: %d, %v", n, sent, err)
			}
			for i := range n {
				f := t.want("each packet of a list", func(f frame) bool { return f.typ() == typeIPv6 })
				t.equal("a packet of the list", f, ether(alice.hw, t.own, typeIPv6, data(100+i)))
			}
		},
	}, {
		requirement: "C11", clause: "LinkEndpoint, WritePackets", name: "whole_frame_as_payload", level: Must, bare: true,
		asks: "A frame that is all payload with an empty route, as a bridge floods it, is sent as it is.",
		test: func(t *trial) {
			t.attach()
			whole := ether(everybody, bob.hw, typeExperiment, data(50))
			pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(whole)})
			defer pkt.DecRef()
			t.written(pkt)
			t.want("the frame", isFrame(whole))
		},
	}, {
		requirement: "C11", clause: "Stack, WriteRawPacket", name: "raw_packet_socket", level: Must,
		asks: "What a raw packet socket writes, header included, is sent as it is, and what is shorter than a header is not.",
		test: func(t *trial) {
			whole := ether(alice.hw, bob.hw, typeExperiment, data(50))
			t.noError("WriteRawPacket", t.stack.WriteRawPacket(nicID, typeExperiment, buffer.MakeWithData(whole)))
			t.want("the frame", isFrame(whole))
			if err := t.stack.WriteRawPacket(nicID, typeExperiment, buffer.MakeWithData(whole[:headerLen-1])); err == nil {
				t.errorf("WriteRawPacket of %d bytes: no error", headerLen-1)
			}
		},
	}, {
		requirement: "C11", clause: "Stack, WritePacketToRemote", name: "packet_socket", level: Must,
		asks: "What a packet socket writes to a hardware address is sent there from our own.",
		test: func(t *trial) {
			to := tcpip.LinkAddress(alice.hw[:])
			d := data(50)
			t.noError("WritePacketToRemote", t.stack.WritePacketToRemote(nicID, to, typeExperiment, buffer.MakeWithData(d)))
			t.want("the frame", isFrame(ether(alice.hw, t.own, typeExperiment, d)))
		},
	}, {
		requirement: "C12", clause: "LinkEndpoint, WritePackets", name: "unresolved_in_list", level: Must,
		asks: "A packet that waits for its next hop holds up no other of its list.",
		test: func(t *trial) {
			t.resolvesItself()
			t.ask(alice)
			var list stack.PacketBufferList
			defer func() { list.DecRef() }()
			first := udp4(ownIPv4, bob.ipv4, peerPort, []byte("waits"))
			for _, pkt := range []*stack.PacketBuffer{t.unresolved(first, bob), t.unresolved(udp4(ownIPv4, alice.ipv4, peerPort, []byte("goes")), alice)} {
				t.Endpoint.AddHeader(pkt)
				list.PushBack(pkt)
			}
			if _, err := t.Endpoint.WritePackets(list); err != nil {
				t.errorf("WritePackets: %v", err)
			}
			t.wantTo("the packet to who is known", t.want("the packet to who is known", isDatagram([]byte("goes"))), alice.hw)
			t.want("a request", isRequestFor(bob.ipv4))
			t.put(reply(bob, t.own))
			t.wantTo("the packet that waited", t.want("the packet that waited", isDatagram([]byte("waits"))), bob.hw)
		},
	}, {
		requirement: "C13", clause: "LinkEndpoint, WritePackets", name: "forwarded_to_absent_host", level: Must,
		asks: "For a forwarded packet there is no error but the four that netstack knows, also when its next hop does not answer: others are panics.",
		test: func(t *trial) {
			t.resolvesItself()
			for range 6 {
				pkt := t.unresolved(udp4(bob.ipv4, alice.ipv4, peerPort, t.token()), alice)
				pkt.NetworkPacketInfo.IsForwardedPacket = true
				t.Endpoint.AddHeader(pkt)
				t.forwarded("a packet for an absent host", pkt)
				pkt.DecRef()
				t.elapse(time.Second)
			}
		},
	},
}

// isFrame matches a frame with what fills it up.
func isFrame(want frame) func(frame) bool {
	return func(f frame) bool { return len(f) >= len(want) && string(f[:len(want)]) == string(want) }
}

// written writes one packet.
func (t *trial) written(pkt *stack.PacketBuffer) {
	var list stack.PacketBufferList
	list.PushBack(pkt)
	if n, err := t.Endpoint.WritePackets(list); n != 1 || err != nil {
		t.errorf("WritePackets of one packet: %d, %v", n, err)
	}
}

// forwarded writes one packet, checks the error, and returns it.
func (t *trial) forwarded(what string, pkt *stack.PacketBuffer) tcpip.Error {
	var list stack.PacketBufferList
	list.PushBack(pkt)
	_, err := t.Endpoint.WritePackets(list)
	switch err.(type) {
	case nil, *tcpip.ErrNoBufferSpace, *tcpip.ErrClosedForSend, *tcpip.ErrMessageTooLong:
	default:
		t.errorf("WritePackets of %s that is forwarded: %v, which makes netstack panic", what, err)
	}
	return err
}

// resolvesItself skips a check if netstack resolves IPv4 before packets come to
// the endpoint.
func (t *trial) resolvesItself() {
	if _, err := t.stack.Neighbors(nicID, ipv4.ProtocolNumber); err == nil {
		t.skip("netstack resolves addresses, not the endpoint")
	}
}

// unresolved makes an IPv4 packet as netstack hands it over for an endpoint that
// resolves by itself.
func (t *trial) unresolved(packet []byte, to peer) *stack.PacketBuffer {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(t.Endpoint.MaxHeaderLength()) + header.IPv4MinimumSize,
		Payload:            buffer.MakeWithData(packet[header.IPv4MinimumSize:]),
	})
	copy(pkt.NetworkHeader().Push(header.IPv4MinimumSize), packet)
	pkt.NetworkProtocolNumber = typeIPv4
	r := &pkt.EgressRoute
	r.LocalAddress, r.RemoteAddress, r.LocalLinkAddress = ownIPv4, to.ipv4, t.HardwareAddr
	r.NetProto, r.Loop = typeIPv4, stack.PacketOut
	return pkt
}
