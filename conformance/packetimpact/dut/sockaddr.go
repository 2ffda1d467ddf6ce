package dut

import (
	"net/netip"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

// A sockaddr is an address as a socket call has it.
type sockaddr struct {
	family int
	tcpip.FullAddress
}

// parseSockaddr converts an address of the wire. The error is gRPC's, for a
// message that no socket call could be made of.
func parseSockaddr(a *posix.Sockaddr) (sockaddr, error) {
	switch in, in6 := a.GetIn(), a.GetIn6(); {
	case in != nil:
		return newSockaddr(int(in.GetFamily()), in.GetAddr(), header.IPv4AddressSize, in.GetPort(), 0)
	case in6 != nil:
		return newSockaddr(int(in6.GetFamily()), in6.GetAddr(), header.IPv6AddressSize, in6.GetPort(), in6.GetScopeId())
	}
	return sockaddr{}, status.Error(codes.InvalidArgument, "the address is of no kind: want in or in6")
}

// newSockaddr makes netstack's form of an address: there the unspecified one is
// empty, and only a link-local one has an interface.
func newSockaddr(family int, addr []byte, size int, port, scope uint32) (sockaddr, error) {
	if len(addr) != size {
		return sockaddr{}, status.Errorf(codes.InvalidArgument, "the address %x has %d bytes: want %d", addr, len(addr), size)
	}
	if port > 0xffff {
		return sockaddr{}, status.Errorf(codes.InvalidArgument, "port %d: want 0 to 65535", port)
	}
	f := tcpip.FullAddress{Port: uint16(port), Addr: tcpip.AddrFromSlice(addr)}
	switch {
	case f.Addr.Unspecified():
		f.Addr = tcpip.Address{}
	case isLinkLocal(f.Addr):
		f.NIC = tcpip.NICID(scope)
	}
	return sockaddr{family, f}, nil
}

func isLinkLocal(a tcpip.Address) bool {
	return header.IsV6LinkLocalUnicastAddress(a) || header.IsV6LinkLocalMulticastAddress(a)
}

// errFamily is of a call with an address that is not of the socket's family:
// what the sentry returns, and the suite expects; Linux has EAFNOSUPPORT.
const errFamily = errno.EINVAL

// destination returns netstack's form of an address that the socket is to reach.
// An IPv6 socket reaches IPv4 addresses, too: netstack decides whether this one
// may.
func (s *socket) destination(a sockaddr) (tcpip.FullAddress, errno.Errno) {
	switch {
	case a.family == s.family():
		return a.FullAddress, errno.NOERRNO
	case s.family() != linux.AF_INET6 || a.family != linux.AF_INET:
		return tcpip.FullAddress{}, errFamily
	case a.Addr == tcpip.Address{}:
		// The empty address would be IPv6's.
		a.Addr = tcpip.AddrFrom16(netip.AddrFrom4([4]byte{}).As16())
	}
	return a.FullAddress, errno.NOERRNO
}

// family returns AF_INET or AF_INET6.
func (s *socket) family() int {
	if s.network == ipv6.ProtocolNumber {
		return linux.AF_INET6
	}
	return linux.AF_INET
}

// sockaddr converts an address of the socket's family for the wire; the zero
// one is the unspecified address, which is also what a failed call carries.
func (s *socket) sockaddr(f tcpip.FullAddress) *posix.Sockaddr {
	if s.network == ipv6.ProtocolNumber {
		in6 := &posix.SockaddrIn6{Family: linux.AF_INET6, Port: uint32(f.Port), Addr: make([]byte, header.IPv6AddressSize)}
		if ip, ok := netip.AddrFromSlice(f.Addr.AsSlice()); ok {
			mapped := ip.As16() // of an IPv4 address: RFC 4291 §2.5.5.2
			copy(in6.Addr, mapped[:])
		}
		if isLinkLocal(f.Addr) {
			in6.ScopeId = uint32(f.NIC)
		}
		return &posix.Sockaddr{Sockaddr: &posix.Sockaddr_In6{In6: in6}}
	}
	in := &posix.SockaddrIn{Family: linux.AF_INET, Port: uint32(f.Port), Addr: make([]byte, header.IPv4AddressSize)}
	copy(in.Addr, f.Addr.AsSlice())
	return &posix.Sockaddr{Sockaddr: &posix.Sockaddr_In{In: in}}
}

// noSockaddr is what a call carries that failed for want of a socket: the test
// binaries want an address in every answer.
func noSockaddr() *posix.Sockaddr { return new(socket).sockaddr(tcpip.FullAddress{}) }
