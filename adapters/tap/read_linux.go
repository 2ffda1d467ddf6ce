package tap

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/vnet"
)

// A queue is what one goroutine at a time reads. It has the state of that call,
// so that the function handed to the poller need not be made anew for each.
type queue struct {
	d      *Device
	raw    syscall.RawConn
	header [vnet.MaxLen]byte
	spare  [1]byte
	iov    []unix.Iovec
	frames []ethstack.Frame
	n      int
	err    error
	try    func(fd uintptr) bool
	// burst counts the frames since the queue was empty, expected is how many
	// they were the time before.
	burst, expected int
}

func newQueue(d *Device, raw syscall.RawConn) *queue {
	q := &queue{d: d, raw: raw}
	q.try = q.tryRead
	return q
}

// Read waits for frames, as [ethstack.Device] says.
func (d *Device) Read(queue int, frames []ethstack.Frame) (int, error) {
	if err := d.checkQueue(queue); err != nil || len(frames) == 0 {
		return 0, err
	}
	return d.queues[queue].read(frames)
}

func (q *queue) read(frames []ethstack.Frame) (int, error) {
	q.frames, q.n, q.err = frames, 0, nil
	err := q.raw.Read(q.try)
	d := q.d
	if err != nil && !d.closed.Load() {
		// An interface that is deleted makes the poller give up: the TAP itself
		// has the reason.
		err = q.raw.Control(func(fd uintptr) { q.try(fd) })
	}
	q.frames = nil
	switch {
	case q.n > 0:
		// An error that ended the batch shows again at the next call.
		return q.n, nil
	case q.err == unix.EBADFD:
		d.gone()
		return 0, ethstack.ErrDisconnected
	case d.closed.Load():
		return 0, ethstack.ErrDisconnected
	case q.err != nil:
		return 0, fmt.Errorf("tap: reading from %s: %w", d.name, q.err)
	case err != nil:
		return 0, fmt.Errorf("tap: waiting for %s: %w", d.name, err)
	}
	return 0, fmt.Errorf("tap: %s became ready with nothing to read", d.name)
}

// tryRead reads until there is no more or the frames are filled, or as many
// frames have come as the last time: to ask whether that is all would cost a
// system call, and the next Read asks anyway. It reports false if nothing was
// read, and the poller shall wait.
func (q *queue) tryRead(fd uintptr) bool {
	defer q.forget()
	// A flood of frames that are dropped here must not keep Close waiting.
	for q.n < len(q.frames) && !q.d.closed.Load() {
		f := &q.frames[q.n]
		room := q.point(f)
		n, _, errno := unix.Syscall(unix.SYS_READV, fd, uintptr(unsafe.Pointer(&q.iov[0])), uintptr(len(q.iov)))
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN && q.n > 0:
			return true
		case errno == unix.EAGAIN:
			q.expected, q.burst = q.burst, 0
			return false
		case errno != 0:
			q.err = errno
			return true
		case q.take(f, int(n), room):
			q.n++
			if q.burst++; q.burst == q.expected {
				return true
			}
		}
	}
	return true
}

// forget keeps nothing of the memory of frames.
func (q *queue) forget() { clear(q.iov) }

// point makes the vector point to the metadata, the frame's memory and one
// more byte, and returns how long a frame fits.
func (q *queue) point(f *ethstack.Frame) (room int) {
	q.forget()
	q.iov = q.iov[:0]
	if n := q.d.vnetLen; n > 0 {
		q.iov = append(q.iov, frameio.Vector(q.header[:n]))
	}
	// One is left for what follows.
	q.iov, room = frameio.AppendRead(q.iov, f.Bufs, frameio.MaxVectors-1-len(q.iov))
	// The kernel cuts off what does not fit and does not tell. A byte that
	// nobody asked for shows it.
	q.iov = append(q.iov, frameio.Vector(q.spare[:]))
	return room
}

// take fills in the frame for n bytes that were read, metadata included, and
// reports whether it is to be delivered.
func (q *queue) take(f *ethstack.Frame, n, room int) bool {
	d := q.d
	n -= d.vnetLen
	switch {
	case n < 0:
		d.stats.readMalformed.Add(1)
		return false
	case n > room:
		d.stats.readTooLong.Add(1)
		return false
	}
	o, ok := ethstack.Offload{}, true
	if d.vnetLen > 0 {
		if o, ok = vnet.Get(q.header[:]); !ok {
			d.stats.readUnknownSegment.Add(1)
			return false
		}
	}
	f.Len, f.Offload, f.Err = n, o, nil
	return true
}
