package dut_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

const (
	stream = int(linux.SOCK_STREAM)
	dgram  = int(linux.SOCK_DGRAM)
)

var (
	any4 = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	any6 = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
)

func TestSocket(t *testing.T) {
	b := newBench(t)
	for _, tt := range []struct {
		domain, typ, protocol int
		want                  int32
	}{
		{linux.AF_INET, stream, linux.IPPROTO_TCP, 0},
		{linux.AF_INET6, stream | linux.SOCK_NONBLOCK, linux.IPPROTO_TCP, 0},
		{linux.AF_INET, dgram | linux.SOCK_CLOEXEC, linux.IPPROTO_UDP, 0},
		{linux.AF_INET6, dgram, 0, 0},
		{linux.AF_INET, dgram, linux.IPPROTO_ICMP, 0},
		{linux.AF_INET6, dgram, linux.IPPROTO_ICMPV6, 0},
		{linux.AF_INET6, dgram, linux.IPPROTO_ICMP, errno.EPROTONOSUPPORT},
		{linux.AF_INET, dgram, linux.IPPROTO_TCP, errno.EPROTONOSUPPORT},
		{linux.AF_INET, stream, linux.IPPROTO_ICMP, errno.EPROTONOSUPPORT},
		{linux.AF_INET, int(linux.SOCK_RAW), linux.IPPROTO_TCP, errno.ESOCKTNOSUPPORT},
		{linux.AF_UNIX, stream, 0, errno.EAFNOSUPPORT},
	} {
		r, err := b.client.Socket(b.ctx(), &posix.SocketRequest{Domain: int32(tt.domain), Type: int32(tt.typ), Protocol: int32(tt.protocol)})
		check(t, err)
		if r.GetErrno_() != tt.want || (r.GetFd() == -1) != (tt.want != 0) {
			t.Errorf("socket(%d, %d, %d) = %v, want errno %d", tt.domain, tt.typ, tt.protocol, r, tt.want)
		}
	}
}

func TestNumbersAreNotUsedAgain(t *testing.T) {
	b := newBench(t)
	fd := b.udp()
	b.close(fd)
	if next := b.udp(); next == fd {
		t.Errorf("the number %d of a closed socket was given to another", fd)
	}
}

func TestBindAndGetSockName(t *testing.T) {
	b := newBench(t)
	bind := func(fd int32, a netip.AddrPort) (*posix.BindResponse, error) {
		return b.client.Bind(b.ctx(), &posix.BindRequest{Sockfd: fd, Addr: sockaddr(a)})
	}
	four, six := b.udp(), b.socket(linux.AF_INET6, dgram, 0)
	for fd, want := range map[int32]netip.AddrPort{four: any4, six: any6} {
		if got := b.name(fd); got != want {
			t.Errorf("the name of an unbound socket is %v, want %v", got, want)
		}
	}
	at4, at6 := netip.AddrPortFrom(dut4.Addr(), 4000), netip.AddrPortFrom(dut6.Addr(), 4000)
	b.bind(four, at4)
	b.bind(six, at6)
	for fd, want := range map[int32]netip.AddrPort{four: at4, six: at6} {
		if got := b.name(fd); got != want {
			t.Errorf("the name of a bound socket is %v, want %v", got, want)
		}
	}
	any := b.tcp()
	b.bind(any, any4)
	if got := b.name(any); !got.Addr().IsUnspecified() || got.Port() == 0 {
		t.Errorf("the name of a socket bound to any address and port is %v", got)
	}
	b.fails(errno.EADDRINUSE)(bind(b.udp(), at4))
	if err := b.stack.SetPortRange(5000, 5000); err != nil {
		t.Fatal(err)
	}
	b.bind(b.udp(), any4)
	b.fails(errno.EADDRINUSE)(bind(b.udp(), any4)) // no port is free
	b.fails(errno.EADDRNOTAVAIL)(bind(b.udp(), netip.AddrPortFrom(peer4.Addr(), 1)))
	b.fails(errno.EINVAL)(bind(b.udp(), at6))
	b.fails(errno.EINVAL)(bind(four, at4))
	b.fails(errno.EBADF)(bind(99, at4))
}

// TestScope: the zone of a link-local address is the number of an interface.
func TestScope(t *testing.T) {
	b := newBench(t)
	a := sockaddr(netip.MustParseAddrPort("[ff02::1]:4000"))
	a.GetIn6().ScopeId = 9
	r, err := b.client.Connect(b.ctx(), &posix.ConnectRequest{Sockfd: b.socket(linux.AF_INET6, dgram, 0), Addr: a})
	b.fails(errno.ENETUNREACH)(r, err)
	a.GetIn6().ScopeId = 2
	r, err = b.client.Connect(b.ctx(), &posix.ConnectRequest{Sockfd: b.socket(linux.AF_INET6, dgram, 0), Addr: a})
	b.ok(0)(r, err)
}

// TestMessagesThatAreNone: no socket call could be made of them, so the error
// is gRPC's.
func TestMessagesThatAreNone(t *testing.T) {
	b := newBench(t)
	short, port := sockaddr(any4), sockaddr(any6)
	short.GetIn().Addr = []byte{1, 2, 3}
	port.GetIn6().Port = 65536
	for _, a := range []*posix.Sockaddr{nil, {}, short, port} {
		_, err := b.client.Bind(b.ctx(), &posix.BindRequest{Sockfd: b.udp(), Addr: a})
		wantCode(t, err, codes.InvalidArgument)
		_, err = b.client.Connect(b.ctx(), &posix.ConnectRequest{Sockfd: b.udp(), Addr: a})
		wantCode(t, err, codes.InvalidArgument)
		_, err = b.client.SendTo(b.ctx(), &posix.SendToRequest{Sockfd: b.udp(), DestAddr: a})
		wantCode(t, err, codes.InvalidArgument)
	}
	_, err := b.client.SetSockOpt(b.ctx(), &posix.SetSockOptRequest{Sockfd: b.udp(), Level: linux.SOL_SOCKET, Optname: linux.SO_BROADCAST})
	wantCode(t, err, codes.InvalidArgument)
	_, err = b.client.GetSockOpt(b.ctx(), &posix.GetSockOptRequest{Sockfd: b.udp(), Level: linux.SOL_SOCKET, Optname: linux.SO_ERROR})
	wantCode(t, err, codes.InvalidArgument)
}

func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("error %v, want code %v", err, want)
	}
}

// TestCloseWhileWaiting: the calls that wait end.
func TestCloseWhileWaiting(t *testing.T) {
	b := newBench(t)
	fd, _ := b.connected()
	listening, _ := b.listen(dut4.Addr())
	ends := make(chan int32, 2)
	go func() {
		r, _ := b.client.Recv(b.ctx(), &posix.RecvRequest{Sockfd: fd, Len: 1})
		ends <- r.GetErrno_()
	}()
	go func() {
		r, _ := b.client.Accept(b.ctx(), &posix.AcceptRequest{Sockfd: listening})
		ends <- r.GetErrno_()
	}()
	b.waitUntil("both calls wait", func() bool { return b.server.Waits(fd) && b.server.Waits(listening) })
	b.close(fd)
	b.close(listening)
	for range 2 {
		if got := <-ends; got != errno.EBADF {
			t.Errorf("errno %d of a call whose socket was closed, want EBADF", got)
		}
	}
	b.fails(errno.EBADF)(b.client.Close(b.ctx(), &posix.CloseRequest{Fd: fd}))
}

// TestClientGivesUp: the call ends on the server, too, which CheckLeaks sees.
func TestClientGivesUp(t *testing.T) {
	b := newBench(t)
	fd := b.udp()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		b.waitUntil("the call waits", func() bool { return b.server.Waits(fd) })
		cancel()
	}()
	_, err := b.client.Recv(ctx, &posix.RecvRequest{Sockfd: fd, Len: 1})
	wantCode(t, err, codes.Canceled)
	b.waitUntil("the call has ended", func() bool { return !b.server.Waits(fd) })
}

func TestSetNonblocking(t *testing.T) {
	b := newBench(t)
	fd := b.udp()
	set := func(fd int32, on bool) (*posix.SetNonblockingResponse, error) {
		return b.client.SetNonblocking(b.ctx(), &posix.SetNonblockingRequest{Fd: fd, Nonblocking: on})
	}
	recv := func() (*posix.RecvResponse, error) {
		return b.client.Recv(b.ctx(), &posix.RecvRequest{Sockfd: fd, Len: 1})
	}
	b.ok(0)(set(fd, true))
	b.fails(errno.EAGAIN)(recv())
	b.ok(0)(set(fd, false))
	const timeout = 30 * time.Millisecond
	b.setTimeout(fd, timeout)
	start := time.Now()
	b.fails(errno.EAGAIN)(recv())
	if took := time.Since(start); took < timeout {
		t.Errorf("it waited for %v, want %v", took, timeout)
	}
	r, err := set(99, true)
	b.fails(errno.EBADF)(r, err)
	if r.GetCmd() != "F_GETFL" {
		t.Errorf("the command that failed is %q, want F_GETFL", r.GetCmd())
	}
}
