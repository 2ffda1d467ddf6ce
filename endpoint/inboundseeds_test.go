package endpoint

import (
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/ethstack"
)

// A seedFrame is a frame that means something, from which a fuzzer goes on.
type seedFrame struct {
	frame   []byte
	offload ethstack.Offload
	bits    byte
}

// tagged puts what lies between the addresses and the EtherType into a frame.
func tagged(b []byte, between ...byte) []byte { return slices.Concat(b[:12], between, b[12:]) }

func inboundSeeds() []seedFrame {
	plain := tcpFrame(20, false)
	fragment := slices.Clone(plain)
	fragment[ethstack.HeaderLen+6] = 0x20
	wrong := slices.Clone(plain)
	wrong[len(wrong)-1]++
	other := slices.Clone(plain)
	other[5] = 9
	tcp6 := slices.Concat(plain[:12], []byte{0x86, 0xdd}, make([]byte, header.IPv6MinimumSize), plain[34:])
	header.IPv6(tcp6[ethstack.HeaderLen:]).Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(plain) - 34), TransportProtocol: header.TCPProtocolNumber, HopLimit: 64,
	})
	snap := tagged(plain, 0, byte(len(plain)-14+8), 0xaa, 0xaa, 3, 0, 0, 0)
	vouched := ethstack.Offload{Flags: ethstack.DataValid}
	return []seedFrame{
		{plain, ethstack.Offload{}, 0},
		{plain, vouched, openHost},
		{wrong, ethstack.Offload{}, 0},
		{tcpFrame(20, true), partialTCP, repaired},
		{tcpFrame(20, true), partialTCP, companioned},
		{tcpFrame(200, true), superTCP(50), 0},
		{tcpFrame(200, true), superTCP(50), promiscuous},
		{tagged(plain, 0x81, 0, 0, 5), ethstack.Offload{}, 0},
		{tagged(plain, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 5), vouched, 0},
		{tagged(plain, 0x81, 0, 0, 9), ethstack.Offload{}, 0},
		{snap, ethstack.Offload{}, 0},
		{fragment, vouched, repaired},
		{other, ethstack.Offload{}, openHost | companioned},
		{tcp6, vouched, 0},
	}
}
