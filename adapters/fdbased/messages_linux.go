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

// messages is a device of sockets on which each message is a frame.
type messages struct {
	*base
	queues []*queue
	// packet: they are packet sockets, which have metadata with each frame.
	packet bool
	// ends: an empty message that repeats is the end.
	ends    bool
	watcher *linkwatch.Watcher // of a packet socket's interface, or nil
	writers sync.Pool          // of *writer
}

func newMessages(d *base) *messages {
	m := &messages{base: d}
	for _, s := range d.sockets {
		m.queues = append(m.queues, newQueue(m, s))
	}
	m.writers.New = func() any { return newWriter(m) }
	return m
}

// batch is how many messages one system call moves: more frames take more
// calls.
const batch = 32

// A queue is what one goroutine at a time reads. It has the state of that call,
// so that the function handed to the poller need not be made anew for each.
type queue struct {
	*socket
	m       *messages
	headers [batch]unix.Mmsghdr
	rooms   [batch]int
	meta    [batch]metadata
	iov     []unix.Iovec
	frames  []ethstack.Frame
	n       int
	err     error
	try     func(fd uintptr) bool
}

func newQueue(m *messages, s *socket) *queue {
	q := &queue{socket: s, m: m}
	q.try = q.tryRead
	return q
}

// Read waits for frames, as [ethstack.Device] says.
func (m *messages) Read(queue int, frames []ethstack.Frame) (int, error) {
	if err := m.checkQueue(queue); err != nil || len(frames) == 0 {
		return 0, err
	}
	return m.queues[queue].read(frames)
}

func (q *queue) read(frames []ethstack.Frame) (int, error) {
	q.frames, q.n, q.err = frames, 0, nil
	err := q.wait(q.try)
	clear(q.iov) // nothing of the caller's memory is kept
	q.frames = nil
	return q.readResult(q.n, q.err, err)
}

// tryRead reads one batch with a frame in it. It reports false if there is
// none, and the poller shall wait.
func (q *queue) tryRead(fd uintptr) bool {
	// A flood of frames that are dropped here must not keep Close waiting.
	for q.n == 0 && q.err == nil && !q.closed.Load() {
		k := q.point()
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&q.headers[0])), uintptr(k), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			q.takeAll(int(fd), int(n))
		case unix.EAGAIN:
			return false
		default:
			q.err = q.readError(int(fd), errno)
		}
	}
	return true
}

// point makes the headers point to the memory of the frames, and returns for
// how many.
func (q *queue) point() int {
	k := min(len(q.frames), batch)
	clear(q.iov)
	q.iov = q.iov[:0]
	var ends [batch]int
	for i := range k {
		most := frameio.MaxVectors
		if q.m.packet {
			q.iov = append(q.iov, frameio.Vector(q.meta[i].vnet[:]))
			most--
		}
		q.iov, q.rooms[i] = frameio.AppendRead(q.iov, q.frames[i].Bufs, most)
		ends[i] = len(q.iov)
	}
	// Only now, for growing moves the vectors.
	start := 0
	for i, end := range ends[:k] {
		h := &q.headers[i].Hdr
		setVectors(h, q.iov[start:end])
		if q.m.packet {
			q.meta[i].point(h)
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
func (q *queue) takeAll(fd, n int) {
	for i, h := range q.headers[:n] {
		if q.m.ends && h.Len == 0 && areEmpty(q.headers[i:n]) && hasEnded(fd) {
			if q.n == 0 {
				q.err = ethstack.ErrDisconnected
			}
			return
		}
		size, o, ok := q.take(i)
		if !ok {
			continue
		}
		// After one that was dropped the others move up: rare enough to copy.
		f := &q.frames[q.n]
		if q.n != i && !frameio.CopyFrame(f.Bufs, q.frames[i].Bufs, size) {
			q.count.readTooLong.Add(1)
			continue
		}
		f.Len, f.Offload, f.Err = size, o, nil
		q.n++
	}
}

// take returns the length and the metadata of the frame of a message, and
// whether it is to be delivered.
func (q *queue) take(i int) (size int, o ethstack.Offload, ok bool) {
	h := &q.headers[i]
	switch {
	case h.Hdr.Flags&unix.MSG_TRUNC != 0:
		q.count.readTooLong.Add(1)
		return 0, o, false
	case q.m.packet:
		return q.takePacket(i, int(h.Len)-vnet.Len)
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
func (q *queue) readError(fd int, errno unix.Errno) error {
	switch {
	case errno == unix.EINTR:
		return nil
	case q.m.packet && errno == unix.EINVAL:
		// The kernel has no metadata for the frame, and dropped it.
		q.count.readUnknownSegment.Add(1)
		return nil
	case q.m.packet && errno == unix.ENETDOWN:
		if isCutOff(fd) {
			return ethstack.ErrDisconnected
		}
		return nil
	case q.m.ends && errno == unix.ECONNRESET:
		// The other end closed before it had read all. What it sent is still
		// there, and then the end.
		return nil
	case !q.m.packet && errno == unix.ECONNRESET:
		return ethstack.ErrDisconnected
	}
	return errno
}

// Close ends Read and gives the sockets up.
func (m *messages) Close() error {
	if m.packet {
		m.countKernelDrops()
		m.watcher.Close()
	}
	return m.base.Close()
}

func (m *messages) stats() Stats {
	if m.packet {
		m.countKernelDrops()
	}
	return m.base.stats()
}
