package ethtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ethlink/ethlink/ethstack"
)

// SegmentOptions configure a [Segment]. The zero value is a hub that is
// perfect: without delay, loss, duplicates, or reordering.
type SegmentOptions struct {
	// Seed determines everything that is random.
	Seed uint64
	// Clock is the time; nil means [ethstack.SystemClock].
	Clock ethstack.Clock

	// MinDelay and MaxDelay bound how long a frame is under way. Frames from
	// one port to another do not overtake each other because of it.
	MinDelay, MaxDelay time.Duration
	// Loss, Duplicate and Reorder are the probabilities, 0 to 1, that a frame
	// on its way to one port is lost, arrives twice, or is held back by
	// ReorderDelay, so that later ones overtake it.
	Loss, Duplicate, Reorder float64
	// ReorderDelay is how long; zero means 10 ms.
	ReorderDelay time.Duration
	// Trailing is up to how many random bytes follow the end of a plain
	// frame, within the sending port's MTU.
	Trailing int
	// Switch makes the segment learn who is where, as a bridge does, and send
	// frames to a port that is known there only. Otherwise it is a hub, on which
	// everybody gets everything.
	Switch bool
	// Capture, if not nil, is given each frame as it is sent, before
	// anything happens to it. It is called for one frame at a time in order, and
	// must not call the segment.
	Capture func(Capture)
}

// Capture is a frame that was sent on a [Segment].
type Capture struct {
	// Time is the segment's clock.
	Time time.Duration
	// From is the port that sent the frame.
	From *Port
	// Frame is valid during the call only, and must not be written to.
	Frame []byte
	// Offload is its metadata.
	Offload ethstack.Offload
}

// A Segment is a virtual Ethernet segment.
type Segment struct {
	o     SegmentOptions
	clock ethstack.Clock
	pool  sync.Pool // *packet

	// mu guards what follows. It is taken before any port's.
	mu       sync.Mutex
	random   *rand.Rand
	ports    []*Port
	where    map[ethstack.HardwareAddr]*Port // Switch only
	soft     ethstack.Segmenter
	underWay eventHeap
	seq      uint64
	timer    ethstack.Timer
	armed    bool
	armedFor time.Duration
	firing   bool
}

// maxLearned bounds what a switch remembers; then it forgets all.
const maxLearned = 4096

// NewSegment makes a segment without ports.
func NewSegment(o SegmentOptions) (*Segment, error) {
	for _, p := range []struct {
		name  string
		value float64
	}{{"Loss", o.Loss}, {"Duplicate", o.Duplicate}, {"Reorder", o.Reorder}} {
		if !(p.value >= 0 && p.value <= 1) { // also not a number
			return nil, fmt.Errorf("ethtest: %s is %v: want a probability from 0 to 1", p.name, p.value)
		}
	}
	if o.MinDelay < 0 || o.ReorderDelay < 0 || o.Trailing < 0 {
		return nil, fmt.Errorf("ethtest: MinDelay %v, ReorderDelay %v, Trailing %d: none may be negative", o.MinDelay, o.ReorderDelay, o.Trailing)
	}
	if o.MaxDelay < o.MinDelay {
		if o.MaxDelay != 0 {
			return nil, fmt.Errorf("ethtest: MaxDelay %v is less than MinDelay %v", o.MaxDelay, o.MinDelay)
		}
		o.MaxDelay = o.MinDelay
	}
	if o.ReorderDelay == 0 {
		o.ReorderDelay = 10 * time.Millisecond
	}
	if o.Clock == nil {
		o.Clock = ethstack.SystemClock()
	}
	return &Segment{
		o: o, clock: o.Clock,
		random: rand.New(rand.NewPCG(o.Seed, 0x657468)),
		where:  make(map[ethstack.HardwareAddr]*Port),
		pool:   sync.Pool{New: func() any { return new(packet) }},
	}, nil
}

// NewPort adds a port.
func (s *Segment) NewPort(o PortOptions) (*Port, error) {
	if o.MTU == 0 {
		o.MTU = 1500
	}
	if o.MTU < 68 || o.MTU > 65535 {
		return nil, fmt.Errorf("ethtest: MTU is %d: want 68 to 65535", o.MTU)
	}
	if o.Queues == 0 {
		o.Queues = 1
	}
	if o.QueueLen == 0 {
		o.QueueLen = 1024
	}
	if o.Queues < 0 || o.QueueLen < 0 {
		return nil, fmt.Errorf("ethtest: Queues is %d and QueueLen %d: want at least 1", o.Queues, o.QueueLen)
	}
	if o.HardwareAddr.IsGroup() {
		return nil, fmt.Errorf("ethtest: hardware address %v is a group's", o.HardwareAddr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Name == "" {
		o.Name = fmt.Sprintf("port%d", len(s.ports))
	}
	p := newPort(s, o)
	s.ports = append(s.ports, p)
	return p, nil
}

// Ports returns the ports that are not closed, in the order of their making.
func (s *Segment) Ports() []*Port {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Port(nil), s.ports...)
}

// Close closes all ports.
func (s *Segment) Close() error {
	var errs []error
	for _, p := range s.Ports() {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// send sends one frame that the port p has accepted. The segment's lock is held.
func (s *Segment) send(p *Port, f *ethstack.Frame) {
	k := s.packet(f.Bufs, f.Offload)
	defer s.drop(k)
	if s.o.Capture != nil {
		s.o.Capture(Capture{Time: s.clock.Now(), From: p, Frame: k.data, Offload: k.offload})
	}
	if s.o.Trailing > 0 && k.offload.Segment == ethstack.SegmentNone {
		room := p.o.MTU + ethstack.HeaderLen - len(k.data)
		for n := s.random.IntN(s.o.Trailing + 1); n > 0 && room > 0; n, room = n-1, room-1 {
			k.data = append(k.data, byte(s.random.Uint32()))
		}
	}
	to := s.route(p, k.data)
	for _, other := range s.ports {
		if other != p && (to == nil || to == other) {
			s.convert(p, other, k)
		}
	}
}

// route returns the one port that a frame is for, nil if that is not known.
// A frame for who is on the port it came from is for that port: it goes nowhere.
func (s *Segment) route(p *Port, frame []byte) *Port {
	if !s.o.Switch || len(frame) < ethstack.HeaderLen {
		return nil
	}
	destination := ethstack.HardwareAddr(frame[0:6])
	if source := ethstack.HardwareAddr(frame[6:12]); !source.IsGroup() {
		if len(s.where) >= maxLearned {
			clear(s.where)
		}
		s.where[source] = p
	}
	if destination.IsGroup() {
		return nil
	}
	return s.where[destination]
}

// convert sends a packet on to one port, as what that port can take.
func (s *Segment) convert(from, to *Port, k *packet) {
	if to.o.Offloads.Has(k.offload.Needs()) {
		s.offer(from, to, k)
		return
	}
	f := ethstack.Frame{Bufs: [][]byte{k.data}, Offload: k.offload}
	frames, err := s.soft.Segment(&f, to.o.Offloads)
	if err != nil {
		to.count(func(t *PortStats) { t.Offered++; t.BadOffload++ })
		return
	}
	for i := range frames {
		part := s.packet(frames[i].Bufs, frames[i].Offload)
		s.offer(from, to, part)
		s.drop(part)
	}
	s.soft.Reset()
}

// remove takes a closed port off the segment.
func (s *Segment) remove(p *Port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.ports {
		if s.ports[i] == p {
			s.ports = append(s.ports[:i:i], s.ports[i+1:]...)
			break
		}
	}
	for a, q := range s.where {
		if q == p {
			delete(s.where, a)
		}
	}
	for _, q := range s.ports {
		delete(q.last, p)
	}
}
