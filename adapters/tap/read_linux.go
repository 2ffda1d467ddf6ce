package tap

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/vnet"
)

// A reader is the state of a call of Read. It is in the device, so that the
// function handed to the poller need not be made anew for each call.
type reader struct {
	header [vnet.MaxLen]byte
	spare  [1]byte
	iov    []unix.Iovec
	frames []ethstack.Frame
	n      int
	err    error
	try    func(fd uintptr) bool
}

// Read waits for frames, as [ethstack.Device] says.
func (d *Device) Read(queue int, frames []ethstack.Frame) (int, error) {
	if err := d.checkQueue(queue); err != nil || len(frames) == 0 {
		return 0, err
	}
	r := &d.reader
	r.frames, r.n, r.err = frames, 0, nil
	err := d.raw.Read(r.try)
	if err != nil && !d.closed.Load() {
		// An interface that is deleted makes the poller give up: the TAP itself
		// has the reason.
		err = d.raw.Control(func(fd uintptr) { r.try(fd) })
	}
	r.frames = nil
	switch {
	case r.n > 0:
		// An error that ended the batch shows again at the next call.
		return r.n, nil
	case r.err == unix.EBADFD:
		d.gone()
		return 0, ethstack.ErrDisconnected
	case d.closed.Load():
		return 0, ethstack.ErrDisconnected
	case r.err != nil:
		return 0, fmt.Errorf("tap: reading from %s: %w", d.name, r.err)
	case err != nil:
		return 0, fmt.Errorf("tap: waiting for %s: %w", d.name, err)
	}
	return 0, fmt.Errorf("tap: %s became ready with nothing to read", d.name)
}

// tryRead reads until there is no more or the frames are filled. It reports
// false if nothing was read, and the poller shall wait.
func (d *Device) tryRead(fd uintptr) bool {
	r := &d.reader
	// A flood of frames that are dropped here must not keep Close waiting.
	for r.n < len(r.frames) && !d.closed.Load() {
		f := &r.frames[r.n]
		room := r.point(f, d.vnetLen)
		n, _, errno := unix.Syscall(unix.SYS_READV, fd, uintptr(unsafe.Pointer(&r.iov[0])), uintptr(len(r.iov)))
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			clear(r.iov)
			return r.n > 0
		case errno != 0:
			clear(r.iov)
			r.err = errno
			return true
		case d.take(f, int(n), room):
			r.n++
		}
	}
	clear(r.iov)
	return true
}

// point makes the vector point to the metadata, the frame's memory and one
// more byte, and returns how long a frame fits.
func (r *reader) point(f *ethstack.Frame, vnetLen int) (room int) {
	clear(r.iov) // nothing of the frame before is kept
	r.iov = r.iov[:0]
	if vnetLen > 0 {
		r.iov = append(r.iov, frameio.Vector(r.header[:vnetLen]))
	}
	// One is left for what follows.
	r.iov, room = frameio.AppendRead(r.iov, f.Bufs, frameio.MaxVectors-1-len(r.iov))
	// The kernel cuts off what does not fit and does not tell. A byte that
	// nobody asked for shows it.
	r.iov = append(r.iov, frameio.Vector(r.spare[:]))
	return room
}

// take fills in the frame for n bytes that were read, metadata included, and
// reports whether it is to be delivered.
func (d *Device) take(f *ethstack.Frame, n, room int) bool {
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
		if o, ok = vnet.Get(d.reader.header[:]); !ok {
			d.stats.readUnknownSegment.Add(1)
			return false
		}
	}
	f.Len, f.Offload, f.Err = n, o, nil
	return true
}
