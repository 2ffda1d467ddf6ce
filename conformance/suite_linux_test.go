package conformance_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"

	ethfd "github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/conformance"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// TestOnSocketpair: our endpoint on a unix socket passes everything.
func TestOnSocketpair(t *testing.T) {
	nstest.CheckLeaks(t)
	conformance.Run(t, func() (*conformance.Subject, error) {
		near, wire, err := socketpair()
		if err != nil {
			return nil, err
		}
		file := os.NewFile(uintptr(near), "one end")
		defer file.Close()
		dev, err := ethfd.New(file, ethfd.Options{MTU: mtu})
		if err != nil {
			wire.Close()
			return nil, err
		}
		s, err := ours(dev, wire)
		if err != nil {
			return nil, err
		}
		s.Unplug, s.Close = wire.Close, wire.Close
		return s, nil
	})
}

// TestGvisorFDBased: gVisor's link/fdbased with its network/arp, on a unix
// socket in the mode that it has for a TAP too.
func TestGvisorFDBased(t *testing.T) {
	t.Parallel()
	inREADME(t, compare(t, "gvisor-fdbased.txt", gvisorFDBased(2), conformance.Names()...))
}

// TestGvisorFDBasedOneProcessor: on a machine with one processor it delivers
// packets by itself, which changes when it can be stopped.
func TestGvisorFDBasedOneProcessor(t *testing.T) {
	t.Parallel()
	compare(t, "gvisor-fdbased-one-processor.txt", gvisorFDBased(1), "C21_LinkEndpoint_waits_for_no_delivery")
}

// gvisorFDBased makes subjects with so many processors, and not as many as this
// machine has, so that the result is the same on all.
func gvisorFDBased(processors int) conformance.Factory {
	return func() (*conformance.Subject, error) {
		near, wire, err := socketpair()
		if err != nil {
			return nil, err
		}
		address := tcpip.LinkAddress(hardwareAddr[:])
		ep, err := fdbased.New(&fdbased.Options{
			FDs: []int{near}, MTU: mtu, EthernetHeader: true, Address: address, ProcessorsPerChannel: processors,
		})
		if err != nil {
			return nil, err
		}
		return &conformance.Subject{
			Endpoint: ep, NetworkProtocols: withARP, HardwareAddr: address, MTU: mtu, Wire: wire, Clock: conformance.NewClock(),
			Unplug: wire.Close,
			Close: func() {
				wire.Close()
				unix.Close(near)
			},
		}, nil
	}
}

// socketpair makes a wire of a pair of unix datagram sockets, and the file
// descriptor of its near end.
func socketpair() (near int, far *socketWire, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, nil, err
	}
	return fds[0], &socketWire{file: os.NewFile(uintptr(fds[1]), "the other end")}, nil
}

// socketWire is the other end: a message is a frame.
type socketWire struct{ file *os.File }

func (w *socketWire) Close() { w.file.Close() }

// Send waits while the endpoint does not read, but not for ever.
func (w *socketWire) Send(frame []byte) error {
	if err := w.file.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	raw, err := w.file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	// Unlike Write of a file, this sends a message without bytes, too.
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Send(int(fd), frame, unix.MSG_NOSIGNAL)
		return sent != unix.EAGAIN
	})
	if err != nil {
		return err
	}
	return sent
}

func (w *socketWire) Recv(timeout time.Duration) []byte {
	b := make([]byte, 1<<16)
	// A deadline that has passed fails a read, even if there is something.
	if err := w.file.SetReadDeadline(time.Now().Add(max(timeout, time.Millisecond))); err != nil {
		return nil
	}
	n, err := w.file.Read(b)
	if err != nil {
		return nil
	}
	return b[:n]
}
