package dut_test

import (
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

// TestAccept: it waits for a connection, and tells from where it is.
func TestAccept(t *testing.T) {
	b := newBench(t)
	for _, a := range []netip.Addr{dut4.Addr(), dut6.Addr()} {
		fd, at := b.listen(a)
		type accepted struct {
			*posix.AcceptResponse
			err error
		}
		got := make(chan accepted, 1)
		go func() {
			r, err := b.client.Accept(b.ctx(), &posix.AcceptRequest{Sockfd: fd})
			got <- accepted{r, err}
		}()
		c, err := b.peer.Dial(b.ctx(), at)
		check(t, err)
		r := <-got
		check(t, r.err)
		if from := addrPort(t, r.GetAddr()).String(); r.GetFd() <= fd || from != c.LocalAddr().String() {
			t.Errorf("accept = %v, want a socket and %v", r.AcceptResponse, c.LocalAddr())
		}
		if name := b.name(r.GetFd()); name != at {
			t.Errorf("the accepted socket is at %v, want %v", name, at)
		}
		check(t, c.Close())
	}
}

// TestAcceptThatFails still carries an address, which the test binaries want.
func TestAcceptThatFails(t *testing.T) {
	b := newBench(t)
	listening, _ := b.listen(dut6.Addr())
	b.ok(0)(b.client.SetNonblocking(b.ctx(), &posix.SetNonblockingRequest{Fd: listening, Nonblocking: true}))
	for _, tt := range []struct {
		fd   int32
		want int32
		addr netip.AddrPort
	}{
		{listening, errno.EAGAIN, any6},
		{b.tcp(), errno.EINVAL, any4},
		{b.udp(), errno.EOPNOTSUPP, any4},
		{99, errno.EBADF, any4},
	} {
		r, err := b.client.Accept(b.ctx(), &posix.AcceptRequest{Sockfd: tt.fd})
		check(t, err)
		if r.GetFd() != -1 || r.GetErrno_() != tt.want || addrPort(t, r.GetAddr()) != tt.addr {
			t.Errorf("accept(%d) = %v, want -1, errno %d, %v", tt.fd, r, tt.want, tt.addr)
		}
	}
}

// TestListenBacklog: like Linux, one connection more than the backlog waits.
func TestListenBacklog(t *testing.T) {
	b := newBench(t)
	fd, at := b.listen(dut4.Addr())
	for range 2 {
		c, err := b.peer.Dial(b.ctx(), at)
		check(t, err)
		defer c.Close()
	}
	b.accept(fd)
	b.accept(fd)
	b.fails(errno.EOPNOTSUPP)(b.client.Listen(b.ctx(), &posix.ListenRequest{Sockfd: b.udp()}))
	b.fails(errno.EBADF)(b.client.Listen(b.ctx(), &posix.ListenRequest{Sockfd: 99}))
}

func TestConnect(t *testing.T) {
	b := newBench(t)
	connect := func(fd int32, to netip.AddrPort) (*posix.ConnectResponse, error) {
		return b.client.Connect(b.ctx(), &posix.ConnectRequest{Sockfd: fd, Addr: sockaddr(to)})
	}
	for _, p := range []netip.Prefix{peer4, peer6} {
		l, err := b.peer.Listen(netip.AddrPortFrom(p.Addr(), 80))
		check(t, err)
		defer l.Close()
	}
	at4, at6 := netip.AddrPortFrom(peer4.Addr(), 80), netip.AddrPortFrom(peer6.Addr(), 80)
	fd := b.tcp()
	b.ok(0)(connect(fd, at4))
	b.fails(errno.EISCONN)(connect(fd, at4))
	b.ok(0)(connect(b.socket(linux.AF_INET6, stream, 0), at6))
	b.fails(errno.ECONNREFUSED)(connect(b.tcp(), netip.AddrPortFrom(peer4.Addr(), 81)))
	b.fails(errno.ENETUNREACH)(connect(b.tcp(), netip.MustParseAddrPort("198.51.100.1:80")))
	b.fails(errno.EINVAL)(connect(b.tcp(), at6))
	b.fails(errno.EBADF)(connect(99, at4))
	// Nobody has this address: ARP fails, after seconds, while the call waits.
	b.fails(errno.EHOSTUNREACH)(connect(b.tcp(), netip.MustParseAddrPort("192.0.2.77:80")))
}

// TestConnectWithoutWaiting: the end is told by poll.
func TestConnectWithoutWaiting(t *testing.T) {
	b := newBench(t)
	l, err := b.peer.Listen(netip.AddrPortFrom(peer4.Addr(), 80))
	check(t, err)
	defer l.Close()
	fd := b.socket(linux.AF_INET, stream|linux.SOCK_NONBLOCK, 0)
	req := &posix.ConnectRequest{Sockfd: fd, Addr: sockaddr(netip.AddrPortFrom(peer4.Addr(), 80))}
	b.fails(errno.EINPROGRESS)(b.client.Connect(b.ctx(), req))
	if got := b.poll(fd, linux.POLLOUT, patience); got != linux.POLLOUT {
		t.Errorf("poll: events %#x, want POLLOUT", got)
	}
	b.ok(0)(b.client.Connect(b.ctx(), req))
}

func TestShutdown(t *testing.T) {
	b := newBench(t)
	shutdown := func(fd, how int32) (*posix.ShutdownResponse, error) {
		return b.client.Shutdown(b.ctx(), &posix.ShutdownRequest{Fd: fd, How: how})
	}
	fd, c := b.connected()
	b.ok(0)(shutdown(fd, linux.SHUT_WR))
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the peer read %d bytes, %v; want the end", n, err)
	}
	b.fails(errno.EPIPE)(b.client.Send(b.ctx(), &posix.SendRequest{Sockfd: fd, Buf: []byte("x")}))
	b.ok(0)(shutdown(fd, linux.SHUT_RD))
	b.ok(0)(b.client.Recv(b.ctx(), &posix.RecvRequest{Sockfd: fd, Len: 1}))
	fd, _ = b.connected()
	b.ok(0)(shutdown(fd, linux.SHUT_RDWR))
	b.fails(errno.EPIPE)(b.client.Send(b.ctx(), &posix.SendRequest{Sockfd: fd, Buf: []byte("x")}))
	b.fails(errno.EINVAL)(shutdown(fd, 3))
	b.fails(errno.ENOTCONN)(shutdown(b.tcp(), linux.SHUT_RDWR))
	b.fails(errno.EBADF)(shutdown(99, linux.SHUT_RD))
}
