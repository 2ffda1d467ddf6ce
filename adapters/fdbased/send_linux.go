package fdbased

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/vnet"
)

// A gather collects frames for one system call.
type gather struct {
	iov    []unix.Iovec
	ends   [batch]int             // of each frame's vectors in iov
	of     [batch]*ethstack.Frame // whose they are
	k      int                    // frames
	joined []byte

	frames []ethstack.Frame // of the call of Write
	n      int              // of them were taken
}

// add appends vectors for what is before the frame, and for the frame.
func (g *gather) add(f *ethstack.Frame, before []byte) {
	most := frameio.MaxVectors
	if len(before) > 0 {
		g.iov = append(g.iov, frameio.Vector(before))
		most--
	}
	g.iov, g.joined = frameio.AppendWrite(g.iov, g.joined, f.Bufs, most)
	g.of[g.k], g.ends[g.k] = f, len(g.iov)
	g.k++
}

// reset forgets the frames. Nothing of the caller's memory is kept.
func (g *gather) reset() {
	clear(g.of[:g.k])
	clear(g.iov)
	g.k, g.iov, g.joined = 0, g.iov[:0], g.joined[:0]
}

// A writer is the state of a call of Write. Any number of calls may be under
// way.
type writer struct {
	gather
	m       *messages
	headers [batch]unix.Mmsghdr
	vnets   [batch][vnet.Len]byte
	// run is writeAll, made once as the poller wants it.
	run func(fd uintptr)
}

func newWriter(m *messages) *writer {
	w := &writer{m: m}
	w.run = w.writeAll
	return w
}

// Write sends frames, as [ethstack.Device] says.
func (m *messages) Write(queue int, frames []ethstack.Frame) (int, error) {
	if err := m.checkQueue(queue); err != nil {
		return frameio.Refuse(frames, err)
	}
	if m.over.Load() {
		return m.refuse(frames)
	}
	w := m.writers.Get().(*writer)
	w.frames, w.n = frames, 0
	// Control takes no lock but keeps the file descriptor from being closed.
	err := m.queues[queue].raw.Control(w.run)
	n := w.n
	w.frames = nil
	m.writers.Put(w)
	if err != nil {
		return m.refuse(frames)
	}
	return n, firstError(frames, n)
}

// firstError returns the first frame's error, where n frames have none.
func firstError(frames []ethstack.Frame, n int) error {
	if n < len(frames) {
		for i := range frames {
			if err := frames[i].Err; err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) writeAll(fd uintptr) {
	for i := range w.frames {
		f := &w.frames[i]
		header := w.vnets[w.k][:]
		if f.Err = w.m.checkFrame(f, header); f.Err != nil {
			continue
		}
		if !w.m.packet {
			header = nil
		}
		w.add(f, header)
		if w.k == batch {
			w.send(fd)
		}
	}
	w.send(fd)
}

// checkFrame finds frames that the device does not take. It writes the metadata
// of one that it takes to header.
func (d *base) checkFrame(f *ethstack.Frame, header []byte) error {
	length := f.WireLen()
	switch {
	case length < ethstack.HeaderLen:
		d.count.writeInvalid.Add(1)
		return errTooShort
	case !vnet.Put(header, f.Offload, d.offloads):
		d.count.writeInvalid.Add(1)
		return ethstack.ErrUnsupportedOffload
	case length > frameio.Limit(f, int(d.mtu.Load()), d.offloads):
		d.count.writeTooLong.Add(1)
		return ethstack.ErrMessageTooLong
	}
	return nil
}

// send sends the messages that were added. One that the kernel does not take
// does not stop those after it, unless they would fare the same.
func (w *writer) send(fd uintptr) {
	start := 0
	for i, end := range w.ends[:w.k] {
		setVectors(&w.headers[i].Hdr, w.iov[start:end])
		start = end
	}
	again := false
	for at := 0; at < w.k; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&w.headers[at])), uintptr(w.k-at),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno == 0:
			w.n += int(n)
			at += int(n)
		case errno == unix.ENETDOWN && !again:
			// A packet socket keeps the news that its interface went down for the
			// next system call, which may come when it is up again.
			again = true
		case isForAll(errno):
			for ; at < w.k; at++ {
				w.of[at].Err = w.m.writeError(errno, w.of[at].Offload)
			}
		default:
			w.of[at].Err = w.m.writeError(errno, w.of[at].Offload)
			at++
		}
	}
	w.reset()
}

// isForAll reports whether an error is the socket's, not the message's.
func isForAll(errno unix.Errno) bool {
	return errno == unix.EAGAIN || errno == unix.ENETDOWN || isGone(errno)
}

// isGone reports whether an error means that there is no interface or nobody
// at the other end any more.
func isGone(errno unix.Errno) bool {
	switch errno {
	case unix.ENXIO, unix.ENODEV, unix.EPIPE, unix.ECONNREFUSED, unix.ECONNRESET, unix.ENOTCONN:
		return true
	}
	return false
}

// writeError says what the kernel's error means for the frame.
func (d *base) writeError(errno unix.Errno, o ethstack.Offload) error {
	switch errno {
	case unix.ENETDOWN:
		// Choice: an interface that is down refuses frames. It may come up again.
		d.count.writeDown.Add(1)
		return errDown
	case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
		d.count.writeFull.Add(1)
		return errFull
	case unix.EMSGSIZE:
		d.count.writeTooLong.Add(1)
		return ethstack.ErrMessageTooLong
	case unix.EINVAL:
		d.count.writeInvalid.Add(1)
		if o != (ethstack.Offload{}) {
			return errRejected
		}
	}
	if isGone(errno) {
		d.count.writeGone.Add(1)
		d.gone()
		return ethstack.ErrDisconnected
	}
	return fmt.Errorf("fdbased: writing to %s: %w", d.name, errno)
}
