package endpoint_test

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/ethstack"
)

// peerAddr is the address of who is no stack, only frames.
var (
	peerAddr     = tcpip.AddrFrom4([4]byte{10, 0, 0, 77})
	peerAddr6    = tcpip.AddrFrom16([16]byte{0: 0xfd, 15: 77})
	peerHardware = ethstack.HardwareAddr{2, 0, 0, 0, 0, 77}
)

// datagram returns an UDP datagram for port 7 of h.
func datagram(h *host, size int, good bool) []byte {
	u := header.UDP(datagramTo(peerAddr, h.addr4(), size))
	if !good {
		u.SetChecksum(u.Checksum() ^ 0x5555)
	}
	return u
}

// datagramTo returns one for port 7 of any address.
func datagramTo(from, to tcpip.Address, size int) []byte {
	b := make([]byte, header.UDPMinimumSize+size)
	u := header.UDP(b)
	u.Encode(&header.UDPFields{SrcPort: 1234, DstPort: 7, Length: uint16(len(b))})
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, from, to, uint16(len(b)))
	u.SetChecksum(^checksum.Checksum(b, sum))
	return b
}

// frame returns a frame from the peer with an IPv4 packet for h in it.
func frame(h *host, to ethstack.HardwareAddr, f header.IPv4Fields, payload []byte) []byte {
	b := make([]byte, ethstack.HeaderLen+header.IPv4MinimumSize, ethstack.HeaderLen+header.IPv4MinimumSize+len(payload))
	ethstack.Header{Destination: to, Source: peerHardware, EtherType: ethstack.EtherTypeIPv4}.Put((*[ethstack.HeaderLen]byte)(b))
	ip := header.IPv4(b[ethstack.HeaderLen:])
	f.TotalLength = uint16(header.IPv4MinimumSize + len(payload))
	f.TTL = 64
	f.SrcAddr = peerAddr
	if f.DstAddr.Len() == 0 {
		f.DstAddr = h.addr4()
	}
	ip.Encode(&f)
	ip.SetChecksum(^ip.CalculateChecksum())
	return append(b, payload...)
}

// fragments returns the frames of an UDP datagram in fragments.
func fragments(h *host, size int, good bool) (frames [][]byte) {
	const most = 1480
	rest := datagram(h, size, good)
	id := uint16(1)
	if good {
		id = 2
	}
	for at := 0; len(rest) > 0; {
		n := min(most, len(rest))
		f := header.IPv4Fields{Protocol: uint8(header.UDPProtocolNumber), ID: id, FragmentOffset: uint16(at)}
		if n < len(rest) {
			f.Flags = header.IPv4FlagMoreFragments
		}
		frames = append(frames, frame(h, h.ep.Interface().HardwareAddr(), f, rest[:n]))
		rest, at = rest[n:], at+n
	}
	return frames
}
