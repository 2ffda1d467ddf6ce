package bench

import (
	"context"
	"net"
	"net/netip"
)

// The addresses are those for documentation: RFC 5737 §3, RFC 3849 §2.
var (
	subjectIPv4 = netip.MustParsePrefix("192.0.2.2/24")
	peerIPv4    = netip.MustParsePrefix("192.0.2.1/24")
	subjectIPv6 = netip.MustParsePrefix("2001:db8::2/64")
	peerIPv6    = netip.MustParsePrefix("2001:db8::1/64")
)

// Names of interfaces. A TAP has only the peer's.
const (
	subjectIface = "subject"
	peerIface    = "peer"
)

// mtu is that of every wire.
const mtu = 1500

// What TCP may buffer, on both sides: netstack's defaults, and the kernel's, are
// for slow links.
const (
	minBuffer     = 4 << 10
	defaultBuffer = 4 << 20
	maxBuffer     = 8 << 20
)

// A station is one end of the wire, with sockets: netstack's or the kernel's.
type station interface {
	dial(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	listen(at netip.AddrPort) (net.Listener, error)
	// dialUDP returns a socket for datagrams one by one, listenUDP too.
	dialUDP(to netip.AddrPort) (net.Conn, error)
	listenUDP(at netip.AddrPort) (net.PacketConn, error)
	// sendTo and receiveAt return sockets for datagrams as fast as it goes.
	sendTo(to netip.AddrPort) (datagrams, error)
	receiveAt(at netip.AddrPort) (datagrams, error)
}

// datagrams is a UDP socket that is used as efficiently as it can be.
type datagrams interface {
	// send offers a batch. What finds no room is lost, as with every datagram.
	send(batch [][]byte)
	// receive waits for datagrams and calls a function with each. The error is
	// that the socket was closed.
	receive(each func([]byte)) error
	port() uint16
	Close() error
}
