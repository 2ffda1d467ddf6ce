package ethtest

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/ethlink/ethlink/ethstack"
)

// PortOptions configure a [Port]. The zero value is a port with an MTU of
// 1500, one queue and no offload.
type PortOptions struct {
	// Name is for people; empty means "port" and a number.
	Name string
	// HardwareAddr is what Info reports; zero means that the device has none
	// of its own. The segment does not filter by it.
	HardwareAddr ethstack.HardwareAddr
	// MTU is the largest payload in bytes; 0 means 1500.
	MTU int
	// Offloads are what Write takes, and what Read may return. A frame that
	// needs more than the receiving port has is completed and segmented on the
	// way.
	Offloads ethstack.Offloads
	// Queues is how many queues there are; 0 means 1. A flow stays on one.
	Queues int
	// QueueLen is how many frames wait in each to be read; one more is dropped.
	// 0 means 1024.
	QueueLen int
}

// A Port is one connection to a [Segment]: an [ethstack.Device].
type Port struct {
	s *Segment
	o PortOptions

	last map[*Port]time.Duration // arrival of the last frame from each; under s.mu

	// mu guards what follows.
	mu       sync.Mutex
	stats    PortStats
	queues   []queue
	closed   bool
	state    ethstack.LinkState
	consumer func(*ethstack.Frame)
	scratch  []byte // what consumer is shown
	link     notifier

	readErr    error
	writeErr   error
	failWrites int
}

var _ ethstack.Device = (*Port)(nil)

func newPort(s *Segment, o PortOptions) *Port {
	p := &Port{s: s, o: o, last: make(map[*Port]time.Duration), queues: make([]queue, o.Queues)}
	for i := range p.queues {
		p.queues[i].ring = make([]*packet, o.QueueLen)
		p.queues[i].arrived.L = &p.mu
	}
	p.link.called.L = &p.mu
	return p
}

// Info describes the port.
func (p *Port) Info() ethstack.DeviceInfo {
	return ethstack.DeviceInfo{
		Name: p.o.Name, HardwareAddr: p.o.HardwareAddr, MTU: p.o.MTU, MaxFrame: p.maxFrame(), Offloads: p.o.Offloads,
	}
}

func (p *Port) maxFrame() int {
	if p.o.Offloads&(ethstack.OffloadTCPv4|ethstack.OffloadTCPv6|ethstack.OffloadUDP) != 0 {
		return ethstack.MaxSuperFrame
	}
	return p.o.MTU + ethstack.HeaderLen + tagLen
}

// Queues returns the number of queues.
func (p *Port) Queues() int { return p.o.Queues }

// Write sends frames, as [ethstack.Device] says.
func (p *Port) Write(queue int, frames []ethstack.Frame) (n int, first error) {
	err := p.checkQueue(queue)
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	for i := range frames {
		f := &frames[i]
		up := false
		if f.Err = err; err == nil {
			up, f.Err = p.accept(f)
		}
		switch {
		case f.Err == nil:
			n++
			if up {
				p.s.send(p, f)
			}
		case first == nil:
			first = f.Err
		}
	}
	return n, first
}

func (p *Port) checkQueue(queue int) error {
	if queue < 0 || queue >= p.o.Queues {
		return fmt.Errorf("ethtest: port %q has no queue %d: want 0 to %d", p.o.Name, queue, p.o.Queues-1)
	}
	return nil
}

// accept decides whether Write takes the frame, and whether the link is up to
// carry it.
func (p *Port) accept(f *ethstack.Frame) (up bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed || p.state == ethstack.LinkGone:
		return false, ethstack.ErrDisconnected
	case p.failWrites > 0:
		p.failWrites--
		return false, p.writeErr
	case !p.o.Offloads.Has(f.Offload.Needs()):
		return false, ethstack.ErrUnsupportedOffload
	case f.WireLen() > p.limit(f.Bufs, f.Offload):
		return false, ethstack.ErrMessageTooLong
	}
	p.stats.Sent++
	if p.state == ethstack.LinkDown {
		p.stats.Unsent++
		return false, nil
	}
	return true, nil
}

const (
	tagLen = 4
	// typeAt is where the EtherType is.
	typeAt = 12
)

// limit returns how long the frame may be.
func (p *Port) limit(bufs [][]byte, o ethstack.Offload) int {
	if o.Segment != ethstack.SegmentNone {
		return p.maxFrame()
	}
	var head [ethstack.HeaderLen]byte
	n := 0
	for _, b := range bufs {
		n += copy(head[n:], b)
	}
	if ethstack.EtherType(binary.BigEndian.Uint16(head[typeAt:])) == ethstack.EtherTypeVLAN {
		// IEEE 802.3 §3.2.7: a tag does not count as payload.
		return p.o.MTU + ethstack.HeaderLen + tagLen
	}
	return p.o.MTU + ethstack.HeaderLen
}

// Read waits for frames, as [ethstack.Device] says.
func (p *Port) Read(queue int, frames []ethstack.Frame) (int, error) {
	if err := p.checkQueue(queue); err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	q := &p.queues[queue]
	for {
		if p.closed || p.state == ethstack.LinkGone {
			return 0, ethstack.ErrDisconnected
		}
		if err := p.readErr; err != nil {
			p.readErr = nil
			return 0, err
		}
		n := 0
		for n < len(frames) && q.n > 0 {
			k := q.pop()
			if fill(&frames[n], k) {
				n++
				p.stats.Delivered++
			} else {
				p.stats.TooLong++
			}
			p.s.drop(k)
		}
		if n > 0 || len(frames) == 0 {
			return n, nil
		}
		q.arrived.Wait()
	}
}

// fill copies a packet into the frame's memory, and reports whether it fits.
func fill(f *ethstack.Frame, k *packet) bool {
	if f.WireLen() < len(k.data) {
		return false
	}
	rest := k.data
	for _, b := range f.Bufs {
		rest = rest[copy(b, rest):]
	}
	f.Len, f.Offload, f.Err = len(k.data), k.offload, nil
	return true
}
