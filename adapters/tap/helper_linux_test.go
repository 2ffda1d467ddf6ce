package tap_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// patience is how long a test waits for something that has to happen.
const patience = 10 * time.Second

// experiment is an EtherType that the kernel sends nothing with.
const experiment = 0x88b5

// check fails the test if any of the errors is not nil.
func check(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until the condition holds.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for: %s", patience, what)
		}
	}
}

// open opens a TAP that is up, and on which the kernel sends nothing by
// itself. It is closed when the test ends.
func open(t *testing.T, o tap.Options) *tap.Device {
	t.Helper()
	nstest.NeedTUN(t)
	check(t, netns.SetIPv6("default", false)) // for new interfaces
	o.Up = true
	d, err := tap.Open(o)
	check(t, err)
	closeLater(t, d)
	return d
}

// closeLater closes the device when the test ends, or earlier, so that a Read
// that waits for ever ends.
func closeLater(t *testing.T, d *tap.Device) {
	t.Helper()
	watchdog := time.AfterFunc(2*patience, func() { d.Close() })
	t.Cleanup(func() {
		watchdog.Stop()
		d.Close()
	})
}

// memory gives frames 128 bytes each, and then room for what is allowed.
func memory(d *tap.Device, frames int) []ethstack.Frame {
	list := make([]ethstack.Frame, frames)
	for i := range list {
		list[i].Bufs = [][]byte{make([]byte, ethstack.HeadLen), make([]byte, d.Info().MaxFrame)}
	}
	return list
}

// read reads one frame.
func read(t *testing.T, d *tap.Device) ([]byte, ethstack.Offload) {
	t.Helper()
	frames := memory(d, 1)
	n, err := d.Read(0, frames)
	if n != 1 || err != nil {
		t.Fatalf("Read: %d, %v; want a frame", n, err)
	}
	return bytes.Join(frames[0].Bufs, nil)[:frames[0].Len], frames[0].Offload
}

// write writes one frame and fails the test unless it was taken.
func write(t *testing.T, d *tap.Device, b []byte, o ethstack.Offload) {
	t.Helper()
	if n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{b}, Offload: o}}); n != 1 || err != nil {
		t.Fatalf("Write of %d bytes with %+v: %d, %v; want 1, nil", len(b), o, n, err)
	}
}

// packetSocket is the kernel's side of an interface, as a program there sees
// it.
type packetSocket struct {
	fd   int
	vnet bool
}

// listen opens a packet socket; with vnet, offload metadata is before each
// frame.
func listen(t *testing.T, name string, vnet bool) packetSocket {
	t.Helper()
	link, err := netns.Link(name)
	check(t, err)
	const all = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL<<8&0xff00 // network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	if vnet {
		check(t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1))
	}
	timeout := unix.NsecToTimeval(int64(patience))
	check(t,
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}),
	)
	return packetSocket{fd, vnet}
}

// send sends a frame out of the interface.
func (p packetSocket) send(t *testing.T, vnet, b []byte) {
	t.Helper()
	if _, err := unix.Write(p.fd, append(bytes.Clone(vnet), b...)); err != nil {
		t.Fatalf("sending %d bytes from a packet socket: %v", len(b), err)
	}
}

// receive returns the next frame that came in, and its metadata.
func (p packetSocket) receive(t *testing.T) (vnet, b []byte) {
	t.Helper()
	buf := make([]byte, 70000)
	n, err := unix.Read(p.fd, buf)
	if err != nil {
		t.Fatalf("receiving from a packet socket: %v", err)
	}
	if p.vnet {
		return buf[:10], buf[10:n]
	}
	return nil, buf[:n]
}

// frame makes a frame of n bytes to everybody, of an EtherType for experiments.
func frame(n int, fill byte) []byte {
	b := bytes.Repeat([]byte{fill}, n)
	copy(b, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x77")
	binary.BigEndian.PutUint16(b[12:], experiment)
	return b
}
