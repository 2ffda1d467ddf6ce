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

// A socket is what all kinds of devices in this package have.
type socket struct {
	file         *os.File
	raw          syscall.RawConn // file's
	name         string
	hardwareAddr atomic.Pointer[ethstack.HardwareAddr]
	mtu          atomic.Int32
	offloads     ethstack.Offloads
	state        linkstate.Notifier
	over         atomic.Bool // the link is gone
	closed       atomic.Bool
	count        counters
}

type counters struct {
	readTooLong, readUnknownSegment, readMalformed              atomic.Uint64
	readOutgoing, readOutOfSync, readKernelDrops                atomic.Uint64
	writeDown, writeFull, writeTooLong, writeInvalid, writeGone atomic.Uint64
}

// newSocket takes the file descriptor over, and closes it on an error.
func newSocket(fd int, name string, mtu int, hw ethstack.HardwareAddr) (*socket, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	s := &socket{file: os.NewFile(uintptr(fd), name), name: name}
	s.mtu.Store(int32(mtu))
	s.hardwareAddr.Store(&hw)
	// Where the poller does not take it, Read would not wait.
	err := s.file.SetDeadline(time.Time{})
	if err == nil {
		s.raw, err = s.file.SyscallConn()
	}
	if err != nil {
		s.file.Close()
		return nil, fmt.Errorf("it cannot be waited for: %w", err)
	}
	return s, nil
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
func (s *socket) Info() ethstack.DeviceInfo {
	mtu := int(s.mtu.Load())
	return ethstack.DeviceInfo{
		Name: s.name, HardwareAddr: *s.hardwareAddr.Load(), MTU: mtu,
		MaxFrame: frameio.MaxFrame(mtu, s.offloads), Offloads: s.offloads,
	}
}

// Queues returns 1.
func (s *socket) Queues() int { return 1 }

// Notify sets the function that is told of the link's state.
func (s *socket) Notify(f func(ethstack.LinkState)) { s.state.Notify(f) }

// checkQueue finds a queue that is none.
func (s *socket) checkQueue(queue int) error {
	if queue != 0 {
		return fmt.Errorf("fdbased: %s has no queue %d: it has one, 0", s.name, queue)
	}
	return nil
}

// gone ends the link for good, and with it a Read that waits.
func (s *socket) gone() {
	s.over.Store(true)
	s.state.Set(ethstack.LinkGone)
	s.file.SetReadDeadline(time.Unix(1, 0))
}

// Close ends Read and gives the file descriptor up.
func (s *socket) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.state.Close()
	// This waits for system calls under way, which do not block, so that none
	// can use the number of a file descriptor that has become another file's.
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("fdbased: closing %s: %w", s.name, errors.Unwrap(err))
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
func (s *socket) refuse(frames []ethstack.Frame) (int, error) {
	s.count.writeGone.Add(uint64(len(frames)))
	return frameio.Refuse(frames, ethstack.ErrDisconnected)
}

// stats returns the counters.
func (s *socket) stats() Stats {
	c := &s.count
	return Stats{
		ReadTooLong: c.readTooLong.Load(), ReadUnknownSegment: c.readUnknownSegment.Load(),
		ReadMalformed: c.readMalformed.Load(), ReadOutgoing: c.readOutgoing.Load(),
		ReadOutOfSync: c.readOutOfSync.Load(), ReadKernelDrops: c.readKernelDrops.Load(),
		WriteDown: c.writeDown.Load(), WriteFull: c.writeFull.Load(), WriteTooLong: c.writeTooLong.Load(),
		WriteInvalid: c.writeInvalid.Load(), WriteGone: c.writeGone.Load(),
	}
}
