package tap

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/vnet"
)

// The errors of frames, made once: a flood of frames that fail must not
// allocate.
var (
	errDown     = fmt.Errorf("tap: the interface is down: %w", ethstack.ErrNoBufferSpace)
	errFull     = fmt.Errorf("tap: the kernel is out of memory for frames: %w", ethstack.ErrNoBufferSpace)
	errRejected = fmt.Errorf("tap: the kernel found the metadata wrong for the frame: %w", ethstack.ErrUnsupportedOffload)
	errTooShort = errors.New("tap: the frame is shorter than an Ethernet header, 14 bytes")
)

// A writer is the state of a call of Write. Any number of calls may be under
// way.
type writer struct {
	d      *Device
	header [vnet.MaxLen]byte
	iov    []unix.Iovec
	joined []byte
	frames []ethstack.Frame
	n      int
	first  error
	// run is writeAll, made once as the poller wants it.
	run func(fd uintptr)
}

func newWriter(d *Device) *writer {
	w := &writer{d: d}
	w.run = w.writeAll
	return w
}

// Write sends frames, as [ethstack.Device] says. Besides the errors listed
// there a frame shorter than an Ethernet header has one of its own.
func (d *Device) Write(queue int, frames []ethstack.Frame) (int, error) {
	if err := d.checkQueue(queue); err != nil {
		return frameio.Refuse(frames, err)
	}
	w := d.writers.Get().(*writer)
	w.frames, w.n, w.first = frames, 0, nil
	// Control takes no lock but keeps the file descriptor from being closed.
	err := d.writing[queue].Control(w.run)
	n, first := w.n, w.first
	w.frames, w.first = nil, nil
	d.writers.Put(w)
	if err != nil {
		d.stats.writeGone.Add(uint64(len(frames)))
		return frameio.Refuse(frames, ethstack.ErrDisconnected)
	}
	return n, first
}

func (w *writer) writeAll(fd uintptr) {
	for i := range w.frames {
		f := &w.frames[i]
		f.Err = w.write(fd, f)
		if f.Err == nil {
			w.n++
		} else if w.first == nil {
			w.first = f.Err
		}
	}
	clear(w.iov)
}

func (w *writer) write(fd uintptr, f *ethstack.Frame) error {
	d := w.d
	length := f.WireLen()
	switch {
	case length < ethstack.HeaderLen:
		d.stats.writeInvalid.Add(1)
		return errTooShort
	case !vnet.Put(w.header[:], f.Offload, d.offloads):
		d.stats.writeInvalid.Add(1)
		return ethstack.ErrUnsupportedOffload
	case length > frameio.Limit(f, int(d.mtu.Load()), d.offloads):
		d.stats.writeTooLong.Add(1)
		return ethstack.ErrMessageTooLong
	}
	w.point(f.Bufs)
	for {
		_, _, errno := unix.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&w.iov[0])), uintptr(len(w.iov)))
		switch errno {
		case unix.EINTR:
		case 0:
			return nil
		default:
			return d.writeError(errno, f.Offload)
		}
	}
}

// point makes the vector point to the metadata and the frame.
func (w *writer) point(bufs [][]byte) {
	clear(w.iov) // nothing of the frame before is kept
	w.iov = w.iov[:0]
	if w.d.vnetLen > 0 {
		w.iov = append(w.iov, frameio.Vector(w.header[:w.d.vnetLen]))
	}
	w.iov, w.joined = frameio.AppendWrite(w.iov, w.joined[:0], bufs, frameio.MaxVectors-len(w.iov))
}

// writeError says what the kernel's error means for the frame.
func (d *Device) writeError(errno unix.Errno, o ethstack.Offload) error {
	switch errno {
	case unix.EIO:
		// Choice: a TAP that is down refuses frames. It may come up again.
		d.stats.writeDown.Add(1)
		return errDown
	case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
		d.stats.writeFull.Add(1)
		return errFull
	case unix.EBADFD:
		d.stats.writeGone.Add(1)
		d.gone()
		return ethstack.ErrDisconnected
	case unix.EMSGSIZE:
		d.stats.writeTooLong.Add(1)
		return ethstack.ErrMessageTooLong
	case unix.EINVAL:
		d.stats.writeInvalid.Add(1)
		if o != (ethstack.Offload{}) {
			return errRejected
		}
	}
	return fmt.Errorf("tap: writing to %s: %w", d.name, errno)
}
