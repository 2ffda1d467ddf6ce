package ethtest

// PortStats accounts for every frame at one port. While nothing is being sent
// and no timer runs,
//
//	Offered == Delivered + UnderWay + Waiting + Dropped()
type PortStats struct {
	// Sent is how many frames Write took. Unsent of them went nowhere,
	// because the port's link was down.
	Sent, Unsent uint64
	// Offered is how many frames set out for this port, duplicates and the
	// parts of segmented frames counted singly.
	Offered uint64
	// Delivered were read, or given to OnFrame's function.
	Delivered uint64
	// UnderWay have not arrived, Waiting have but were not read.
	UnderWay, Waiting uint64
	// Lost were lost by chance.
	Lost uint64
	// QueueFull found no room in the queue.
	QueueFull uint64
	// TooLong did not fit the MTU, or the memory they were to be read into.
	TooLong uint64
	// LinkDown arrived while the port's link was down.
	LinkDown uint64
	// BadOffload had metadata that contradicts the frame, and could not be
	// completed or segmented for this port.
	BadOffload uint64
	// Closed arrived at, or waited in, a port that was closed or gone.
	Closed uint64
}

// Dropped returns how many frames were dropped for any reason.
func (t PortStats) Dropped() uint64 {
	return t.Lost + t.QueueFull + t.TooLong + t.LinkDown + t.BadOffload + t.Closed
}

// Stats returns the port's counters.
func (p *Port) Stats() PortStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.stats
	for i := range p.queues {
		t.Waiting += uint64(p.queues[i].n)
	}
	return t
}

func (p *Port) count(f func(*PortStats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.stats)
}
