package wiretest

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/internal/netns"
)

// PacketSocket is the kernel's side of an interface, as a program there sees
// it.
type PacketSocket struct {
	fd   int
	vnet bool
}

// Listen opens a packet socket; with vnet, offload metadata is before each
// frame.
func Listen(t testing.TB, name string, vnet bool) PacketSocket {
	t.Helper()
	link, err := netns.Link(name)
	Check(t, err)
	const all = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL<<8&0xff00 // network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	Check(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	if vnet {
		Check(t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1))
	}
	timeout := unix.NsecToTimeval(int64(Patience))
	Check(t,
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}),
	)
	return PacketSocket{fd, vnet}
}

// Send sends a frame out of the interface.
func (p PacketSocket) Send(t testing.TB, vnet, b []byte) {
	t.Helper()
	if _, err := unix.Write(p.fd, append(bytes.Clone(vnet), b...)); err != nil {
		t.Fatalf("sending %d bytes from a packet socket: %v", len(b), err)
	}
}

// Receive returns the next frame that came in, and its metadata.
func (p PacketSocket) Receive(t testing.TB) (vnet, b []byte) {
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
