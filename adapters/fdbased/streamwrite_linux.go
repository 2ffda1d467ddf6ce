package fdbased

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/vnet"
)

// A streamWriter is the state of a call of Write, and what was left to be
// written.
type streamWriter struct {
	gather
	prefixes [batch][prefixLen]byte
	header   [vnet.Len]byte // of no use to a stream
	message  unix.Msghdr
	// stop is the error that the rest of the frames have.
	stop unix.Errno
	// backlog is the rest of a frame of which the connection took a part. It
	// must go out before any other.
	backlog []byte
	// flushing: a goroutine waits until the backlog can be written.
	flushing bool
	// These are methods, made values once.
	run   func(fd uintptr)
	flush func()
	try   func(fd uintptr) bool
}

// Write sends frames, as [ethstack.Device] says.
func (c *stream) Write(queue int, frames []ethstack.Frame) (int, error) {
	if err := c.checkQueue(queue); err != nil {
		return frameio.Refuse(frames, err)
	}
	// A connection of which the other end has closed its half still takes bytes.
	if c.over.Load() {
		return c.refuse(frames)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.writer
	w.frames, w.n = frames, 0
	err := c.raw.Control(w.run)
	w.frames = nil
	if err != nil {
		return c.refuse(frames)
	}
	if len(w.backlog) > 0 && !w.flushing {
		// No further Write may come, and the other end waits for the rest.
		w.flushing = true
		go w.flush()
	}
	return w.n, firstError(frames, w.n)
}

func (c *stream) writeAll(fd uintptr) {
	w := &c.writer
	w.stop = c.drain(fd)
	for i := range w.frames {
		f := &w.frames[i]
		if f.Err = c.checkFrame(f, w.header[:]); f.Err != nil {
			continue
		}
		if w.k == batch || len(w.iov)+1+len(f.Bufs) > frameio.MaxVectors {
			c.send(fd)
		}
		if w.stop != 0 {
			f.Err = c.writeError(w.stop, f.Offload)
			continue
		}
		prefix := w.prefixes[w.k][:]
		binary.BigEndian.PutUint32(prefix, uint32(f.WireLen()))
		w.add(f, prefix)
	}
	c.send(fd)
}

// drain writes the backlog. The error is 0 once there is none.
func (c *stream) drain(fd uintptr) unix.Errno {
	w := &c.writer
	for len(w.backlog) > 0 {
		w.iov = append(w.iov[:0], frameio.Vector(w.backlog))
		n, errno := w.sendmsg(fd, w.iov)
		w.reset()
		if errno != 0 {
			return errno
		}
		w.backlog = w.backlog[:copy(w.backlog, w.backlog[n:])]
	}
	return 0
}

func (w *streamWriter) sendmsg(fd uintptr, iov []unix.Iovec) (int, unix.Errno) {
	for {
		setVectors(&w.message, iov)
		n, _, errno := unix.Syscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&w.message)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// send sends the frames that were added.
func (c *stream) send(fd uintptr) {
	w := &c.writer
	if w.k == 0 {
		return
	}
	n, errno := w.sendmsg(fd, w.iov)
	if errno != 0 {
		n, w.stop = 0, errno
	}
	start := 0
	for i, f := range w.of[:w.k] {
		size := prefixLen + f.WireLen()
		switch {
		case n >= size:
			n -= size
			w.n++
		case n > 0:
			// What was begun must be ended: the frame is taken.
			w.keep(w.iov[start:w.ends[i]], n)
			n, w.stop = 0, unix.EAGAIN
			w.n++
		default:
			if w.stop == 0 {
				w.stop = unix.EAGAIN
			}
			f.Err = c.writeError(w.stop, f.Offload)
		}
		start = w.ends[i]
	}
	w.reset()
}

// keep makes what lies behind the first n bytes the backlog.
func (w *streamWriter) keep(iov []unix.Iovec, n int) {
	for _, v := range iov {
		b := unsafe.Slice(v.Base, v.Len)
		skip := min(n, len(b))
		w.backlog = append(w.backlog, b[skip:]...)
		n -= skip
	}
}

// flush writes the backlog as soon as that is possible. It ends with the
// backlog or the device.
func (c *stream) flush() { c.raw.Write(c.writer.try) }

// tryFlush reports false if the poller shall wait.
func (c *stream) tryFlush(fd uintptr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	errno := c.drain(fd)
	switch {
	case isGone(errno):
		c.gone()
	case errno != 0:
		return false
	}
	c.writer.flushing = false
	return true
}
