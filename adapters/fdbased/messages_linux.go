package fdbased

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/linkwatch"
	"github.com/ethlink/ethlink/internal/vnet"
)

// messages is a socket on which each message is a frame.
type messages struct {
	*socket
	// packet: it is a packet socket, which has metadata with each frame.
	packet bool
	// ends: an empty message that repeats is the end.
	ends    bool
	watcher *linkwatch.Watcher // of a packet socket's interface, or nil
	reader  reader
	writers sync.Pool // of *writer
}

func newMessages(s *socket) *messages {
	m := &messages{socket: s}
	m.reader.try = m.tryRead
	m.writers.New = func() any { return newWriter(m) }
	return m
}

// batch is how many messages one system call moves: more frames take more
// calls.
const batch = 32

// A reader is the state of a call of Read. It is in the device, so that the
// function handed to the poller need not be made anew for each call.
type reader struct {
	headers [batch]unix.Mmsghdr
	rooms   [batch]int
	meta    [batch]metadata
	iov     []unix.Iovec
	frames  []ethstack.Frame
	n       int
	err     error
	try     func(fd uintptr) bool
}

// Read waits for frames, as [ethstack.Device] says.
func (m *messages) Read(queue int, frames []ethstack.Frame) (int, error) {
	if err := m.checkQueue(queue); err != nil || len(frames) == 0 {
		return 0, err
	}
	r := &m.reader
	r.frames, r.n, r.err = frames, 0, nil
	err := m.wait(r.try)
	clear(r.iov) // nothing of the caller's memory is kept
	r.frames = nil
	return m.readResult(r.n, r.err, err)
}

// tryRead reads one batch with a frame in it. It reports false if there is
// none, and the poller shall wait.
func (m *messages) tryRead(fd uintptr) bool {
	r := &m.reader
	// A flood of frames that are dropped here must not keep Close waiting.
	for r.n == 0 && r.err == nil && !m.closed.Load() {
		k := m.point()
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.headers[0])), uintptr(k), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			m.takeAll(int(fd), int(n))
		case unix.EAGAIN:
			return false
		default:
			r.err = m.readError(int(fd), errno)
		}
	}
	return true
}

// point makes the headers point to the memory of the frames, and returns for
// how many.
func (m *messages) point() int {
	r := &m.reader
	k := min(len(r.frames), batch)
	clear(r.iov)
	r.iov = r.iov[:0]
	var ends [batch]int
	for i := range k {
		most := frameio.MaxVectors
		if m.packet {
			r.iov = append(r.iov, frameio.Vector(r.meta[i].vnet[:]))
			most--
		}
		r.iov, r.rooms[i] = frameio.AppendRead(r.iov, r.frames[i].Bufs, most)
		ends[i] = len(r.iov)
	}
	// Only now, for growing moves the vectors.
	start := 0
	for i, end := range ends[:k] {
		h := &r.headers[i].Hdr
		setVectors(h, r.iov[start:end])
		if m.packet {
			r.meta[i].point(h)
		}
		start = end
	}
	return k
}

func setVectors(h *unix.Msghdr, iov []unix.Iovec) {
	h.Iov = unsafe.SliceData(iov)
	h.SetIovlen(len(iov))
}

// takeAll fills in the frames of n messages that were read.
func (m *messages) takeAll(fd, n int) {
	r := &m.reader
	for i, h := range r.headers[:n] {
		if m.ends && h.Len == 0 && areEmpty(r.headers[i:n]) && hasEnded(fd) {
			if r.n == 0 {
				r.err = ethstack.ErrDisconnected
			}
			return
		}
		size, o, ok := m.take(i)
		if !ok {
			continue
		}
		// After one that was dropped the others move up: rare enough to copy.
		f := &r.frames[r.n]
		if r.n != i && !copyFrame(f.Bufs, r.frames[i].Bufs, size) {
			m.count.readTooLong.Add(1)
			continue
		}
		f.Len, f.Offload, f.Err = size, o, nil
		r.n++
	}
}

// take returns the length and the metadata of the frame of a message, and
// whether it is to be delivered.
func (m *messages) take(i int) (size int, o ethstack.Offload, ok bool) {
	r := &m.reader
	h := &r.headers[i]
	switch {
	case h.Hdr.Flags&unix.MSG_TRUNC != 0:
		m.count.readTooLong.Add(1)
		return 0, o, false
	case m.packet:
		return m.takePacket(i, int(h.Len)-vnet.Len)
	}
	return int(h.Len), o, true
}

func areEmpty(headers []unix.Mmsghdr) bool {
	for _, h := range headers {
		if h.Len != 0 {
			return false
		}
	}
	return true
}

// hasEnded tells the end of a connection from an empty message.
func hasEnded(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	_, err := unix.Poll(p, 0)
	waiting, ioctlErr := unix.IoctlGetInt(fd, unix.SIOCINQ)
	return err == nil && ioctlErr == nil && p[0].Revents&unix.POLLRDHUP != 0 && waiting == 0
}

// readError says what an error of the kernel's means: nil is to go on.
func (m *messages) readError(fd int, errno unix.Errno) error {
	switch {
	case errno == unix.EINTR:
		return nil
	case m.packet && errno == unix.EINVAL:
		// The kernel has no metadata for the frame, and dropped it.
		m.count.readUnknownSegment.Add(1)
		return nil
	case m.packet && errno == unix.ENETDOWN:
		if isCutOff(fd) {
			return ethstack.ErrDisconnected
		}
		return nil
	case m.ends && errno == unix.ECONNRESET:
		// The other end closed before it had read all. What it sent is still
		// there, and then the end.
		return nil
	case !m.packet && errno == unix.ECONNRESET:
		return ethstack.ErrDisconnected
	}
	return errno
}

// Close ends Read and gives the socket up.
func (m *messages) Close() error {
	if m.packet {
		m.countKernelDrops()
		m.watcher.Close()
	}
	return m.socket.Close()
}

func (m *messages) stats() Stats {
	if m.packet {
		m.countKernelDrops()
	}
	return m.socket.stats()
}
