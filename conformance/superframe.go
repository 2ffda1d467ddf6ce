package conformance

import (
	"encoding/binary"
	"fmt"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// An Offload is what a device that takes work off its host's hands says of a
// frame, with the meaning of virtio (1.2, §5.1.6): the transport checksum in it
// covers the pseudo-header only.
type Offload struct {
	// SegmentSize is how much data each of the segments has that a
	// super-frame of TCP stands for; 0 if it is no super-frame.
	SegmentSize int
	// HeaderLen is the length of all headers, Ethernet's included.
	HeaderLen int
	// ChecksumStart is where the transport header begins, and ChecksumOffset
	// where in it the checksum is.
	ChecksumStart, ChecksumOffset int
}

// What becomes of super-frames, which netstack hands over and which a device
// may hand over.
var superframes = []check{
	{
		requirement: "C8", clause: "GSOEndpoint, GSOMaxSize", name: "super_frame_boundaries", level: Must, bare: true,
		asks: "A super-frame of any size leaves as segments that are full but for the last, with numbers and checksums of their own.",
		test: func(t *trial) {
			t.needsGSO()
			t.attach()
			for _, v := range families {
				mss := int(t.MTU) - v.header - header.TCPMinimumSize
				for _, size := range []int{1, mss - 1, mss, mss + 1, 2*mss - 1, 2 * mss, 2*mss + 1, 5*mss + 7} {
					if size <= maxPayload {
						t.segmented(v, bulk(size), mss)
					}
				}
				for _, mss := range []int{1, 7, 536, 999} { // odd lengths move the words of the sum
					t.segmented(v, bulk(4*mss+mss/2), mss)
				}
			}
		},
	}, {
		requirement: "C8", clause: "RFC 9293 §3.1", name: "super_frame_flags", level: Must, bare: true,
		asks: "FIN and PSH of a super-frame are those of its last segment, and ACK is every segment's.",
		test: func(t *trial) {
			t.needsGSO()
			t.attach()
			for _, v := range families {
				const flags = header.TCPFlagAck | header.TCPFlagPsh | header.TCPFlagFin
				t.writeSuper(v, bulk(2500), 1000, flags)
				for k, want := range []header.TCPFlags{header.TCPFlagAck, header.TCPFlagAck, flags} {
					h, _ := t.wantSegment(v)
					if got := h.Flags(); got != want {
						t.errorf("over %s, segment %d has the flags %v, want %v", v.name, k, got, want)
					}
				}
			}
		},
	}, {
		requirement: "C9", clause: "virtio 1.2, §5.1.6.4", name: "super_frame_received", level: Must,
		asks: "A super-frame of a device with offloads is received, with every byte in its place.",
		test: func(t *trial) {
			t.needsOffload()
			for _, v := range families {
				c := t.converse(v, alice, 1000, 65535)
				sent := bulk(30_000)
				c.putSuper(sent, c.mss)
				t.equalBulk("what was received over "+v.name, c.read(len(sent)), sent)
			}
		},
	}, {
		requirement: "C9", clause: "virtio 1.2, §5.1.6.4", name: "partial_checksum_received", level: Must,
		asks: "A segment and a datagram whose checksum the device leaves to be completed are received.",
		test: func(t *trial) {
			t.needsOffload()
			for _, v := range families {
				c := t.converse(v, alice, 1000, 65535)
				sent := bulk(c.mss)
				c.putSuper(sent, 0)
				t.equalBulk("what was received over "+v.name, c.read(len(sent)), sent)

				s := t.listen(v.proto)
				d := t.token()
				f := t.frameFrom(alice, v, v.udp(v.of(alice), v.own, openPort, d))
				t.putPartial(f, v, Offload{HeaderLen: headerLen + v.header + header.UDPMinimumSize, ChecksumOffset: 6})
				t.wantDelivered(s, "a datagram over "+v.name+" with a partial checksum", d)
				s.Close()
			}
		},
	}, {
		requirement: "C9", clause: "virtio 1.2, §5.1.6.4", name: "impossible_offload", level: Policy,
		asks: "A frame whose metadata contradicts it is dropped, and what follows is received.",
		test: func(t *trial) {
			t.needsOffload()
			s := t.listen(familyIPv4.proto)
			for _, o := range []Offload{
				{ChecksumStart: 5000, ChecksumOffset: 6},
				{ChecksumStart: 34, ChecksumOffset: 60000},
				{ChecksumStart: 2, ChecksumOffset: 0},
				{SegmentSize: 100, ChecksumStart: 34, ChecksumOffset: 16, HeaderLen: 42}, // this is no TCP
			} {
				f := t.frameFrom(alice, familyIPv4, udp4(alice.ipv4, ownIPv4, openPort, t.token()))
				if err := t.Offload(f, o); err != nil {
					continue // neither does the device
				}
				t.wantDelivered(s, fmt.Sprintf("a frame with %+v", o), nil)
			}
		},
	},
}

// maxPayload is what a packet of netstack's can carry.
const maxPayload = 65535 - 161

func (t *trial) needsGSO() {
	if g, ok := t.Endpoint.(stack.GSOEndpoint); !ok || g.SupportedGSO() != stack.HostGSOSupported {
		t.skip("the endpoint takes no super-frames")
	}
}

func (t *trial) needsOffload() {
	if t.Offload == nil {
		t.skip("the subject has no Offload")
	}
}

// superSeq is the number of the first byte of a super-frame. It runs over.
const superSeq = 0xfffffe00

// writeSuper writes a packet as TCP hands it over: its checksum is that of the
// pseudo-header.
func (t *trial) writeSuper(v family, data []byte, mss int, flags header.TCPFlags) {
	segment := make([]byte, header.TCPMinimumSize)
	h := header.TCP(segment)
	h.Encode(&header.TCPFields{
		SrcPort: openPort, DstPort: peerPort, SeqNum: superSeq, AckNum: 1, Flags: flags, WindowSize: 9999,
		DataOffset: header.TCPMinimumSize,
	})
	h.SetChecksum(header.PseudoHeaderChecksum(header.TCPProtocolNumber, v.own, v.of(alice), uint16(len(segment)+len(data))))
	packet := v.packet(v.own, v.of(alice), header.TCPProtocolNumber, append(segment, data...))

	heads := v.header + header.TCPMinimumSize
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(t.Endpoint.MaxHeaderLength()) + heads, Payload: buffer.MakeWithData(data),
	})
	defer pkt.DecRef()
	copy(pkt.TransportHeader().Push(header.TCPMinimumSize), packet[v.header:heads])
	copy(pkt.NetworkHeader().Push(v.header), packet)
	pkt.TransportProtocolNumber, pkt.NetworkProtocolNumber = header.TCPProtocolNumber, v.proto
	r := &pkt.EgressRoute
	r.NetProto, r.LocalAddress, r.RemoteAddress = v.proto, v.own, v.of(alice)
	r.LocalLinkAddress, r.RemoteLinkAddress = t.HardwareAddr, tcpip.LinkAddress(alice.hw[:])
	pkt.GSOOptions = stack.GSO{
		Type: stack.GSOTCPv4, NeedsCsum: true, CsumOffset: header.TCPChecksumOffset,
		MSS: uint16(mss), L3HdrLen: uint16(v.header), MaxSize: t.Endpoint.(stack.GSOEndpoint).GSOMaxSize(),
	}
	if v.proto == ipv6.ProtocolNumber {
		pkt.GSOOptions.Type = stack.GSOTCPv6
	}
	t.Endpoint.AddHeader(pkt)
	t.written(pkt)
}

// segmented checks that data that TCP hands over leaves in segments.
func (t *trial) segmented(v family, data []byte, mss int) {
	what := fmt.Sprintf("%d bytes over %s in segments of %d", len(data), v.name, mss)
	t.writeSuper(v, data, mss, header.TCPFlagAck)
	for at, before := 0, -1; at < len(data); {
		h, id := t.wantSegment(v)
		// RFC 6864 §4.3: two that may be cut have not the same identification.
		if id == before && v.proto == ipv4.ProtocolNumber {
			t.errorf("%s: two segments in a row have the identification %#x", what, id)
		}
		if got, want := h.SequenceNumber(), superSeq+uint32(at); got != want {
			t.fatalf("%s: the segment at %d has the number %#x, want %#x", what, at, got, want)
		}
		want := data[at:min(at+mss, len(data))]
		t.equalBulk(fmt.Sprintf("%s, that at %d", what, at), h.Payload(), want)
		at, before = at+len(want), id
	}
}

// wantSegment waits for a segment that is in order by itself, and returns its
// packet's identification, too, which IPv6 has not.
func (t *trial) wantSegment(v family) (segment header.TCP, id int) {
	f := t.want("a segment", func(f frame) bool {
		k, ok := f.ip()
		return ok && k.proto == v.proto && k.transport == header.TCPProtocolNumber
	})
	t.intact(f)
	t.equal("the Ethernet header", f[:headerLen], ether(alice.hw, t.own, uint16(v.proto)))
	k, _ := f.ip()
	if h, ok := f.ipv4(); ok {
		id = int(h.ID())
	}
	return k.payload, id
}

// putSuper sends data as a device with offloads hands it over: in one frame,
// cut by nobody if mss is 0. It counts as sent.
func (c *conversation) putSuper(data []byte, mss int) {
	f := c.segment(header.TCPFlagAck|header.TCPFlagPsh, nil, data)
	c.seq += uint32(len(data))
	c.t.putPartial(f, c.family, Offload{
		SegmentSize: mss, HeaderLen: headerLen + c.family.header + header.TCPMinimumSize, ChecksumOffset: header.TCPChecksumOffset,
	})
}

// putPartial sends a frame with metadata, and with the checksum of the
// pseudo-header in place of the whole one.
func (t *trial) putPartial(f frame, v family, o Offload) {
	k, _ := f.ip()
	o.ChecksumStart = headerLen + v.header
	sum := header.PseudoHeaderChecksum(k.transport, k.from, k.to, uint16(len(k.payload)))
	binary.BigEndian.PutUint16(f[o.ChecksumStart+o.ChecksumOffset:], sum)
	if err := t.Offload(f, o); err != nil {
		t.fatalf("the wire takes no frame of %d bytes with %+v: %v", len(f), o, err)
	}
}
