package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/internal/netns"
)

// A kernel is the Linux kernel's end of the wire, in the network namespace of
// this process.
type kernel struct{}

var _ station = kernel{}

// congestion is what the kernel's TCP uses on both ends. The default of a
// machine may be anything, and a namespace may not be allowed to change it.
const congestion = "cubic"

// openKernel gives the interface of this namespace its addresses. An error of
// IPv6 alone is separate, for there are kernels without.
func openKernel(iface string, v4, v6 netip.Prefix, plain bool) (k kernel, noIPv6, err error) {
	if err := prepareIface(iface, plain); err != nil {
		return k, nil, err
	}
	buffers := fmt.Sprintf("%d %d %d", minBuffer, defaultBuffer, maxBuffer)
	err = errors.Join(
		netns.SetSysctl("ipv4/tcp_rmem", buffers),
		netns.SetSysctl("ipv4/tcp_wmem", buffers),
		netns.AddAddr(iface, v4),
	)
	if noIPv6 = netns.SetIPv6(iface, true); noIPv6 == nil {
		err = errors.Join(err, netns.AddAddr(iface, v6))
	}
	return k, noIPv6, err
}

// prepareIface brings an interface up. A plain one has no offloads.
func prepareIface(iface string, plain bool) error {
	if plain {
		if err := netns.DisableOffloads(iface); err != nil {
			return err
		}
	}
	return netns.SetUp(iface)
}

// checkCongestion reports why the kernel's TCP cannot be given the congestion
// control.
func checkCongestion() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
}

// control sets the options of a socket. Where the congestion control is refused
// checkCongestion has told.
func control(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
	})
}

func (kernel) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Control: control, KeepAlive: -1}
	c, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return abortive(c), nil
}

// abortive makes Close throw away what is on its way, so that nothing of a test
// is left when it has ended.
func abortive(c net.Conn) net.Conn {
	c.(*net.TCPConn).SetLinger(0)
	return c
}

// An abortiveListener accepts such connections.
type abortiveListener struct{ net.Listener }

func (l abortiveListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return abortive(c), nil
}

func (kernel) listen(at netip.AddrPort) (net.Listener, error) {
	lc := net.ListenConfig{Control: control, KeepAlive: -1}
	l, err := lc.Listen(context.Background(), "tcp", at.String())
	if err != nil {
		return nil, err
	}
	return abortiveListener{l}, nil
}

func (kernel) dialUDP(to netip.AddrPort) (net.Conn, error) { return net.Dial("udp", to.String()) }

func (kernel) listenUDP(at netip.AddrPort) (net.PacketConn, error) {
	return net.ListenPacket("udp", at.String())
}

func (kernel) sendTo(to netip.AddrPort) (datagrams, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil, err
	}
	return newMessages(c)
}

func (kernel) receiveAt(at netip.AddrPort) (datagrams, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	return newMessages(c)
}
