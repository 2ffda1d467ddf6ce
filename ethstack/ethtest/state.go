package ethtest

import (
	"sync"

	"github.com/ethlink/ethlink/ethstack"
)

// A notifier tells one function of changes of the link, one call at a time.
// It is guarded by its port's lock.
type notifier struct {
	f       func(ethstack.LinkState)
	changes []ethstack.LinkState // not told yet
	calling bool
	called  sync.Cond
}

// Notify sets the function that is told of the link's state, as
// [ethstack.Device] says. Changes are told from a timer of the segment's clock. A
// function other than nil must not be set from inside such a call.
func (p *Port) Notify(f func(ethstack.LinkState)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f == nil || p.closed {
		p.link.f, p.link.changes = nil, nil
		return
	}
	for p.link.calling {
		p.link.called.Wait()
	}
	p.link.f, p.link.changes = f, nil
	p.tellOne(f, p.state)
	if len(p.link.changes) > 0 {
		p.s.clock.AfterFunc(0, p.tell)
	}
}

// tellOne makes one call, without the lock.
func (p *Port) tellOne(f func(ethstack.LinkState), state ethstack.LinkState) {
	p.link.calling = true
	p.mu.Unlock()
	f(state)
	p.mu.Lock()
	p.link.calling = false
	p.link.called.Broadcast()
}

// tell tells all changes that have not been told.
func (p *Port) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Whoever is calling comes back to what has changed meanwhile.
	for !p.link.calling && len(p.link.changes) > 0 {
		state := p.link.changes[0]
		p.link.changes = p.link.changes[1:]
		p.tellOne(p.link.f, state)
	}
}

// SetLinkState changes the state of the port's link. While it is down, what is
// written goes nowhere, and what arrives is dropped. LinkGone is for good: Read
// and Write then fail with [ethstack.ErrDisconnected].
func (p *Port) SetLinkState(state ethstack.LinkState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.state == ethstack.LinkGone || p.state == state {
		return
	}
	p.state = state
	if state == ethstack.LinkGone {
		p.discard()
	}
	if p.link.f != nil {
		p.link.changes = append(p.link.changes, state)
		p.s.clock.AfterFunc(0, p.tell)
	}
}

// FailRead makes one call of Read, the next or one that waits, return err.
func (p *Port) FailRead(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readErr = err
	for i := range p.queues {
		p.queues[i].arrived.Signal()
	}
}

// FailWrite makes Write refuse the next frames, so many of them, with err.
func (p *Port) FailWrite(err error, frames int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writeErr, p.failWrites = err, frames
}

// Close takes the port off the segment, as [ethstack.Device] says.
func (p *Port) Close() error {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	p.link.f, p.link.changes = nil, nil
	p.discard()
	p.mu.Unlock()
	if !closed {
		p.s.remove(p)
	}
	return nil
}

// discard drops what waits to be read, and wakes who waits for more.
func (p *Port) discard() {
	for i := range p.queues {
		q := &p.queues[i]
		for q.n > 0 {
			p.s.drop(q.pop())
			p.stats.Closed++
		}
		q.arrived.Broadcast()
	}
}
