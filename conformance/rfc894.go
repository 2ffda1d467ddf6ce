package conformance

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
)

// IPv4 and IPv6 in Ethernet frames: what is sent, byte by byte, and what has to
// be received.
var rfc894 = []check{
	{
		requirement: "R11", clause: "RFC 894", name: "ipv4_encapsulation", level: Must,
		asks: "IPv4 is sent as type 0x0800 right behind the addresses, to the hardware address of the next hop and from our own.",
		test: func(t *trial) {
			t.introduce(alice)
			d := data(64)
			t.put(ether(t.own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, d)))
			f := t.once("an echo reply", isEchoReply(d))
			t.equal("the Ethernet header", f[:headerLen], ether(alice.hw, t.own, typeIPv4))
		},
	}, {
		requirement: "R11", clause: "RFC 2464 §3", name: "ipv6_encapsulation", level: Must,
		asks: "IPv6 is sent as type 0x86dd right behind the addresses.",
		test: func(t *trial) {
			t.introduce6(alice)
			d := data(64)
			t.put(ether(t.own, alice.hw, typeIPv6, echo6(alice.ipv6, ownIPv6, d)))
			f := t.once("an echo reply", isEchoReply6(d))
			t.equal("the Ethernet header", f[:headerLen], ether(alice.hw, t.own, typeIPv6))
		},
	}, {
		requirement: "R11", clause: "RFC 894", name: "packets_intact", level: Must,
		asks: "What IP sends is on the wire unchanged, with all its checksums right, whatever its size.",
		test: func(t *trial) {
			t.introduce(alice)
			t.introduce6(alice)
			s4 := t.listen(ipv4.ProtocolNumber)
			for _, n := range []int{0, 1, 17, 18, 19, 99, 100, 101, 500, int(t.MTU) - 28} {
				d := data(n)
				t.noError("Write", s4.send(alice.ipv4, d))
				t.intact(t.want(fmt.Sprintf("a datagram of %d bytes", n), isDatagram(d)))
			}
			s4.Close()
			s6 := t.listen(ipv6.ProtocolNumber)
			for _, n := range []int{1, 100, int(t.MTU) - 48} {
				d := data(n)
				t.noError("Write", s6.send(alice.ipv6, d))
				t.intact(t.want(fmt.Sprintf("a datagram of %d bytes over IPv6", n), isDatagram(d)))
			}
		},
	}, {
		requirement: "R14", clause: "RFC 894, maximum length", name: "largest_packets", level: Must,
		asks: "A packet of the MTU is sent and received in one frame of 14 bytes more.",
		test: func(t *trial) {
			t.introduce(alice)
			d := data(int(t.MTU) - 28)
			t.put(ether(t.own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, d)))
			f := t.want("an echo reply in one frame", isEchoReply(d))
			if want := headerLen + int(t.MTU); len(f) != want {
				t.errorf("the reply's frame has %d bytes, want %d", len(f), want)
			}
		},
	}, {
		requirement: "R14", clause: "RFC 894, maximum length", name: "fragments", level: Must,
		asks: "No frame is longer than the MTU allows: a larger datagram goes in fragments.",
		test: func(t *trial) {
			t.introduce(alice)
			s := t.listen(ipv4.ProtocolNumber)
			t.forget()
			t.noError("Write", s.send(alice.ipv4, data(2*int(t.MTU))))
			if got := t.fragments(alice, 2*int(t.MTU)+8); got != 3 {
				t.errorf("a datagram of twice the MTU left in %d fragments, want 3", got)
			}
		},
	}, {
		requirement: "R17", clause: "RFC 894, minimum length", name: "padding_zero", level: Must,
		asks: "What fills a short frame up to 60 bytes is zero, and no memory of other packets (CVE-2003-0001).",
		test: func(t *trial) {
			t.introduce(alice)
			t.introduce6(alice)
			big := data(int(t.MTU) - 28)
			for n := range 20 {
				t.put(ether(t.own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, big)))
				t.want("an echo reply", isEchoReply(big))
				d := data(n)
				t.put(ether(t.own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, d)).padded(minFrame))
				f := t.want(fmt.Sprintf("an echo reply with %d bytes", n), isEchoReply(d))
				t.zeroAfter(f, 20+8+n)
				t.put(request(bob, t.own, ownIPv4))
				t.zeroAfter(t.want("an ARP reply", isReplyTo(bob)), arpLen)
			}
		},
	}, {
		requirement: "R17", clause: "RFC 894, minimum length", name: "trailing_bytes", level: Must,
		asks: "What follows the end of a packet is ignored: the length is the packet's own.",
		test: func(t *trial) {
			t.introduce(alice)
			t.introduce6(alice)
			for _, n := range []int{0, 1, 10, 18, 200} {
				d := data(n)
				for _, length := range []int{0, minFrame, 500} {
					t.put(ether(t.own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, d)).padded(length))
					f := t.want(fmt.Sprintf("an answer to %d bytes in a frame of at least %d", n, length), isEchoReply(d))
					t.zeroAfter(f, 20+8+n)
				}
			}
			d := data(1)
			t.put(ether(t.own, alice.hw, typeIPv6, echo6(alice.ipv6, ownIPv6, d)).padded(200))
			t.want("an answer over IPv6", isEchoReply6(d))
		},
	}, {
		requirement: "R31", clause: "RFC 1122 §2.3.1", name: "trailers", level: Must,
		asks: "Trailer encapsulation, types 0x1001 to 0x100f, is not received without having been agreed on.",
		test: func(t *trial) {
			t.introduce(alice)
			for typ := uint16(0x1000); typ < 0x1010; typ++ {
				t.put(ether(t.own, alice.hw, typ, echo4(alice.ipv4, ownIPv4, t.token())))
			}
			t.silence("trailers", isAnyEchoReply)
		},
	},
}

// zeroAfter checks that there is nothing but zeros after so many bytes of
// payload, and not more of them than a frame needs.
func (t *trial) zeroAfter(f frame, n int) {
	padding := f.payload()[n:]
	for _, b := range padding {
		if b != 0 {
			t.errorf("the padding is not zero: % x", padding)
			return
		}
	}
	if len(padding) > 0 && len(f) > minFrame {
		t.errorf("a frame of %d bytes has %d bytes of padding, want none over %d", len(f), len(padding), minFrame)
	}
}

// fragments takes the fragments that are sent to a peer until they make up a
// payload of so many bytes, and returns how many they are. None may be larger
// than the MTU.
func (t *trial) fragments(p peer, size int) (count int) {
	for got := 0; got < size; count++ {
		f := t.want("all fragments of a datagram", func(f frame) bool {
			h, ok := f.ipv4()
			return ok && h.DestinationAddress() == p.ipv4
		})
		h, _ := f.ipv4()
		got += len(h.Payload())
		t.wantTo("a fragment", f, p.hw)
		if len(f) > headerLen+int(t.MTU) {
			t.errorf("a frame of %d bytes was sent, want at most %d", len(f), headerLen+int(t.MTU))
		}
	}
	return count
}
