package tap

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/linkstate"
	"github.com/ethlink/ethlink/internal/linkwatch"
)

// Device is an open TAP.
type Device struct {
	files  []*os.File // all of them
	queues []*queue
	// writing is where the frames of each queue are written to, see create.
	writing      []syscall.RawConn
	name         string
	hardwareAddr ethstack.HardwareAddr
	offloads     ethstack.Offloads
	// vnetLen is the length in bytes of the metadata before each frame, 0 if
	// there is none.
	vnetLen int

	mtu     atomic.Int32
	stats   counters
	writers sync.Pool // of *writer
	state   linkstate.Notifier
	watcher *linkwatch.Watcher // nil if the interface cannot be watched
	closed  atomic.Bool
}

var _ ethstack.Device = (*Device)(nil)

type counters struct {
	readTooLong, readUnknownSegment, readMalformed              atomic.Uint64
	writeDown, writeFull, writeTooLong, writeInvalid, writeGone atomic.Uint64
}

// Open opens a TAP as the options say.
func Open(o Options) (*Device, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	t, err := openTAP(o)
	if err != nil {
		return nil, err
	}
	d, err := newDevice(t, o)
	if err != nil {
		closeFiles(t.files)
		return nil, err
	}
	// The device has file descriptors of its own for the same TAP.
	closeFiles(o.Files)
	return d, nil
}

func newDevice(t opened, o Options) (*Device, error) {
	d := &Device{files: t.files, name: t.name, offloads: t.offloads, vnetLen: t.vnetLen}
	if err := d.connect(t.queues); err != nil {
		return nil, fmt.Errorf("tap: %s: %w", t.name, err)
	}
	d.writers.New = func() any { return newWriter(d) }
	d.mtu.Store(defaultMTU)
	if o.MTU != 0 {
		d.mtu.Store(int32(o.MTU))
	}
	var err error
	if d.hardwareAddr, err = chooseHardwareAddr(o.HardwareAddr, t.kernelAddr); err != nil {
		return nil, fmt.Errorf("tap: %s: %w", t.name, err)
	}
	if err := d.configure(o); err != nil {
		return nil, err
	}
	return d, nil
}

// connect makes the queues, of which there are n.
func (d *Device) connect(n int) error {
	var conns []syscall.RawConn
	for _, f := range d.files {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		conns = append(conns, raw)
	}
	for _, raw := range conns[:n] {
		d.queues = append(d.queues, newQueue(d, raw))
		d.writing = append(d.writing, raw)
	}
	if len(conns) > n {
		for i := range d.writing {
			d.writing[i] = conns[n]
		}
	}
	return nil
}

// defaultMTU is assumed where the interface cannot be asked.
const defaultMTU = 1500

// Info describes the device. The MTU is the interface's present one.
func (d *Device) Info() ethstack.DeviceInfo {
	mtu := int(d.mtu.Load())
	return ethstack.DeviceInfo{
		Name: d.name, HardwareAddr: d.hardwareAddr, MTU: mtu, MaxFrame: frameio.MaxFrame(mtu, d.offloads), Offloads: d.offloads,
	}
}

// Queues returns how many queues the device was opened with.
func (d *Device) Queues() int { return len(d.queues) }

// checkQueue finds a queue that is none.
func (d *Device) checkQueue(queue int) error {
	if queue < 0 || queue >= len(d.queues) {
		return fmt.Errorf("tap: %s has no queue %d: it has %d, numbered from 0", d.name, queue, len(d.queues))
	}
	return nil
}

// Notify sets the function that is told of the link's state, as
// [ethstack.Device] says. It may be called from inside such a call.
func (d *Device) Notify(f func(ethstack.LinkState)) { d.state.Notify(f) }

// gone ends the link for good.
func (d *Device) gone() { d.state.Set(ethstack.LinkGone) }

// Close ends Read and gives the TAP up. An interface that is not persistent
// goes with it.
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	d.state.Close()
	d.watcher.Close()
	// This waits for system calls under way, which do not block, so that none
	// can use the number of a file descriptor that has become another file's.
	if err := closeFiles(d.files); err != nil {
		return fmt.Errorf("tap: closing %s: %w", d.name, err)
	}
	return nil
}

// closeFiles closes all files, and returns the first error.
func closeFiles(files []*os.File) (first error) {
	for _, f := range files {
		if err := f.Close(); err != nil && first == nil {
			first = errors.Unwrap(err)
		}
	}
	return first
}

// Stats returns what was counted so far.
func (d *Device) Stats() Stats {
	c := &d.stats
	return Stats{
		ReadTooLong: c.readTooLong.Load(), ReadUnknownSegment: c.readUnknownSegment.Load(), ReadMalformed: c.readMalformed.Load(),
		WriteDown: c.writeDown.Load(), WriteFull: c.writeFull.Load(), WriteTooLong: c.writeTooLong.Load(),
		WriteInvalid: c.writeInvalid.Load(), WriteGone: c.writeGone.Load(),
	}
}
