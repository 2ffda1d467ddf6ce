package fdbased_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// socketFile opens a socket as a program that passes it on does.
func socketFile(t testing.TB, domain, typ int) *os.File {
	t.Helper()
	fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC, 0)
	wiretest.Check(t, err)
	f := os.NewFile(uintptr(fd), "passed socket")
	t.Cleanup(func() { f.Close() })
	return f
}

// TestRefusedFiles: what New cannot use it says why, by name, and leaves alone.
func TestRefusedFiles(t *testing.T) {
	pair := func(t testing.TB) *os.File { a, _ := unixPair(t, unix.SOCK_DGRAM); return a }
	packet := func(t testing.TB) *os.File {
		a, _ := veth(t)
		return rawSocket(t, unix.SOCK_RAW, unix.ETH_P_ALL, a)
	}
	for _, tt := range []struct {
		name string
		file func(testing.TB) *os.File
		o    fdbased.Options
		want []string
	}{
		{"UDP", func(t testing.TB) *os.File { return socketFile(t, unix.AF_INET, unix.SOCK_DGRAM) }, fdbased.Options{}, []string{"passed socket", "family 2", "type 2"}},
		{"unconnected datagram", func(t testing.TB) *os.File { return socketFile(t, unix.AF_UNIX, unix.SOCK_DGRAM) }, fdbased.Options{}, []string{"not connected"}},
		{"unconnected TCP", func(t testing.TB) *os.File { return socketFile(t, unix.AF_INET, unix.SOCK_STREAM) }, fdbased.Options{}, []string{"not connected"}},
		{"regular file", func(t testing.TB) *os.File {
			f, err := os.Create(t.TempDir() + "/a file")
			wiretest.Check(t, err)
			t.Cleanup(func() { f.Close() })
			return f
		}, fdbased.Options{}, []string{"a file", "neither a socket", "nor a TAP"}},
		{"promiscuous pair", pair, fdbased.Options{Promiscuous: true}, []string{"one end", "Promiscuous", "packet sockets"}},
		{"small MTU", pair, fdbased.Options{MTU: 67}, []string{"67", "from 68 to 65535"}},
		{"large MTU", pair, fdbased.Options{MTU: 65536}, []string{"65536", "to 65535"}},
		{"group address", pair, fdbased.Options{HardwareAddr: ethstack.HardwareAddr{1}}, []string{"01:00:00:00:00:00", "group"}},
		{"queues of a pair", pair, fdbased.Options{Queues: 2}, []string{"2 queues", "one end", "OpenPacket"}},
		{"packet socket with MTU", packet, fdbased.Options{MTU: 1400}, []string{"passed packet socket", "MTU", "leave it 0"}},
		{"packet socket without headers", func(t testing.TB) *os.File {
			a, _ := veth(t)
			return rawSocket(t, unix.SOCK_DGRAM, unix.ETH_P_ALL, a)
		}, fdbased.Options{}, []string{"SOCK_RAW"}},
		{"packet socket of one protocol", func(t testing.TB) *os.File {
			a, _ := veth(t)
			return rawSocket(t, unix.SOCK_RAW, unix.ETH_P_IP, a)
		}, fdbased.Options{}, []string{"ETH_P_ALL"}},
		{"packet socket of all interfaces", func(t testing.TB) *os.File {
			return rawSocket(t, unix.SOCK_RAW, unix.ETH_P_ALL, "")
		}, fdbased.Options{}, []string{"bind it to one"}},
		{"packet socket on lo", func(t testing.TB) *os.File {
			return rawSocket(t, unix.SOCK_RAW, unix.ETH_P_ALL, "lo")
		}, fdbased.Options{}, []string{"hardware type 772", "Ethernet"}},
		{"packet socket with a ring", func(t testing.TB) *os.File {
			f := packet(t)
			wiretest.Check(t, unix.SetsockoptTpacketReq(int(f.Fd()), unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq{
				Block_size: 4096, Block_nr: 1, Frame_size: 2048, Frame_nr: 2,
			}))
			return f
		}, fdbased.Options{}, []string{"PACKET_RX_RING", "without"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nstest.CheckLeaks(t)
			f := tt.file(t)
			refused(t, func() (*fdbased.Device, error) { return fdbased.New(f, tt.o) }, tt.want...)
			if _, err := f.Stat(); err != nil {
				t.Errorf("the file cannot be used any more: %v", err)
			}
		})
	}
	refused(t, func() (*fdbased.Device, error) { return fdbased.New(nil, fdbased.Options{}) }, "not nil")
}

// refused checks that there is an error that says all of want.
func refused(t testing.TB, open func() (*fdbased.Device, error), want ...string) {
	t.Helper()
	d, err := open()
	if err == nil {
		d.Close()
		t.Fatal("there is no error")
	}
	for _, part := range append(want, "fdbased: ") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func TestOpenPacketErrors(t *testing.T) {
	a, _ := veth(t)
	for _, tt := range []struct {
		name, interfaceName string
		o                   fdbased.Options
		want                []string
	}{
		{"no interface", "nope", fdbased.Options{}, []string{`"nope"`, "no such device", "ip link"}},
		{"long name", "sixteen-letters-", fdbased.Options{}, []string{`"sixteen-letters-"`}},
		{"not Ethernet", "lo", fdbased.Options{}, []string{`"lo"`, "hardware type 772"}},
		{"MTU", a, fdbased.Options{MTU: 1400}, []string{`"fa"`, "MTU"}},
		{"negative queues", a, fdbased.Options{Queues: -1}, []string{"-1 queues", "from 1 to 256"}},
		{"many queues", a, fdbased.Options{Queues: 257}, []string{"257 queues", "to 256"}},
		{"group address", a, fdbased.Options{HardwareAddr: ethstack.HardwareAddr{3}}, []string{"03:00:00:00:00:00"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nstest.CheckLeaks(t)
			refused(t, func() (*fdbased.Device, error) { return fdbased.OpenPacket(tt.interfaceName, tt.o) }, tt.want...)
		})
	}
}

func TestQueueThatIsNone(t *testing.T) {
	for _, k := range kinds {
		a, _ := k.pair(t)
		d := device(t, a, fdbased.Options{})
		frames := []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}}
		if n, err := d.Read(1, frames); n != 0 || err == nil {
			t.Errorf("%s: Read of queue 1: %d, %v; want an error", k.name, n, err)
		}
		if n, err := d.Write(1, frames); n != 0 || err == nil || frames[0].Err != err {
			t.Errorf("%s: Write to queue 1: %d, %v; want an error", k.name, n, err)
		}
	}
}
