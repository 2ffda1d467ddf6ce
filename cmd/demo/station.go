package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"

	"github.com/ethlink/ethlink/ethstack"
)

// A station is one end of the wire: the Linux kernel, or a netstack.
type station interface {
	// Name is what people are shown.
	Name() string
	// HardwareAddr returns the address of this end.
	HardwareAddr() ethstack.HardwareAddr
	// Ping opens a socket for ICMP messages to a host and from it.
	Ping(to netip.Addr) (packetConn, error)
	// Dial makes a TCP connection.
	Dial(ctx context.Context, to netip.AddrPort) (streamConn, error)
	// Listen waits for TCP connections; port 0 means any. Close ends Accept.
	Listen(at netip.AddrPort) (net.Listener, error)
	// DialUDP opens a socket for datagrams to a host and from it.
	DialUDP(to netip.AddrPort) (packetConn, error)
	// ListenUDP waits for datagrams; port 0 means any.
	ListenUDP(at netip.AddrPort) (net.PacketConn, error)
	// Neighbors returns the table of neighbors, in the order of addresses.
	Neighbors() ([]neighbor, error)
}

// A streamConn is a TCP connection.
type streamConn interface {
	net.Conn
	CloseWrite() error
}

// A packetConn is a connected socket whose messages are kept apart.
type packetConn interface {
	net.PacketConn
	io.Writer
}

// A neighbor is an entry of a station's table, with the state as that station
// writes it.
type neighbor struct {
	addr         netip.Addr
	hardwareAddr ethstack.HardwareAddr
	state        string
}

func sortNeighbors(list []neighbor) {
	slices.SortFunc(list, func(a, b neighbor) int { return a.addr.Compare(b.addr) })
}

// findNeighbor returns the entry of an address, without a state if there is
// none.
func findNeighbor(list []neighbor, a netip.Addr) neighbor {
	for _, n := range list {
		if n.addr == a {
			return n
		}
	}
	return neighbor{addr: a, state: "absent"}
}
