package conformance

import (
	"math/rand/v2"
)

// What an endpoint has to survive.
var faults = []check{
	{
		requirement: "C30", clause: "LinkEndpoint, Attach", name: "survives_foreign_frames", level: Must,
		asks: "Frames for other stations, as every hub and bridge sends them, do not end reception.",
		test: func(t *trial) {
			for range 50 {
				t.put(ether(bob.hw, alice.hw, typeIPv4, udp4(alice.ipv4, bob.ipv4, openPort, data(30))))
			}
			t.settle()
		},
	}, {
		requirement: "C30", clause: "LinkEndpoint, Attach", name: "survives_truncated_frames", level: Must,
		asks: "Frames that are cut off at any byte do not end reception, and make nothing panic.",
		test: func(t *trial) {
			t.introduce(alice)
			for _, whole := range []frame{
				ether(t.own, alice.hw, typeIPv4, udp4(alice.ipv4, ownIPv4, openPort, data(8))),
				ether(t.own, alice.hw, typeIPv6, echo6(alice.ipv6, ownIPv6, data(8))),
				request(alice, everybody, ownIPv4).tagged(typeVLAN, 0),
				ieee(t.own, alice.hw, typeIPv4, 0, echo4(alice.ipv4, ownIPv4, data(8))),
			} {
				for n := headerLen; n <= len(whole); n++ {
					t.put(whole[:n])
				}
				t.settle()
			}
		},
	}, {
		requirement: "C30", clause: "LinkEndpoint, Attach", name: "survives_garbage", level: Must,
		asks: "Frames of random bytes, to us and to others, do not end reception, and make nothing panic.",
		test: func(t *trial) {
			const seed = 826
			r := rand.New(rand.NewPCG(seed, seed))
			types := []uint16{typeIPv4, typeIPv6, typeARP, typeVLAN, typeService, 0x8808, 1000, 1510, typeExperiment}
			for i := range 600 {
				f := make(frame, headerLen+r.IntN(200))
				for k := range f {
					f[k] = byte(r.Uint32())
				}
				if i%4 != 0 {
					copy(f, t.own[:])
				}
				if i%8 != 0 {
					typ := types[r.IntN(len(types))]
					f[12], f[13] = byte(typ>>8), byte(typ)
				}
				if i%3 == 0 && len(f) > headerLen {
					f[headerLen] = 0x45 // passes for IPv4
				}
				t.put(f)
				if i%50 == 0 {
					t.settle()
				}
			}
			t.settle()
		},
	}, {
		requirement: "C31", clause: "LinkEndpoint, WritePackets", name: "peer_gone", level: Must,
		asks: "When the other end is gone, writing returns with no error but the four that netstack knows: a router must not panic because a machine was switched off.",
		test: func(t *trial) {
			if t.Unplug == nil {
				t.skip("the subject has no Unplug")
			}
			t.Unplug()
			t.forwardMany("a packet to who is gone", 10)
		},
	}, {
		requirement: "C31", clause: "LinkEndpoint, WritePackets", name: "wire_full", level: Must,
		asks: "When nobody reads what is written, writing neither waits nor returns an error but the four that netstack knows.",
		test: func(t *trial) { t.forwardMany("a packet to a wire that is full", 10_000) },
	},
}

// forwardMany writes up to n packets that are forwarded, and reads none. It ends
// with the first error.
func (t *trial) forwardMany(what string, n int) {
	payload := data(int(t.MTU))
	t.within("WritePackets of "+what, func() {
		for range n {
			pkt := t.packet(payload, typeIPv4, alice.hw, t.own)
			pkt.NetworkPacketInfo.IsForwardedPacket = true
			t.Endpoint.AddHeader(pkt)
			err := t.forwarded(what, pkt)
			pkt.DecRef()
			if err != nil {
				return
			}
		}
	})
}
