package conformance

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

var offLink6 = tcpip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 15: 7})

// far returns the address of a host that is not on the link.
func (v family) far() tcpip.Address {
	if v.proto == familyIPv6.proto {
		return offLink6
	}
	return offLink
}

// A router whose link the endpoint is.
var forwarding = []check{
	{
		requirement: "R32", clause: "RFC 1812 §5.2.1", name: "forwarded", level: Must,
		asks: "A packet for a host that is not on the link goes on to the gateway: from our hardware address to its, one hop less to live, with its checksum right.",
		test: func(t *trial) {
			for _, v := range families {
				t.forwards(v)
				for _, n := range []int{1, 100, int(t.MTU) - v.header - header.UDPMinimumSize} {
					d := data(n)
					t.put(t.frameFrom(alice, v, v.udp(v.of(alice), v.far(), openPort, d)))
					f := t.once("the packet", isDatagram(d))
					t.intact(f)
					t.equal("the Ethernet header", f[:headerLen], ether(gateway.hw, t.own, uint16(v.proto)))
					if k, _ := f.ip(); k.hops != 63 || k.from != v.of(alice) || k.to != v.far() {
						t.errorf("a packet from %v to %v with 64 hops to live went on from %v to %v with %d", v.of(alice), v.far(), k.from, k.to, k.hops)
					}
				}
			}
		},
	}, {
		requirement: "R30", clause: "RFC 1812 §5.3.4", name: "broadcast_is_not_forwarded", level: Must,
		asks: "A packet that came as a link-layer broadcast or multicast, and is not for a group, is not forwarded.",
		test: func(t *trial) {
			t.forwards(familyIPv4)
			for _, to := range groups {
				d := t.token()
				t.put(ether(to, alice.hw, typeIPv4, udp4(alice.ipv4, offLink, openPort, d)))
				t.silence("a packet for another host in a frame to a group", either(isDatagram(d), isICMPError))
			}
		},
	}, {
		requirement: "R23", clause: "IEEE 802.3 §4.2.9", name: "foreign_unicast_is_not_forwarded", level: Must,
		asks: "A packet in a frame to another station is not forwarded: that station does so.",
		test: func(t *trial) {
			for _, v := range families {
				t.forwards(v)
				d := t.token()
				t.put(ether(bob.hw, alice.hw, uint16(v.proto), v.udp(v.of(alice), v.far(), openPort, d)))
				t.silence("a packet in a frame to another router", isDatagram(d))
			}
		},
	}, {
		requirement: "R60", clause: "RFC 826, packet generation", name: "sender_for_forwarded", level: Must,
		asks: "The sender of a request because of a forwarded packet is the router, not the packet's source.",
		test: func(t *trial) {
			t.forwards(familyIPv4)
			packet := udp4(offLink, bob.ipv4, openPort, t.token())
			t.put(ether(t.own, gateway.hw, typeIPv4, packet))
			f := t.want("a request", isRequestFor(bob.ipv4))
			want := ether(everybody, t.own, typeARP, newARP(opRequest, t.own, ownIPv4, nobody, bob.ipv4).bytes())
			t.equal("the request", f[:len(want)], want)
		},
	}, {
		requirement: "C13", clause: "LinkEndpoint, WritePackets", name: "router_of_absent_hosts", level: Must,
		asks: "Forwarding to hosts that are not there, for a minute, ends neither the router nor what it does for others.",
		test: func(t *trial) {
			t.forwards(familyIPv4)
			t.takes(time.Minute)
			for range 60 {
				t.put(ether(t.own, gateway.hw, typeIPv4, udp4(offLink, bob.ipv4, openPort, t.token())))
				t.sync()
				t.elapse(time.Second)
			}
			d := t.token()
			t.put(ether(t.own, gateway.hw, typeIPv4, udp4(offLink, alice.ipv4, openPort, d)))
			t.wantTo("a packet to who is there", t.want("a packet to who is there", isDatagram(d)), alice.hw)
		},
	}, {
		requirement: "C9", clause: "virtio 1.2, §5.1.6.4", name: "super_frame_forwarded", level: Must,
		asks: "A super-frame that is forwarded leaves as the segments that it stands for.",
		test: func(t *trial) {
			t.needsOffload()
			for _, v := range families {
				t.forwards(v)
				c := &conversation{t: t, peer: alice, family: v, to: v.far(), port: openPort, seq: peerSeq, window: 100}
				sent := bulk(20_000)
				c.putSuper(sent, 1000)
				for at := 0; at < len(sent); at += 1000 {
					f := t.want("a segment", func(f frame) bool {
						k, ok := f.ip()
						return ok && k.transport == header.TCPProtocolNumber && k.to == v.far()
					})
					t.intact(f)
					t.wantTo("a segment", f, gateway.hw)
					k, _ := f.ip()
					h := header.TCP(k.payload)
					if want := uint32(peerSeq + at); h.SequenceNumber() != want {
						t.fatalf("a segment has the number %#x, want %#x", h.SequenceNumber(), want)
					}
					t.equalBulk("a segment", h.Payload(), sent[at:at+1000])
				}
			}
		},
	},
}

// unconfigured are checks of a host that has no address of IPv4 yet.
var unconfigured = []check{
	{
		requirement: "R33", clause: "RFC 2131 §4.1", name: "broadcast_without_an_address", level: Must,
		asks: "A host without an address can broadcast from 0.0.0.0, as DHCP does, asks for nobody, and takes what is broadcast.",
		test: func(t *trial) {
			t.noError("RemoveAddress", t.stack.RemoveAddress(nicID, ownIPv4))
			t.addAddress(ipv4.ProtocolNumber, unspecified, 0) // as netstack's clients of DHCP do
			s := t.listen(ipv4.ProtocolNumber)
			t.forget()
			d := t.token()
			t.noError("Write", s.send(limitedBroadcast, d))
			f := t.want("a broadcast", isDatagram(d))
			t.intact(f)
			t.equal("the Ethernet header", f[:headerLen], ether(everybody, t.own, typeIPv4))
			if k, _ := f.ip(); k.from != unspecified {
				t.errorf("the broadcast came from %v, want %v", k.from, unspecified)
			}
			d = t.token()
			t.put(ether(everybody, alice.hw, typeIPv4, udp4(alice.ipv4, limitedBroadcast, openPort, d)))
			t.poll("a broadcast to be received", func() bool { return string(s.received()) == string(d) })
			if f := t.take(func(f frame) bool { return f.typ() == typeARP }); f != nil {
				t.errorf("a host without an address sends ARP: %v", f)
			}
		},
	},
}
