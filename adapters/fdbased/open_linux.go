package fdbased

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/internal/frameio"
)

// New makes a device of a file descriptor that somebody else opened, of any
// kind that the package's documentation lists. Once it has returned without an
// error the file belongs to the device and is not to be used any more;
// otherwise it stays the caller's.
func New(file *os.File, o Options) (*Device, error) {
	if file == nil {
		return nil, errors.New("fdbased: New needs an open file, not nil")
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Queues > 1 {
		return nil, fmt.Errorf("fdbased: %d queues of %s: one file is one queue, OpenPacket opens several", o.Queues, file.Name())
	}
	c, err := open(file, o)
	if err != nil {
		return nil, fmt.Errorf("fdbased: %s: %w", file.Name(), err)
	}
	// The device has a file descriptor of its own.
	file.Close()
	return &Device{c}, nil
}

func open(file *os.File, o Options) (conn, error) {
	fd, err := frameio.Duplicate(file)
	if err != nil {
		return nil, err
	}
	switch domain, typ, err := socketKind(fd); {
	case err == unix.ENOTSOCK:
		unix.Close(fd)
		return openTAP(file, o)
	case err != nil:
		unix.Close(fd)
		return nil, err
	case domain == unix.AF_PACKET:
		return takePackets([]int{fd}, typ, o)
	default:
		return takeConnected(fd, domain, typ, file.Name(), o)
	}
}

func socketKind(fd int) (domain, typ int, err error) {
	if domain, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil {
		return 0, 0, err
	}
	typ, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return domain, typ, err
}

// takeConnected makes a device of a socket that is connected to another
// program. It closes the file descriptor on an error.
func takeConnected(fd, domain, typ int, name string, o Options) (conn, error) {
	if err := checkConnected(fd, domain, typ, o); err != nil {
		unix.Close(fd)
		return nil, err
	}
	if o.MTU == 0 {
		o.MTU = defaultMTU
	}
	d, err := newBase([]int{fd}, name, o.MTU, o.HardwareAddr)
	if err != nil {
		return nil, err
	}
	if domain == unix.AF_UNIX {
		enlargeBuffers(fd)
	} else {
		// TCP finds the size of its buffers by itself. A frame is not to wait
		// for the next one; a stream of another family has no such option.
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if typ == unix.SOCK_STREAM {
		return newStream(d), nil
	}
	m := newMessages(d)
	m.ends = typ == unix.SOCK_SEQPACKET
	return m, nil
}

func checkConnected(fd, domain, typ int, o Options) error {
	stream := typ == unix.SOCK_STREAM &&
		(domain == unix.AF_UNIX || domain == unix.AF_INET || domain == unix.AF_INET6 || domain == unix.AF_VSOCK)
	messages := domain == unix.AF_UNIX && (typ == unix.SOCK_DGRAM || typ == unix.SOCK_SEQPACKET)
	if !stream && !messages {
		return fmt.Errorf("a socket of family %d and type %d: want a packet socket, a unix datagram or seqpacket socket, or a stream", domain, typ)
	}
	if o.Promiscuous {
		return errors.New("the option Promiscuous is given, but this socket has no interface: it is for packet sockets")
	}
	if _, err := unix.Getpeername(fd); err == unix.ENOTCONN {
		return errors.New("the socket is not connected: connect it, or accept a connection, before it is passed on")
	} else if err != nil {
		return fmt.Errorf("asking for the other end: %w", err)
	}
	return nil
}

// defaultMTU is Ethernet's.
const defaultMTU = 1500

// A tapConn is a TAP: package tap does the work.
type tapConn struct{ *tap.Device }

func openTAP(file *os.File, o Options) (conn, error) {
	switch {
	case o.Promiscuous:
		return nil, errors.New("the option Promiscuous is given, but this is no packet socket: a TAP always takes all frames")
	case o.MTU != 0:
		return nil, errMTU
	}
	d, err := tap.Open(tap.Options{Files: []*os.File{file}, HardwareAddr: o.HardwareAddr})
	if err != nil {
		return nil, fmt.Errorf("neither a socket that carries frames nor a TAP that can be used: %w", err)
	}
	return tapConn{d}, nil
}

var errMTU = errors.New("the option MTU is given, but the interface has an MTU of its own: leave it 0, and set the interface's")

func (c tapConn) stats() Stats {
	s := c.Stats()
	return Stats{
		ReadTooLong: s.ReadTooLong, ReadUnknownSegment: s.ReadUnknownSegment, ReadMalformed: s.ReadMalformed,
		WriteDown: s.WriteDown, WriteFull: s.WriteFull, WriteTooLong: s.WriteTooLong,
		WriteInvalid: s.WriteInvalid, WriteGone: s.WriteGone,
	}
}
