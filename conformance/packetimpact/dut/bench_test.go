package dut_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/conformance/packetimpact/dut"
	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// patience bounds how long anything is waited for.
const patience = 10 * time.Second

// nicName is the name of the interface that is tested.
const nicName = "test0"

// The addresses of the device under test and of its peer.
var (
	dut4  = netip.MustParsePrefix("192.0.2.2/24")
	dut6  = netip.MustParsePrefix("2001:db8::2/64")
	peer4 = netip.MustParsePrefix("192.0.2.1/24")
	peer6 = netip.MustParsePrefix("2001:db8::1/64")
)

// A bench is a device under test on a segment with a peer, and the client of
// its service.
type bench struct {
	t      *testing.T
	client posix.PosixClient
	server *dut.Server
	stack  *stack.Stack
	peer   *lab.Netstack
}

func newBench(t *testing.T) *bench { return newBenchWith(t, dut.ServiceOptions{}) }

func newBenchWith(t *testing.T, o dut.ServiceOptions) *bench {
	t.Helper()
	nstest.CheckLeaks(t)
	a, b, err := ethtest.Pipe(
		ethtest.PortOptions{HardwareAddr: ethstack.HardwareAddr{2, 0, 0, 0, 0, 1}},
		ethtest.PortOptions{HardwareAddr: ethstack.HardwareAddr{2, 0, 0, 0, 0, 2}},
	)
	check(t, err)
	peer, err := lab.NewNetstack(a, lab.NetstackOptions{Name: "peer", Addrs: []netip.Prefix{peer4, peer6}})
	check(t, err)
	t.Cleanup(peer.Close)
	ep, err := endpoint.New(b, endpoint.Options{})
	check(t, err)
	t.Cleanup(ep.Close)
	s, err := dut.NewStack(dut.StackOptions{Endpoint: ep, ARP: endpoint.NewProtocol, Name: nicName, IPv4: dut4, IPv6: dut6})
	check(t, err)
	t.Cleanup(s.Destroy)
	server := dut.NewServer(s)
	return &bench{t: t, client: serve(t, server, o), server: server, stack: s, peer: peer}
}

// serve returns a client of a server, over a connection in memory.
func serve(t *testing.T, server *dut.Server, o dut.ServiceOptions) posix.PosixClient {
	t.Helper()
	t.Cleanup(server.Abort)
	service, listener := dut.NewService(server, o), bufconn.Listen(1<<20)
	done := make(chan error, 1)
	go func() { done <- service.Serve(listener) }()
	t.Cleanup(func() {
		service.Stop()
		check(t, <-done)
	})
	conn, err := grpc.NewClient("passthrough:///dut",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	return posix.NewPosixClient(conn)
}

// check ends the test if there is an error.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ctx returns a context that ends when the patience does.
func (b *bench) ctx() context.Context {
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	b.t.Cleanup(cancel)
	return ctx
}

// An answer is what most calls return.
type answer interface {
	GetRet() int32
	GetErrno_() int32
}

// ok returns a function that ends the test unless a call has returned want.
func (b *bench) ok(want int32) func(answer, error) {
	return func(a answer, err error) {
		b.t.Helper()
		check(b.t, err)
		if a.GetRet() != want || a.GetErrno_() != 0 {
			b.t.Fatalf("%T: returned %d, errno %d; want %d and none", a, a.GetRet(), a.GetErrno_(), want)
		}
	}
}

// fails returns a function that ends the test unless a call has failed with
// that errno.
func (b *bench) fails(want int32) func(answer, error) {
	return func(a answer, err error) {
		b.t.Helper()
		check(b.t, err)
		if a.GetRet() != -1 || a.GetErrno_() != want {
			b.t.Fatalf("%T: returned %d, errno %d; want -1 and errno %d", a, a.GetRet(), a.GetErrno_(), want)
		}
	}
}

// socket makes a socket.
func (b *bench) socket(domain, typ, protocol int) int32 {
	b.t.Helper()
	r, err := b.client.Socket(b.ctx(), &posix.SocketRequest{Domain: int32(domain), Type: int32(typ), Protocol: int32(protocol)})
	check(b.t, err)
	if r.GetFd() < 3 || r.GetErrno_() != 0 {
		b.t.Fatalf("socket(%d, %d, %d): %v", domain, typ, protocol, r)
	}
	return r.GetFd()
}

func (b *bench) tcp() int32 { b.t.Helper(); return b.socket(linux.AF_INET, int(linux.SOCK_STREAM), 0) }
func (b *bench) udp() int32 { b.t.Helper(); return b.socket(linux.AF_INET, int(linux.SOCK_DGRAM), 0) }

// sockaddr returns an address as the service has it.
func sockaddr(a netip.AddrPort) *posix.Sockaddr {
	if a.Addr().Is6() {
		return &posix.Sockaddr{Sockaddr: &posix.Sockaddr_In6{In6: &posix.SockaddrIn6{
			Family: linux.AF_INET6, Port: uint32(a.Port()), Addr: a.Addr().AsSlice(),
		}}}
	}
	return &posix.Sockaddr{Sockaddr: &posix.Sockaddr_In{In: &posix.SockaddrIn{
		Family: linux.AF_INET, Port: uint32(a.Port()), Addr: a.Addr().AsSlice(),
	}}}
}

// addrPort is the inverse of sockaddr.
func addrPort(t *testing.T, a *posix.Sockaddr) netip.AddrPort {
	t.Helper()
	b, port := a.GetIn().GetAddr(), a.GetIn().GetPort()
	if a.GetIn6() != nil {
		b, port = a.GetIn6().GetAddr(), a.GetIn6().GetPort()
	}
	addr, is := netip.AddrFromSlice(b)
	if !is {
		t.Fatalf("%v is no address", a)
	}
	return netip.AddrPortFrom(addr, uint16(port))
}

func (b *bench) bind(fd int32, a netip.AddrPort) {
	b.t.Helper()
	b.ok(0)(b.client.Bind(b.ctx(), &posix.BindRequest{Sockfd: fd, Addr: sockaddr(a)}))
}

// name returns the address of a socket.
func (b *bench) name(fd int32) netip.AddrPort {
	b.t.Helper()
	r, err := b.client.GetSockName(b.ctx(), &posix.GetSockNameRequest{Sockfd: fd})
	b.ok(0)(r, err)
	return addrPort(b.t, r.GetAddr())
}

// listen makes a TCP socket that takes connections, and returns its address.
func (b *bench) listen(a netip.Addr) (int32, netip.AddrPort) {
	b.t.Helper()
	domain := linux.AF_INET
	if a.Is6() {
		domain = linux.AF_INET6
	}
	fd := b.socket(domain, int(linux.SOCK_STREAM), 0)
	b.bind(fd, netip.AddrPortFrom(a, 0))
	b.ok(0)(b.client.Listen(b.ctx(), &posix.ListenRequest{Sockfd: fd, Backlog: 1}))
	return fd, b.name(fd)
}

// accept takes a connection, and returns its socket and the peer's address.
func (b *bench) accept(fd int32) (int32, netip.AddrPort) {
	b.t.Helper()
	r, err := b.client.Accept(b.ctx(), &posix.AcceptRequest{Sockfd: fd})
	check(b.t, err)
	if r.GetFd() < 3 || r.GetErrno_() != 0 {
		b.t.Fatalf("accept: %v", r)
	}
	return r.GetFd(), addrPort(b.t, r.GetAddr())
}

// connected returns a connection that the peer made: both ends.
func (b *bench) connected() (int32, lab.StreamConn) {
	b.t.Helper()
	fd, at := b.listen(dut4.Addr())
	c, err := b.peer.Dial(b.ctx(), at)
	check(b.t, err)
	b.t.Cleanup(func() { c.Close() })
	check(b.t, c.SetDeadline(time.Now().Add(patience)))
	accepted, _ := b.accept(fd)
	return accepted, c
}

func (b *bench) close(fd int32) {
	b.t.Helper()
	b.ok(0)(b.client.Close(b.ctx(), &posix.CloseRequest{Fd: fd}))
}

// poll returns the events of a socket, 0 if the time is over.
func (b *bench) poll(fd int32, events uint32, timeout time.Duration) uint32 {
	b.t.Helper()
	r, err := b.client.Poll(b.ctx(), &posix.PollRequest{
		Pfds: []*posix.PollFd{{Fd: fd, Events: events}}, TimeoutMillis: int32(timeout.Milliseconds()),
	})
	check(b.t, err)
	if int(r.GetRet()) != len(r.GetPfds()) || r.GetErrno_() != 0 {
		b.t.Fatalf("poll: %v", r)
	}
	if len(r.GetPfds()) == 0 {
		return 0
	}
	return r.GetPfds()[0].GetEvents()
}

// waitUntil waits until something is so. It fails the test, but does not end it:
// any goroutine may wait.
func (b *bench) waitUntil(what string, is func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Errorf("not within %v: %s", patience, what)
			return
		}
	}
}
