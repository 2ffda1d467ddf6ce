package bench

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// messageBatch is how many datagrams one system call of the kernel's side moves.
const messageBatch = 64

// messages is a UDP socket of the kernel that moves datagrams in batches.
type messages struct {
	*net.UDPConn
	raw     syscall.RawConn
	headers [messageBatch]unix.Mmsghdr
	vectors [messageBatch]unix.Iovec
	room    [messageBatch][2048]byte
}

func newMessages(c *net.UDPConn) (*messages, error) {
	raw, err := c.SyscallConn()
	if err == nil {
		err = setBuffers(raw)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	m := &messages{UDPConn: c, raw: raw}
	for i := range m.headers {
		m.headers[i].Hdr.Iov = &m.vectors[i]
		m.headers[i].Hdr.SetIovlen(1)
	}
	return m, nil
}

// setBuffers gives a socket room for a burst: as much as is asked for with
// rights over the network namespace, else what the machine allows.
func setBuffers(raw syscall.RawConn) (err error) {
	failed := raw.Control(func(fd uintptr) {
		for _, o := range [][2]int{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, o[0], defaultBuffer) != nil {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, o[1], defaultBuffer)
			}
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

// move makes one system call that sends or receives up to n messages, once the
// socket is ready for it.
func (m *messages) move(call uintptr, n int, wait func(func(fd uintptr) bool) error) (moved int, err error) {
	err = wait(func(fd uintptr) bool {
		r, _, errno := unix.Syscall6(call, fd, uintptr(unsafe.Pointer(&m.headers)), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
		moved = 0
		if errno == 0 {
			moved = int(r)
		}
		return errno != unix.EAGAIN
	})
	return moved, err
}

func (m *messages) send(batch [][]byte) {
	n := min(len(batch), messageBatch)
	for i, b := range batch[:n] {
		m.vectors[i].Base = &b[0]
		m.vectors[i].SetLen(len(b))
	}
	m.move(unix.SYS_SENDMMSG, n, m.raw.Write)
}

func (m *messages) receive(each func([]byte)) error {
	for i := range m.vectors {
		m.vectors[i].Base = &m.room[i][0]
		m.vectors[i].SetLen(len(m.room[i]))
	}
	n, err := m.move(unix.SYS_RECVMMSG, messageBatch, m.raw.Read)
	for i := range n {
		each(m.room[i][:m.headers[i].Len])
	}
	return err
}

func (m *messages) port() uint16 { return m.LocalAddr().(*net.UDPAddr).AddrPort().Port() }
