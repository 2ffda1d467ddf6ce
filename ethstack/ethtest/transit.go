package ethtest

import (
	"container/heap"
	"time"
)

// offer lets chance decide what becomes of a packet on its way to a port.
func (s *Segment) offer(from, to *Port, k *packet) {
	to.count(func(t *PortStats) { t.Offered++ })
	if s.happens(s.o.Loss) {
		to.count(func(t *PortStats) { t.Lost++ })
		return
	}
	s.start(from, to, k)
	if s.happens(s.o.Duplicate) {
		to.count(func(t *PortStats) { t.Offered++ })
		s.start(from, to, k)
	}
}

func (s *Segment) happens(probability float64) bool {
	return probability > 0 && s.random.Float64() < probability
}

// start sends one packet on its way.
func (s *Segment) start(from, to *Port, k *packet) {
	delay := s.o.MinDelay
	if spread := s.o.MaxDelay - s.o.MinDelay; spread > 0 {
		delay += time.Duration(s.random.Int64N(int64(spread) + 1))
	}
	held := s.happens(s.o.Reorder)
	if held {
		delay += s.o.ReorderDelay
	}
	if delay == 0 && s.o.MaxDelay == 0 && !to.isInline() {
		// Into the queue at once. That delivers nothing: somebody has to read.
		k.refs.Add(1)
		to.enqueue(k)
		return
	}
	now := s.clock.Now()
	at := now + delay
	if !held {
		// In the order of sending, as on one cable.
		at = max(at, to.last[from])
		to.last[from] = at
	}
	to.count(func(t *PortStats) { t.UnderWay++ })
	k.refs.Add(1)
	s.seq++
	heap.Push(&s.underWay, event{at: at, seq: s.seq, to: to, k: k})
	s.arm(now)
}

// arm sets the timer for the first event, unless fire is about to.
func (s *Segment) arm(now time.Duration) {
	if s.firing || len(s.underWay) == 0 {
		return
	}
	at := s.underWay[0].at
	if s.armed && s.armedFor <= at {
		return
	}
	s.armed, s.armedFor = true, at
	if s.timer == nil {
		s.timer = s.clock.AfterFunc(at-now, s.fire)
	} else {
		s.timer.Reset(at - now)
	}
}

// fire lets arrive what is due. Only one call at a time does; the others leave
// it to that one.
func (s *Segment) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.firing {
		return
	}
	s.firing, s.armed = true, false
	for len(s.underWay) > 0 && s.underWay[0].at <= s.clock.Now() {
		e := heap.Pop(&s.underWay).(event)
		e.to.count(func(t *PortStats) { t.UnderWay-- })
		if !e.to.isInline() {
			e.to.enqueue(e.k)
			continue
		}
		s.mu.Unlock()
		e.to.consume(e.k)
		s.mu.Lock()
	}
	s.firing = false
	s.arm(s.clock.Now())
}

// An event is the arrival of a packet at a port.
type event struct {
	at  time.Duration
	seq uint64
	to  *Port
	k   *packet
}

// eventHeap is a heap by time and sequence.
type eventHeap []event

func (h eventHeap) Len() int { return len(h) }

func (h eventHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].seq < h[j].seq
}

func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *eventHeap) Push(x any) { *h = append(*h, x.(event)) }

func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = event{}
	*h = (*h)[:last]
	return e
}
