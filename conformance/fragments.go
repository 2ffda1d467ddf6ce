package conformance

import (
	"encoding/binary"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
)

// Datagrams in fragments, which are frames of their own to the link.
var fragmentation = []check{
	{
		requirement: "R14", clause: "RFC 1122 §3.3.2", name: "fragments_received", level: Must,
		asks: "A datagram in fragments is put together, in whatever order they come.",
		test: func(t *trial) { t.reassembled(familyIPv4) },
	}, {
		requirement: "R35", clause: "RFC 8200 §4.5", name: "fragments_received", level: Must,
		asks: "A datagram in fragments is put together, in whatever order they come.",
		test: func(t *trial) { t.reassembled(familyIPv6) },
	}, {
		requirement: "R17", clause: "RFC 894, minimum length", name: "padded_fragment", level: Must,
		asks: "What fills the frame of a short last fragment is no part of the datagram.",
		test: func(t *trial) {
			for _, v := range families {
				s := t.listen(v.proto)
				d := data(8*12 - header.UDPMinimumSize + 1) // one byte in the last
				for _, k := range v.fragments(v.udp(v.of(alice), v.own, openPort, d), 8*12) {
					t.put(t.frameFrom(alice, v, k).padded(minFrame))
				}
				t.wantDelivered(s, "a datagram in two fragments, over "+v.name, d)
				s.Close()
			}
		},
	}, {
		requirement: "R35", clause: "RFC 8200 §4.5", name: "fragments", level: Must,
		asks: "No frame is longer than the MTU allows: a larger datagram goes in fragments, also the first to a neighbor.",
		test: func(t *trial) {
			s := t.listen(ipv6.ProtocolNumber)
			t.present = []peer{alice}
			d := bulk(3 * int(t.MTU))
			t.noError("Write", s.send(alice.ipv6, d))
			t.wholeDatagram(familyIPv6, d)
		},
	}, {
		requirement: "R27", clause: "RFC 1122 §2.3.2.2", name: "fragments_intact", level: Should,
		asks: "The fragments of the first datagram to a neighbor are sent unchanged when it has answered.",
		test: func(t *trial) {
			s := t.listen(familyIPv4.proto)
			t.present = []peer{alice}
			d := bulk(5 * int(t.MTU))
			t.noError("Write", s.send(alice.ipv4, d))
			t.wholeDatagram(familyIPv4, d)
		},
	}, {
		requirement: "R14", clause: "RFC 1122 §3.2.2.6", name: "large_echo", level: Must,
		asks: "An echo request larger than the MTU, in fragments, is answered in fragments.",
		test: func(t *trial) {
			for _, v := range families {
				t.know(v, alice)
				t.forget()
				d := bulk(3 * int(t.MTU))
				for _, k := range v.fragments(v.echo(v.of(alice), v.own, d), 8*64) {
					t.put(t.frameFrom(alice, v, k))
				}
				reply := t.reassemble(v, v.icmp, len(d)+8)
				t.equalBulk("the answer over "+v.name, reply[8:], d)
			}
		},
	},
}

// fragments cuts an IP packet into fragments with so many bytes of payload, a
// multiple of 8.
func (v family) fragments(packet []byte, size int) (list [][]byte) {
	const id = 0x4321
	rest := packet[v.header:]
	for at := 0; len(rest) > 0; at += size {
		n := min(size, len(rest))
		more := n < len(rest)
		if v.proto == ipv6.ProtocolNumber {
			h := header.IPv6(packet)
			x := make([]byte, header.IPv6FragmentHeaderSize)
			x[0] = h.NextHeader()
			binary.BigEndian.PutUint16(x[2:], uint16(at)|bit(more, 1))
			binary.BigEndian.PutUint32(x[4:], id)
			list = append(list, v.packet(h.SourceAddress(), h.DestinationAddress(), header.IPv6FragmentHeader, append(x, rest[:n]...)))
		} else {
			h := header.IPv4(slices.Concat(packet[:v.header], rest[:n]))
			h.SetTotalLength(uint16(len(h)))
			h.SetID(id)
			h.SetFlagsFragmentOffset(uint8(bit(more, header.IPv4FlagMoreFragments)), uint16(at))
			h.SetChecksum(0)
			h.SetChecksum(^h.CalculateChecksum())
			list = append(list, h)
		}
		rest = rest[n:]
	}
	return list
}

// bit returns the value if it is set, 0 otherwise.
func bit(set bool, value uint16) uint16 {
	if set {
		return value
	}
	return 0
}

// reassembled checks that datagrams in fragments are delivered.
func (t *trial) reassembled(v family) {
	s := t.listen(v.proto)
	d := bulk(4000)
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}} {
		list := v.fragments(v.udp(v.of(alice), v.own, openPort, d), 1104)
		for _, k := range order {
			t.put(t.frameFrom(alice, v, list[k]))
		}
		t.settle()
		t.equalBulk("a datagram in fragments", s.received(), d)
	}
}

// wholeDatagram checks that a datagram is sent to alice in fragments that fit,
// and that it is the one.
func (t *trial) wholeDatagram(v family, data []byte) {
	b := t.reassemble(v, header.UDPProtocolNumber, len(data)+header.UDPMinimumSize)
	t.equalBulk("the datagram", header.UDP(b).Payload(), data)
}

// reassemble takes the fragments that are sent to alice until they make up so
// many bytes, and puts them together. It ends the check if they do not fit, and
// fails it if the checksum over them all is wrong.
func (t *trial) reassemble(v family, proto tcpip.TransportProtocolNumber, size int) []byte {
	whole := make([]byte, size)
	for got := 0; got < size; {
		f := t.want("all fragments over "+v.name, func(f frame) bool {
			k, ok := f.ip()
			return ok && k.proto == v.proto && k.to == v.of(alice) && k.transport == proto
		})
		k, _ := f.ip()
		t.intact(f)
		t.wantTo("a fragment", f, alice.hw)
		if k.offset+len(k.payload) > size {
			t.fatalf("a fragment of %d bytes at %d, of a packet of %d", len(k.payload), k.offset, size)
		}
		got += copy(whole[k.offset:], k.payload)
	}
	k := ipPacket{family: v, transport: proto, from: v.own, to: v.of(alice), payload: whole}
	if !k.summed() {
		t.errorf("the checksum of what was sent in fragments over %s is wrong", v.name)
	}
	return whole
}
