package ethtest

import (
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/linkstate"
)

// FaultOptions configure a [FaultyDevice]. The zero value is a device without
// faults, until there are other Rates or Force is called.
type FaultOptions struct {
	// Seed determines everything that is random.
	Seed uint64
	// Rates say how often each fault happens.
	Rates FaultRates
}

// A FaultyDevice is a device with faults, around one that need not have any. Its
// Read and the link's state lie; what is written arrives unchanged, or is
// refused. To change what a device sends, wrap the device that receives it.
type FaultyDevice struct {
	dev  ethstack.Device
	link linkstate.Notifier

	// mu guards what follows.
	mu     sync.Mutex
	random *rand.Rand
	rates  FaultRates
	forced [NumFaults]int
	counts [NumFaults]uint64
	stall  int // for how many more calls Write finds no room

	// linkMu keeps the changes of the link's state in order; inner is the
	// device's.
	linkMu sync.Mutex
	inner  ethstack.LinkState
}

var _ ethstack.Device = (*FaultyDevice)(nil)

// Faulty puts faults around a device, which belongs to the result. The error is
// about the options.
func Faulty(dev ethstack.Device, o FaultOptions) (*FaultyDevice, error) {
	if err := o.Rates.check(); err != nil {
		return nil, err
	}
	d := &FaultyDevice{dev: dev, random: rand.New(rand.NewPCG(o.Seed, 0x6661756c)), rates: o.Rates}
	dev.Notify(d.innerChanged)
	return d, nil
}

// SetRates changes how often faults happen, from the next call on. A stall
// that has begun ends.
func (d *FaultyDevice) SetRates(r FaultRates) error {
	if err := r.check(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rates, d.stall = r, 0
	return nil
}

// Force makes a fault happen at the next opportunities, so many of them,
// whatever its rate; a flap happens at once. A Read that is under way has had
// its opportunity.
func (d *FaultyDevice) Force(f Fault, times int) {
	d.mu.Lock()
	if f != FaultFlap {
		d.forced[f] += times
		times = 0
	}
	d.counts[FaultFlap] += uint64(times)
	d.mu.Unlock()
	for range times {
		d.flap()
	}
}

// Faults returns how often each fault has happened.
func (d *FaultyDevice) Faults() [NumFaults]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts
}

// happens lets chance, or force, decide, and counts. mu is held.
func (d *FaultyDevice) happens(f Fault) bool {
	switch {
	case d.forced[f] > 0:
		d.forced[f]--
	case d.rates[f] == 0 || d.random.Float64() >= d.rates[f]:
		return false
	}
	d.counts[f]++
	return true
}

// Device returns the device inside.
func (d *FaultyDevice) Device() ethstack.Device { return d.dev }

// Info describes the device inside.
func (d *FaultyDevice) Info() ethstack.DeviceInfo { return d.dev.Info() }

// Queues returns the number of queues of the device inside.
func (d *FaultyDevice) Queues() int { return d.dev.Queues() }

var (
	errFaultyRead  = errors.New("ethtest: a fault in Read")
	errFaultyWrite = errors.New("ethtest: a fault in Write")
)

// stallCalls is how many calls of Write a stall lasts.
const stallCalls = 16

// Write sends frames, as [ethstack.Device] says, except those that a fault
// refuses. It never waits.
func (d *FaultyDevice) Write(queue int, frames []ethstack.Frame) (n int, first error) {
	d.mu.Lock()
	refused := d.refuse(frames)
	d.mu.Unlock()
	if !refused {
		return d.dev.Write(queue, frames)
	}
	from := 0
	for k := range frames {
		if frames[k].Err == nil {
			continue
		}
		n += d.writeSome(queue, frames[from:k])
		from = k + 1
	}
	n += d.writeSome(queue, frames[from:])
	for k := range frames {
		if first = frames[k].Err; first != nil {
			break
		}
	}
	return n, first
}

func (d *FaultyDevice) writeSome(queue int, frames []ethstack.Frame) int {
	if len(frames) == 0 {
		return 0
	}
	n, _ := d.dev.Write(queue, frames) // each frame has its error
	return n
}

// refuse sets the errors of the frames that are not to be written, and reports
// whether there are any. mu is held.
func (d *FaultyDevice) refuse(frames []ethstack.Frame) (any bool) {
	stalled := d.stall > 0
	switch {
	case stalled:
		d.stall--
		d.counts[FaultStall] += uint64(len(frames))
	case len(frames) > 0 && d.happens(FaultStall):
		stalled = true
		d.stall = stallCalls - 1
		d.counts[FaultStall] += uint64(len(frames)) - 1 // one is counted
	}
	partial := false
	for k := range frames {
		err := error(nil)
		switch {
		case stalled:
			err = ethstack.ErrNoBufferSpace
		case partial:
			err = ethstack.ErrNoBufferSpace
			d.counts[FaultPartial]++
		case d.happens(FaultPartial):
			err, partial = ethstack.ErrNoBufferSpace, true
		default:
			err = d.writeFault()
		}
		frames[k].Err = err
		any = any || err != nil
	}
	return any
}

// writeFaults are the errors that single frames are refused with.
var writeFaults = [...]struct {
	fault Fault
	err   error
}{
	{FaultFull, ethstack.ErrNoBufferSpace},
	{FaultTooLong, ethstack.ErrMessageTooLong},
	{FaultOffload, ethstack.ErrUnsupportedOffload},
	{FaultDisconnected, ethstack.ErrDisconnected},
	{FaultWriteError, errFaultyWrite},
}

func (d *FaultyDevice) writeFault() error {
	for _, w := range writeFaults {
		if d.happens(w.fault) {
			return w.err
		}
	}
	return nil
}

// Notify sets the function that is told of the link's state, as
// [ethstack.Device] says, flaps included.
func (d *FaultyDevice) Notify(f func(ethstack.LinkState)) { d.link.Notify(f) }

// innerChanged is told of the state of the device inside.
func (d *FaultyDevice) innerChanged(s ethstack.LinkState) {
	d.linkMu.Lock()
	defer d.linkMu.Unlock()
	d.inner = s
	d.link.Set(s)
}

// flap takes the link down, and back to what it is.
func (d *FaultyDevice) flap() {
	d.linkMu.Lock()
	defer d.linkMu.Unlock()
	if d.inner != ethstack.LinkUp {
		return
	}
	d.link.Set(ethstack.LinkDown)
	d.link.Set(ethstack.LinkUp)
}

// Close closes the device inside.
func (d *FaultyDevice) Close() error {
	d.link.Close()
	return d.dev.Close()
}
