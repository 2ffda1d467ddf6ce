package ethtest

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/checksum"
)

// RandomFrame returns a frame of a kind that may come from anybody on a
// segment, within the MTU, for soak tests of the station with the hardware
// address to: mostly for it, mostly well-formed at first sight. Its ARP and IPv4
// packets speak of 10.0.0.0 to 10.0.0.7.
func RandomFrame(r *rand.Rand, to ethstack.HardwareAddr, mtu int) []byte {
	b := make([]byte, ethstack.HeaderLen+minPayload+r.IntN(mtu-minPayload+1))
	for at := range b {
		b[at] = byte(r.Uint32())
	}
	h := ethstack.Header{Destination: randomDestination(r, to), Source: randomSource(r, to)}
	payload := b[ethstack.HeaderLen:]
	switch r.IntN(8) {
	case 0, 1:
		h.EtherType = ethstack.EtherTypeARP
		putARP(r, payload, h.Source)
	case 2, 3, 4:
		h.EtherType = ethstack.EtherTypeIPv4
		putIPv4(r, payload)
	case 5:
		h.EtherType = ethstack.EtherTypeIPv6
		payload[0] = 6 << 4
	case 6:
		// A tag, and behind it whatever comes.
		h.EtherType = ethstack.EtherTypeVLAN
	default:
		// A type, a length, or neither.
		h.EtherType = ethstack.EtherType(r.UintN(1 << 16 >> r.IntN(8)))
	}
	h.Put((*[ethstack.HeaderLen]byte)(b))
	if r.IntN(50) == 0 {
		b = b[:1+r.IntN(len(b))]
	}
	return b
}

// minPayload is how much payload a random frame has room for: an ARP packet,
// or an IPv4 and an ICMP header.
const minPayload = 28

// one returns one of the given values.
func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func randomHardwareAddr(r *rand.Rand) (a ethstack.HardwareAddr) {
	binary.BigEndian.PutUint16(a[4:], uint16(r.Uint32()))
	a[0] = 2
	return a
}

func randomDestination(r *rand.Rand, to ethstack.HardwareAddr) ethstack.HardwareAddr {
	if r.IntN(4) > 0 {
		return to
	}
	return one(r,
		arp.Broadcast,
		ethstack.HardwareAddr{0x01, 0x00, 0x5e, 0, 0, 1},
		ethstack.HardwareAddr{0x33, 0x33, 0, 0, 0, 1},
		ethstack.HardwareAddr{0x01, 0x80, 0xc2, 0, 0, byte(r.IntN(16))},
		randomHardwareAddr(r),
	)
}

func randomSource(r *rand.Rand, to ethstack.HardwareAddr) ethstack.HardwareAddr {
	if r.IntN(20) > 0 {
		return randomHardwareAddr(r)
	}
	return one(r, to, ethstack.HardwareAddr{}, arp.Broadcast)
}

func randomIPv4(r *rand.Rand) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(8))}) }

func putARP(r *rand.Rand, b []byte, source ethstack.HardwareAddr) {
	arp.Packet{
		Operation:          one(r, arp.OperationRequest, arp.OperationReply),
		SenderHardwareAddr: source, SenderAddr: randomIPv4(r), TargetAddr: randomIPv4(r),
	}.Put((*[arp.PacketLen]byte)(b))
	if r.IntN(10) == 0 {
		b[r.IntN(arp.PacketLen)] ^= byte(r.Uint32())
	}
}

// putIPv4 makes b an IPv4 packet, often one with a good header, and of those
// some a good echo request.
func putIPv4(r *rand.Rand, b []byte) {
	b[0], b[1] = 4<<4|5, 0
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[6], b[7] = 0, 0 // no fragment
	b[8], b[9] = 64, one[byte](r, 1, 6, 17, byte(r.Uint32()))
	*(*[4]byte)(b[12:]) = randomIPv4(r).As4()
	*(*[4]byte)(b[16:]) = randomIPv4(r).As4()
	if r.IntN(5) == 0 {
		b[r.IntN(20)] ^= byte(r.Uint32())
	}
	if r.IntN(5) > 0 {
		putChecksum(b[:20], 10)
	}
	if b[9] == 1 && r.IntN(2) == 0 {
		b[20], b[21] = 8, 0
		putChecksum(b[20:], 2)
	}
}

// putChecksum puts the Internet checksum of b into it.
func putChecksum(b []byte, at int) {
	b[at], b[at+1] = 0, 0
	binary.BigEndian.PutUint16(b[at:], ^checksum.Of(b))
}
