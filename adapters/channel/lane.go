package channel

import (
	"fmt"
	"sync/atomic"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/fifo"
	"github.com/ethlink/ethlink/internal/frameio"
)

// A packet is a frame in a queue.
type packet struct {
	data    []byte // its capacity tells which pool it is from
	offload ethstack.Offload
}

func newPacket(size int) *packet { return &packet{data: make([]byte, 0, size)} }

// A lane carries frames one way.
type lane struct {
	queue *fifo.Queue[*packet]

	full, down, gone, tooLong, invalid, misfit, closed atomic.Uint64
}

func (l *lane) init(size int) { l.queue = fifo.New[*packet](size) }

func (l *lane) stats() LaneStats {
	return LaneStats{
		Waiting: l.queue.Len(),
		Full:    l.full.Load(), Down: l.down.Load(), Gone: l.gone.Load(), TooLong: l.tooLong.Load(),
		Invalid: l.invalid.Load(), Misfit: l.misfit.Load(), Closed: l.closed.Load(),
	}
}

// errDown is made once: a flood of frames that fail must not allocate.
var errDown = fmt.Errorf("channel: the link is down: %w", ethstack.ErrNoBufferSpace)

// offer puts frames into a lane, each that it takes. It is Write for either
// direction.
func (d *Device) offer(l *lane, frames []ethstack.Frame) (n int, first error) {
	state := d.linkState()
	for i := range frames {
		f := &frames[i]
		f.Err = d.put(l, f, state)
		switch {
		case f.Err == nil:
			n++
		case first == nil:
			first = f.Err
		}
	}
	return n, first
}

// put puts one frame into a lane, or says why not.
func (d *Device) put(l *lane, f *ethstack.Frame, state ethstack.LinkState) error {
	if err := d.check(l, f, state); err != nil {
		return err
	}
	k := d.copy(f)
	o := l.queue.Push(k)
	if o != fifo.Taken {
		d.release(k)
	}
	return l.outcome(o)
}

// check decides whether a lane may take a frame.
func (d *Device) check(l *lane, f *ethstack.Frame, state ethstack.LinkState) error {
	switch {
	case state == ethstack.LinkGone:
		l.gone.Add(1)
		return ethstack.ErrDisconnected
	case !d.o.Offloads.Has(f.Offload.Needs()):
		l.invalid.Add(1)
		return ethstack.ErrUnsupportedOffload
	case f.WireLen() > frameio.Limit(f, d.o.MTU, d.o.Offloads):
		l.tooLong.Add(1)
		return ethstack.ErrMessageTooLong
	case state != ethstack.LinkUp:
		l.down.Add(1)
		return errDown
	}
	return nil
}

// outcome counts what became of a frame and says it to who offered it.
func (l *lane) outcome(o fifo.Outcome) error {
	switch o {
	case fifo.Full:
		l.full.Add(1)
		return ethstack.ErrNoBufferSpace
	case fifo.Closed:
		l.gone.Add(1)
		return ethstack.ErrDisconnected
	}
	return nil
}

// copy makes a packet of a frame.
func (d *Device) copy(f *ethstack.Frame) *packet {
	pool := &d.plain
	if f.WireLen() > frameio.MaxPlain(d.o.MTU) {
		pool = &d.super
	}
	k := pool.Get().(*packet)
	for _, b := range f.Bufs {
		k.data = append(k.data, b...)
	}
	k.offload = f.Offload
	return k
}

// release gives a packet back to its pool.
func (d *Device) release(k *packet) {
	k.data = k.data[:0]
	if cap(k.data) > frameio.MaxPlain(d.o.MTU) {
		d.super.Put(k)
		return
	}
	d.plain.Put(k)
}

// batch is how many packets are taken from a queue at once.
const batch = 32

// take fills frames from a lane, as Read does, and returns how many. It waits
// for the first until done is closed or nothing comes any more: then the
// result is 0.
func (d *Device) take(l *lane, done <-chan struct{}, frames []ethstack.Frame) int {
	var packets [batch]*packet
	for {
		n := l.queue.Pop(done, packets[:min(batch, len(frames))])
		if n == 0 {
			return 0
		}
		filled := 0
		for _, k := range packets[:n] {
			if k.fill(&frames[filled]) {
				filled++
			} else {
				l.misfit.Add(1)
			}
			d.release(k)
		}
		if filled > 0 {
			return filled
		}
	}
}

// fill copies a packet into a frame's memory, and reports whether it fits.
func (k *packet) fill(f *ethstack.Frame) bool {
	if f.WireLen() < len(k.data) {
		return false
	}
	frameio.Scatter(f.Bufs, 0, k.data)
	f.Len, f.Offload, f.Err = len(k.data), k.offload, nil
	return true
}

// discard drops what is in a closed lane.
func (d *Device) discard(l *lane) {
	var one [1]*packet
	for l.queue.Pop(nil, one[:]) > 0 {
		l.closed.Add(1)
		d.release(one[0])
	}
}
