package fdbased_test

import (
	"errors"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// unixPair returns the ends of a unix socket pair of the type.
func unixPair(t testing.TB, typ int) (a, b *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	wiretest.Check(t, err)
	a, b = os.NewFile(uintptr(fds[0]), "one end"), os.NewFile(uintptr(fds[1]), "the other end")
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// tcpPair returns the ends of a TCP connection.
func tcpPair(t testing.TB) (a, b *os.File) {
	t.Helper()
	nstest.Need(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	wiretest.Check(t, err)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	wiretest.Check(t, err)
	defer client.Close()
	server, err := l.Accept()
	wiretest.Check(t, err)
	defer server.Close()
	a, err = client.(*net.TCPConn).File()
	wiretest.Check(t, err)
	t.Cleanup(func() { a.Close() })
	b, err = server.(*net.TCPConn).File()
	wiretest.Check(t, err)
	t.Cleanup(func() { b.Close() })
	return a, b
}

// device makes a device of a file. It is closed when the test ends.
func device(t testing.TB, f *os.File, o fdbased.Options) *fdbased.Device {
	t.Helper()
	d, err := fdbased.New(f, o)
	wiretest.Check(t, err)
	wiretest.CloseLater(t, d)
	return d
}

// kinds are the sockets that connect two programs.
var kinds = []struct {
	name     string
	pair     func(t testing.TB) (a, b *os.File)
	messages bool
}{
	{"datagram", func(t testing.TB) (a, b *os.File) { return unixPair(t, unix.SOCK_DGRAM) }, true},
	{"seqpacket", func(t testing.TB) (a, b *os.File) { return unixPair(t, unix.SOCK_SEQPACKET) }, true},
	{"stream", func(t testing.TB) (a, b *os.File) { return unixPair(t, unix.SOCK_STREAM) }, false},
	{"TCP", tcpPair, false},
}

// veth makes a pair of interfaces that are up, and on which the kernel sends
// nothing by itself.
func veth(t testing.TB) (a, b string) {
	t.Helper()
	nstest.Need(t)
	a, b = "fa", "fb"
	wiretest.Check(t, netns.SetIPv6("default", false), netns.AddVeth(a, b)) // for new interfaces
	t.Cleanup(func() {
		if err := netns.DelLink(a); err != nil && !errors.Is(err, unix.ENODEV) {
			t.Error(err)
		}
	})
	wiretest.Check(t, netns.SetUp(a), netns.SetUp(b))
	return a, b
}

// openPacket opens a device on an interface. It is closed when the test ends.
func openPacket(t testing.TB, name string, o fdbased.Options) *fdbased.Device {
	t.Helper()
	d, err := fdbased.OpenPacket(name, o)
	wiretest.Check(t, err)
	wiretest.CloseLater(t, d)
	return d
}

// readEnd reads until the device says that it is gone.
func readEnd(t testing.TB, d ethstack.Device) {
	t.Helper()
	n, err := d.Read(0, wiretest.Memory(d, 1))
	if n != 0 || !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Read: %d, %v; want 0, %v", n, err, ethstack.ErrDisconnected)
	}
}

// wantStats checks the counters.
func wantStats(t testing.TB, d *fdbased.Device, want fdbased.Stats) {
	t.Helper()
	if got := d.Stats(); got != want {
		t.Errorf("counters %+v, want %+v", got, want)
	}
}
