package channel

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/linkstate"
)

// Options configure a [Device]. The zero value is a device for plain frames
// with an MTU of 1500.
type Options struct {
	// Name is for people; empty means "channel".
	Name string
	// HardwareAddr is the address of the stack's side; zero leaves it to the
	// stack.
	HardwareAddr ethstack.HardwareAddr
	// MTU is the largest payload in bytes, from 68 to 65535; 0 means 1500.
	MTU int
	// QueueLen is how many frames wait each way at most; 0 means 1024. With
	// segmentation offloads each may have 64 KiB.
	QueueLen int
	// Offloads are what the carrier passes on in frames' metadata, in both
	// directions.
	Offloads ethstack.Offloads
}

const (
	minMTU          = 68 // RFC 791 §3.2
	maxMTU          = 65535
	defaultMTU      = 1500
	defaultQueueLen = 1024
)

// Device is a device whose frames the program carries. It has one queue. Its
// methods may be called from any number of goroutines, except Read.
type Device struct {
	o        Options
	maxFrame int
	out, in  lane // from the stack to the carrier, and the other way
	notifier linkstate.Notifier
	state    atomic.Uint32 // of the link; changed under mu
	// plain and super have memory for frames of the two sizes, *packet.
	plain, super sync.Pool

	mu     sync.Mutex
	closed bool // guarded by mu
}

var _ ethstack.Device = (*Device)(nil)

// New makes a device. Its link is up.
func New(o Options) (*Device, error) {
	switch {
	case o.MTU != 0 && (o.MTU < minMTU || o.MTU > maxMTU):
		return nil, fmt.Errorf("channel: MTU %d: want %d to %d, or 0 for %d", o.MTU, minMTU, maxMTU, defaultMTU)
	case o.QueueLen < 0:
		return nil, fmt.Errorf("channel: queue length %d: want at least 1, or 0 for %d", o.QueueLen, defaultQueueLen)
	case o.HardwareAddr.IsGroup():
		return nil, fmt.Errorf("channel: hardware address %v is a group's: the lowest bit of the first byte must be 0", o.HardwareAddr)
	}
	if o.Name == "" {
		o.Name = "channel"
	}
	if o.MTU == 0 {
		o.MTU = defaultMTU
	}
	if o.QueueLen == 0 {
		o.QueueLen = defaultQueueLen
	}
	d := &Device{o: o, maxFrame: frameio.MaxFrame(o.MTU, o.Offloads)}
	d.plain.New = func() any { return newPacket(frameio.MaxPlain(o.MTU)) }
	d.super.New = func() any { return newPacket(d.maxFrame) }
	d.out.init(o.QueueLen)
	d.in.init(o.QueueLen)
	return d, nil
}

// Info describes the device. It never changes.
func (d *Device) Info() ethstack.DeviceInfo {
	return ethstack.DeviceInfo{
		Name: d.o.Name, HardwareAddr: d.o.HardwareAddr, MTU: d.o.MTU, MaxFrame: d.maxFrame, Offloads: d.o.Offloads,
	}
}

// Queues returns 1.
func (d *Device) Queues() int { return 1 }

func (d *Device) checkQueue(queue int) error {
	if queue != 0 {
		return fmt.Errorf("channel: %s has no queue %d: it has one, 0", d.o.Name, queue)
	}
	return nil
}

// Write puts frames into the queue for Next, as [ethstack.Device] says. While
// the link is down it refuses them with an error that wraps
// [ethstack.ErrNoBufferSpace].
func (d *Device) Write(queue int, frames []ethstack.Frame) (int, error) {
	if err := d.checkQueue(queue); err != nil {
		return frameio.Refuse(frames, err)
	}
	return d.offer(&d.out, frames)
}

// Read waits for frames that were injected, as [ethstack.Device] says.
func (d *Device) Read(queue int, frames []ethstack.Frame) (int, error) {
	if err := d.checkQueue(queue); err != nil || len(frames) == 0 {
		return 0, err
	}
	n := d.take(&d.in, nil, frames)
	if n == 0 {
		return 0, ethstack.ErrDisconnected
	}
	return n, nil
}

// Notify sets the function that is told of the link's state, as
// [ethstack.Device] says. It may be called from inside such a call.
func (d *Device) Notify(f func(ethstack.LinkState)) { d.notifier.Notify(f) }

func (d *Device) linkState() ethstack.LinkState { return ethstack.LinkState(d.state.Load()) }

// Close ends the device for the stack and for the carrier: all who wait are
// woken. Frames that were injected and not read are dropped. Those that the
// stack has sent can still be taken with Next, so that its last words arrive.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.state.Store(uint32(ethstack.LinkGone))
	d.notifier.Close()
	d.out.queue.Close()
	d.in.queue.Close()
	d.discard(&d.in)
	return nil
}

// Stats counts the frames that a [Device] dropped or refused, and those that
// wait. What it passed on is counted above it.
type Stats struct {
	// Out is about frames from the stack to the carrier, In about those that
	// the carrier injects.
	Out, In LaneStats
}

// LaneStats counts frames of one direction.
type LaneStats struct {
	// Waiting are in the queue now.
	Waiting int
	// Full, Down, Gone, TooLong and Invalid were refused: because the queue was
	// full, the link down or gone, the frame too long, or because its metadata
	// asks for an offload that the device does not have.
	Full, Down, Gone, TooLong, Invalid uint64
	// Misfit did not fit the memory of who took it, and are lost.
	Misfit uint64
	// Closed waited to be read when the device was closed.
	Closed uint64
}

// Stats returns what was counted so far.
func (d *Device) Stats() Stats { return Stats{Out: d.out.stats(), In: d.in.stats()} }
