package ethtest

import "github.com/ethlink/ethlink/ethstack"

// OnFrame gives each frame that arrives to a function, in place of the queues
// and Read. The function runs on the goroutine that runs the clock's timers,
// never inside Write, and for one port of the segment at a time; it may write
// to ports. The frame and its one buffer are valid, and may be written to,
// during the call. Nil goes back to Read.
func (p *Port) OnFrame(f func(*ethstack.Frame)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.consumer = f
}

func (p *Port) isInline() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.consumer != nil
}

// arrive decides whether a packet can be received, and counts it if not.
func (p *Port) arrive(k *packet) bool {
	switch {
	case p.closed || p.state == ethstack.LinkGone:
		p.stats.Closed++
	case p.state == ethstack.LinkDown:
		p.stats.LinkDown++
	case len(k.data) > p.limit([][]byte{k.data}, k.offload):
		p.stats.TooLong++
	default:
		return true
	}
	return false
}

// enqueue takes over a packet and its reference.
func (p *Port) enqueue(k *packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.arrive(k) {
		if q := &p.queues[p.queueFor(k.data)]; q.push(k) {
			q.arrived.Signal()
			return
		}
		p.stats.QueueFull++
	}
	p.s.drop(k)
}

// consume gives a packet, and takes its reference, to OnFrame's function. Only
// Segment.fire calls it, so there is one call at a time.
func (p *Port) consume(k *packet) {
	p.mu.Lock()
	f := p.consumer
	if f == nil {
		p.mu.Unlock()
		p.enqueue(k)
		return
	}
	ok := p.arrive(k)
	if ok {
		p.stats.Delivered++
		p.scratch = append(p.scratch[:0], k.data...)
	}
	frame := ethstack.Frame{Bufs: [][]byte{p.scratch}, Len: len(p.scratch), Offload: k.offload}
	p.mu.Unlock()
	p.s.drop(k)
	if ok {
		f(&frame)
	}
}
