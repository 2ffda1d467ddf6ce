package conformance

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Checksums of what is received. An endpoint that claims
// CapabilityRXChecksumOffload has netstack look at none of them, so it has to,
// or its device.
var checksums = []check{
	{
		requirement: "C9", clause: "RFC 1122 §3.2.1.2", name: "ipv4_header", level: Must,
		asks: "A datagram whose IPv4 header has a wrong checksum is silently discarded.",
		test: func(t *trial) {
			t.spoiled(familyIPv4, func(packet []byte) []byte {
				packet[8]-- // time to live
				return packet
			})
		},
	}, {
		requirement: "C9", clause: "RFC 1122 §4.1.3.4", name: "udp", level: Must,
		asks: "A datagram of UDP with a wrong checksum is silently discarded.",
		test: func(t *trial) {
			for _, v := range families {
				t.spoiled(v, func(packet []byte) []byte {
					packet[len(packet)-1] ^= 0x10
					return packet
				})
			}
		},
	}, {
		requirement: "C9", clause: "RFC 1122 §4.1.3.4", name: "udp_in_fragments", level: Must,
		asks: "So is one that comes in fragments, none of which can be verified by itself.",
		test: func(t *trial) {
			for _, v := range families {
				t.spoiled(v, func(packet []byte) []byte {
					packet[len(packet)-1] ^= 0x10
					list := v.fragments(packet, 8*20)
					t.put(t.frameFrom(alice, v, list[1]))
					return list[0]
				})
			}
		},
	}, {
		requirement: "C9", clause: "RFC 768, checksum", name: "udp_without", level: Must,
		asks: "A datagram over IPv4 with the checksum 0 was sent without one, and is received.",
		test: func(t *trial) {
			s := t.listen(familyIPv4.proto)
			d := t.token()
			t.put(t.frameFrom(alice, familyIPv4, withoutSum(familyIPv4, d)))
			t.wantDelivered(s, "a datagram without a checksum", d)
		},
	}, {
		requirement: "C9", clause: "RFC 8200 §8.1", name: "udp_without_over_ipv6", level: Must,
		asks: "A datagram over IPv6 with the checksum 0 is discarded.",
		test: func(t *trial) {
			s := t.listen(familyIPv6.proto)
			t.put(t.frameFrom(alice, familyIPv6, withoutSum(familyIPv6, t.token())))
			t.wantDelivered(s, "a datagram without a checksum", nil)
		},
	}, {
		requirement: "C9", clause: "RFC 9293 §3.1", name: "tcp", level: Must,
		asks: "A segment of TCP with a wrong checksum is discarded.",
		test: func(t *trial) {
			for _, v := range families {
				c := t.converse(v, alice, 0, 65535)
				f := c.segment(header.TCPFlagAck|header.TCPFlagPsh, nil, bulk(500))
				f[len(f)-1] ^= 0x10
				t.put(f)
				t.settle()
				if c.ready() {
					t.errorf("data with a wrong checksum was received over %s", v.name)
				}
				sent := bulk(700)
				c.send(sent)
				t.equal("what was received after it", c.read(len(sent)), sent)
			}
		},
	}, {
		requirement: "C9", clause: "RFC 792, checksum", name: "icmp", level: Must,
		asks: "An echo request with a wrong checksum is not answered.",
		test: func(t *trial) {
			for _, v := range families {
				t.know(v, alice)
				d := t.token()
				packet := v.echo(v.of(alice), v.own, d)
				t.put(t.frameFrom(alice, v, packet))
				t.want("an answer over "+v.name, v.isEchoReply(d))
				packet[len(packet)-1] ^= 1
				t.put(t.frameFrom(alice, v, packet))
				t.silence("an echo request with a wrong checksum over "+v.name, func(f frame) bool {
					k, ok := f.ip()
					return ok && k.transport == v.icmp && k.to == v.of(alice) && len(k.payload) == len(d)+8
				})
			}
		},
	}, {
		requirement: "R11", clause: "RFC 1122 §3.2.2", name: "icmp_checksums", level: Must,
		asks: "Messages of ICMP, answers and errors, are sent with all checksums right.",
		test: func(t *trial) {
			for _, v := range families {
				t.know(v, alice)
				for _, n := range []int{0, 1, 2, 55, int(t.MTU) - v.header - 8} {
					d := data(n)
					t.put(t.frameFrom(alice, v, v.echo(v.of(alice), v.own, d)))
					t.intact(t.want("an answer over "+v.name, v.isEchoReply(d)))
				}
				t.put(t.frameFrom(alice, v, v.udp(v.of(alice), v.own, closedPort, data(99))))
				t.intact(t.want("an error over "+v.name, func(f frame) bool {
					k, ok := f.ip()
					return ok && k.transport == v.icmp && k.to == v.of(alice)
				}))
			}
		},
	},
}

// spoiled checks that a datagram is received as it is, and is not once spoil
// has changed it.
func (t *trial) spoiled(v family, spoil func([]byte) []byte) {
	s := t.listen(v.proto)
	d := bulk(300)
	packet := v.udp(v.of(alice), v.own, openPort, d)
	t.put(t.frameFrom(alice, v, packet))
	t.wantDelivered(s, "a datagram over "+v.name, d)
	t.put(t.frameFrom(alice, v, spoil(packet)))
	t.wantDelivered(s, "a datagram over "+v.name+" with a wrong checksum", nil)
	s.Close()
}

// withoutSum makes a packet with a datagram whose checksum is 0.
func withoutSum(v family, data []byte) []byte {
	packet := v.udp(v.of(alice), v.own, openPort, data)
	header.UDP(packet[v.header:]).SetChecksum(0)
	return packet
}
