package dut

import (
	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// protocolsOf returns netstack's protocols of a socket as socket(2) describes
// it. Protocol 0 is the usual one of the type.
func protocolsOf(domain, typ, protocol int) (tcpip.NetworkProtocolNumber, tcpip.TransportProtocolNumber, errno.Errno) {
	network := tcpip.NetworkProtocolNumber(ipv4.ProtocolNumber)
	ping := tcpip.TransportProtocolNumber(icmp.ProtocolNumber4)
	switch domain {
	case linux.AF_INET:
	case linux.AF_INET6:
		network, ping = ipv6.ProtocolNumber, icmp.ProtocolNumber6
	default:
		return 0, 0, errno.EAFNOSUPPORT
	}
	usual := tcpip.TransportProtocolNumber(tcp.ProtocolNumber)
	switch linux.SockType(typ) {
	case linux.SOCK_STREAM:
		ping = usual // there are none of that type
	case linux.SOCK_DGRAM:
		usual = udp.ProtocolNumber
	default:
		return 0, 0, errno.ESOCKTNOSUPPORT
	}
	switch p := tcpip.TransportProtocolNumber(protocol); p {
	case 0:
		return network, usual, errno.NOERRNO
	case usual, ping:
		return network, p, errno.NOERRNO
	}
	return 0, 0, errno.EPROTONOSUPPORT
}
