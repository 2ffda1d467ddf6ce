package fdbased

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/linkstate"
)

// The errors of frames, made once: a flood of frames that fail must not
// allocate.
var (
	errDown     = fmt.Errorf("fdbased: the interface is down: %w", ethstack.ErrNoBufferSpace)
	errFull     = fmt.Errorf("fdbased: there is no room for frames: %w", ethstack.ErrNoBufferSpace)
	errRejected = fmt.Errorf("fdbased: the kernel found the metadata wrong for the frame: %w", ethstack.ErrUnsupportedOffload)
	errTooShort = errors.New("fdbased: the frame is shorter than an Ethernet header, 14 bytes")
)

// base is what all kinds of devices in this package have.
type base struct {
	sockets      []*socket // one for each queue
	name         string
	hardwareAddr atomic.Pointer[ethstack.HardwareAddr]
	mtu          atomic.Int32
	offloads     ethstack.Offloads
	state        linkstate.Notifier
	over         atomic.Bool // the link is gone
	closed       atomic.Bool
	count        counters
}

// A socket is one queue of a device.
type socket struct {
	*base
	file *os.File
	raw  syscall.RawConn // file's
}

type counters struct {
	readTooLong, readUnknownSegment, readMalformed              atomic.Uint64
	readOutgoing, readOutOfSync, readKernelDrops                atomic.Uint64
	writeDown, writeFull, writeTooLong, writeInvalid, writeGone atomic.Uint64
}

// newBase takes the file descriptors over, and closes them on an error.
func newBase(fds []int, name string, mtu int, hw ethstack.HardwareAddr) (*base, error) {
	d := &base{name: name}
	d.mtu.Store(int32(mtu))
	d.hardwareAddr.Store(&hw)
	for i, fd := range fds {
		if err := d.add(fd); err != nil {
			closeAll(fds[i+1:])
			d.closeFiles()
			return nil, fmt.Errorf("it cannot be waited for: %w", err)
		}
	}
	return d, nil
}

// add takes a file descriptor over.
func (d *base) add(fd int) error {
	nonblock := unix.SetNonblock(fd, true)
	s := &socket{base: d, file: os.NewFile(uintptr(fd), d.name)}
	d.sockets = append(d.sockets, s)
	// Where the poller does not take it, Read would not wait.
	deadline := s.file.SetDeadline(time.Time{})
	raw, err := s.file.SyscallConn()
	s.raw = raw
	return errors.Join(nonblock, deadline, err)
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// closeFiles closes the file descriptors and returns the first error. It waits
// for system calls under way, which do not block, so that none can use the
// number of a file descriptor that has become another file's.
func (d *base) closeFiles() (first error) {
	for _, s := range d.sockets {
		if err := s.file.Close(); err != nil && first == nil {
			first = errors.Unwrap(err)
		}
	}
	return first
}

// bufferSize is what is asked for as a socket's buffers, in bytes: a full
// window of TCP in frames that are not super-frames. The kernel gives less to
// who has no CAP_NET_ADMIN.
const bufferSize = 4 << 20

func enlargeBuffers(fd int) {
	for _, o := range []struct{ force, try int }{
		{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF},
	} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.force, bufferSize) != nil {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.try, bufferSize)
		}
	}
}

// Info describes the device.
func (d *base) Info() ethstack.DeviceInfo {
	mtu := int(d.mtu.Load())
	return ethstack.DeviceInfo{
		Name: d.name, HardwareAddr: *d.hardwareAddr.Load(), MTU: mtu,
		MaxFrame: frameio.MaxFrame(mtu, d.offloads), Offloads: d.offloads,
	}
}

// Queues returns how many there are.
func (d *base) Queues() int { return len(d.sockets) }

// Notify sets the function that is told of the link's state.
func (d *base) Notify(f func(ethstack.LinkState)) { d.state.Notify(f) }

// checkQueue finds a queue that is none.
func (d *base) checkQueue(queue int) error {
	if queue < 0 || queue >= len(d.sockets) {
		return fmt.Errorf("fdbased: %s has no queue %d: it has %d, numbered from 0", d.name, queue, len(d.sockets))
	}
	return nil
}

// gone ends the link for good, and with it each Read that waits.
func (d *base) gone() {
	d.over.Store(true)
	d.state.Set(ethstack.LinkGone)
	for _, s := range d.sockets {
		s.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// Close ends Read and gives the file descriptors up.
func (d *base) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	d.state.Close()
	if err := d.closeFiles(); err != nil {
		return fmt.Errorf("fdbased: closing %s: %w", d.name, err)
	}
	return nil
}

// wait calls try until it reports true, and waits for the file descriptor in
// between.
func (s *socket) wait(try func(fd uintptr) bool) error {
	err := s.raw.Read(try)
	if err != nil && !s.closed.Load() {
		// The poller gives up when the link is gone. The file descriptor may
		// still have frames, and has the reason.
		err = s.raw.Control(func(fd uintptr) { try(fd) })
	}
	return err
}

// readResult returns what Read returns, for n frames, the error that ended
// the batch, and the error of waiting.
func (s *socket) readResult(n int, failed, waiting error) (int, error) {
	switch {
	case n > 0:
		// An error that ended the batch shows again at the next call.
		return n, nil
	case failed == ethstack.ErrDisconnected:
		s.gone()
		return 0, ethstack.ErrDisconnected
	case s.over.Load() || s.closed.Load():
		return 0, ethstack.ErrDisconnected
	case failed != nil:
		return 0, fmt.Errorf("fdbased: reading from %s: %w", s.name, failed)
	case waiting != nil:
		return 0, fmt.Errorf("fdbased: waiting for %s: %w", s.name, waiting)
	}
	return 0, fmt.Errorf("fdbased: %s became ready with nothing to read", s.name)
}

// refuse is Write on a device that is gone or closed.
func (d *base) refuse(frames []ethstack.Frame) (int, error) {
	d.count.writeGone.Add(uint64(len(frames)))
	return frameio.Refuse(frames, ethstack.ErrDisconnected)
}

// stats returns the counters.
func (d *base) stats() Stats {
	c := &d.count
	return Stats{
		ReadTooLong: c.readTooLong.Load(), ReadUnknownSegment: c.readUnknownSegment.Load(),
		ReadMalformed: c.readMalformed.Load(), ReadOutgoing: c.readOutgoing.Load(),
		ReadOutOfSync: c.readOutOfSync.Load(), ReadKernelDrops: c.readKernelDrops.Load(),
		WriteDown: c.writeDown.Load(), WriteFull: c.writeFull.Load(), WriteTooLong: c.writeTooLong.Load(),
		WriteInvalid: c.writeInvalid.Load(), WriteGone: c.writeGone.Load(),
	}
}
