package fdbased

import (
	"encoding/binary"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
)

// stream is a connection on which each frame follows its length.
type stream struct {
	*socket
	reader streamReader

	// mu keeps the bytes of several writers apart, and guards what follows.
	mu     sync.Mutex
	writer streamWriter
}

// prefixLen is the length of a frame's length.
const prefixLen = 4

// streamBuffer is how much one system call reads at most. The longest frame fits.
const streamBuffer = 128 << 10

// A streamReader is the state of a call of Read, and what was read ahead.
type streamReader struct {
	buf    []byte // what was read and not taken yet is
	start  int    // from here
	end    int    // to here
	broken bool   // where frames start is not known any more
	frames []ethstack.Frame
	n      int
	err    error
	try    func(fd uintptr) bool
}

func newStream(d *base) *stream {
	c := &stream{socket: d.sockets[0]}
	c.reader.buf = make([]byte, streamBuffer)
	c.reader.try = c.tryRead
	c.writer.run, c.writer.flush, c.writer.try = c.writeAll, c.flush, c.tryFlush
	return c
}

// Read waits for frames, as [ethstack.Device] says.
func (c *stream) Read(queue int, frames []ethstack.Frame) (int, error) {
	if err := c.checkQueue(queue); err != nil || len(frames) == 0 {
		return 0, err
	}
	r := &c.reader
	r.frames, r.n, r.err = frames, 0, nil
	err := c.wait(r.try)
	r.frames = nil
	return c.readResult(r.n, r.err, err)
}

// tryRead takes frames from what was read ahead, and reads only if there is no
// whole one. It reports false if the poller shall wait.
func (c *stream) tryRead(fd uintptr) bool {
	r := &c.reader
	for !c.closed.Load() {
		c.takeAll()
		if r.n > 0 || r.err != nil {
			return true
		}
		r.end, r.start = copy(r.buf, r.buf[r.start:r.end]), 0
		free := r.buf[r.end:]
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&free[0])), uintptr(len(free)), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			return false
		case errno == 0 && n > 0:
			r.end += int(n)
		case errno == 0 || isGone(errno):
			c.end()
			return true
		default:
			// If the connection has ended the next call shows it.
			r.err = errno
			return true
		}
	}
	return true
}

// takeAll fills in the frames that are there as a whole.
func (c *stream) takeAll() {
	r := &c.reader
	for r.n < len(r.frames) && r.end-r.start >= prefixLen {
		size := int(binary.BigEndian.Uint32(r.buf[r.start:]))
		if size < ethstack.HeaderLen || size > ethstack.MaxSuperFrame {
			if r.n == 0 {
				c.loseSync()
			}
			return
		}
		rest := r.buf[r.start+prefixLen : r.end]
		if len(rest) < size {
			return
		}
		r.start += prefixLen + size
		f := &r.frames[r.n]
		if !frameio.Scatter(f.Bufs, 0, rest[:size]) {
			c.count.readTooLong.Add(1)
			continue
		}
		f.Len, f.Offload, f.Err = size, ethstack.Offload{}, nil
		r.n++
	}
}

// loseSync ends the stream, for where the next frame starts is not known.
func (c *stream) loseSync() {
	r := &c.reader
	if !r.broken {
		r.broken = true
		c.count.readOutOfSync.Add(1)
	}
	r.err = ethstack.ErrDisconnected
}

// end is called at the end of the stream.
func (c *stream) end() {
	r := &c.reader
	if r.end > r.start {
		c.count.readMalformed.Add(1)
		r.start, r.end = 0, 0
	}
	r.err = ethstack.ErrDisconnected
}
