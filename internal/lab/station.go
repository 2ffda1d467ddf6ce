package lab

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/ethlink/ethlink/ethstack"
)

// A Station is one end of a wire: the Linux kernel, or a netstack.
type Station interface {
	// Name is what people are shown.
	Name() string
	// HardwareAddr returns the address of this end.
	HardwareAddr() ethstack.HardwareAddr
	// Ping opens a socket for ICMP messages to a host and from it.
	Ping(to netip.Addr) (PacketConn, error)
	// Dial makes a TCP connection.
	Dial(ctx context.Context, to netip.AddrPort) (StreamConn, error)
	// Listen waits for TCP connections; port 0 means any. Close ends Accept.
	Listen(at netip.AddrPort) (net.Listener, error)
	// DialUDP opens a socket for datagrams to a host and from it.
	DialUDP(to netip.AddrPort) (PacketConn, error)
	// ListenUDP waits for datagrams; port 0 means any.
	ListenUDP(at netip.AddrPort) (net.PacketConn, error)
	// Neighbors returns the table of neighbors, in the order of addresses.
	Neighbors() ([]Neighbor, error)
}

// A StreamConn is a TCP connection.
type StreamConn interface {
	net.Conn
	CloseWrite() error
}

// A PacketConn is a connected socket whose messages are kept apart.
type PacketConn interface {
	net.PacketConn
	io.Writer
}

// A Neighbor is an entry of a station's table, with the state as that station
// writes it, in lower case.
type Neighbor struct {
	Addr         netip.Addr
	HardwareAddr ethstack.HardwareAddr
	State        string
}

func sortNeighbors(list []Neighbor) {
	slices.SortFunc(list, func(a, b Neighbor) int { return a.Addr.Compare(b.Addr) })
}

// FindNeighbor returns the entry of an address; its state is "absent" if there
// is none.
func FindNeighbor(list []Neighbor, a netip.Addr) Neighbor {
	for _, n := range list {
		if n.Addr == a {
			return n
		}
	}
	return Neighbor{Addr: a, State: "absent"}
}

// bind makes reads and writes of a socket fail when the context ends. The
// function that it returns undoes that.
func bind(ctx context.Context, c interface{ SetDeadline(time.Time) error }) (unbind func()) {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

// cause returns why the context ended in place of the error that came of it.
func cause(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}
