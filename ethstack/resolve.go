package ethstack

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ethlink/ethlink/arp"
)

// Pending is something that waits for the hardware address of its next hop.
// Exactly one of its methods is called, once.
type Pending interface {
	// Resolved tells the address to send to. It is called on a goroutine of
	// the Interface with no lock held, and must have written to the device
	// when it returns, so that later packets stay behind this one.
	Resolved(to HardwareAddr)
	// Dropped tells that there is no address. It is called on a goroutine of
	// the Interface with no lock held; only with [arp.DropClosed] and
	// [arp.DropPendingFull] it may come before Resolve returns.
	Dropped(reason arp.DropReason)
}

// resolver runs one arp.Handler: it decides under mu, and acts after
// releasing it. What is to be done goes through one first-in first-out queue
// that one goroutine at a time empties: a reader that has just taken in an
// ARP packet, or the timer's. Never a caller of Resolve or Lookup, because it
// may hold locks of the network stack.
type resolver struct {
	i     *Interface
	clock Clock
	table table

	mu      sync.Mutex
	idle    sync.Cond // signalled when running ends
	h       *arp.Handler[Pending]
	todo    []*actions // todo[next:] is still to be done
	next    int
	spare   []*actions
	running bool
	closed  bool
	usable  usable
	claims  map[netip.Addr][]*claim
	lost    map[netip.Addr]bool // given up to another host, though the host may still have it
	timer   Timer
	armed   time.Duration // when timer will fire; never if negative

	// packet is the frame under construction, for whoever is running.
	packet [minFrameLen]byte
	frames [1]Frame
	bufs   [1][]byte
}

type actions = arp.Actions[Pending]

const never = time.Duration(-1)

func newResolver(i *Interface, c arp.Config, clock Clock) (*resolver, error) {
	h, err := arp.New[Pending](c)
	if err != nil {
		return nil, err
	}
	r := &resolver{i: i, clock: clock, h: h, armed: never, usable: usable{link: true, enabled: true}}
	r.claims, r.lost = map[netip.Addr][]*claim{}, map[netip.Addr]bool{}
	r.idle.L = &r.mu
	r.table.init()
	return r, nil
}

// begin locks r and returns empty actions for the handler to fill in.
func (r *resolver) begin() *actions {
	r.mu.Lock()
	if n := len(r.spare); n > 0 {
		a := r.spare[n-1]
		r.spare = r.spare[:n-1]
		return a
	}
	return new(actions)
}

// end applies the table updates of a, and what its events mean for our
// addresses, queues the rest, and unlocks. It
// reports whether there is something to run.
func (r *resolver) end(a *actions) bool {
	for _, u := range a.Updates {
		if u.Addr.Is4() {
			r.table.set(tableKey(u.Addr.As4()), u.HardwareAddr, u.Stale)
		}
	}
	a.Updates = a.Updates[:0]
	for _, e := range a.Events {
		r.settle(e)
	}
	if r.i.onEvent == nil {
		a.Events = a.Events[:0]
	}
	if a.Empty() {
		r.recycle(a)
	} else {
		r.todo = append(r.todo, a)
	}
	work := r.next < len(r.todo)
	r.mu.Unlock()
	return work
}

const (
	// maxSpare is how many Actions are kept for reuse.
	maxSpare = 16
	// maxTodo bounds how much may wait to be done for packets to send and ARP
	// packets received, which can come faster than it gets done.
	maxTodo = 1024
	// maxRun is how much of it one call of run does, so that a reader gets back
	// to reading although others go on adding.
	maxRun = 256
)

// busy reports whether so much waits to be done that nothing may be added.
func (r *resolver) busy(limit int) bool { return len(r.todo)-r.next >= limit }

func (r *resolver) recycle(a *actions) {
	a.Reset()
	if len(r.spare) < maxSpare {
		r.spare = append(r.spare, a)
	}
}

// schedule makes the timer fire when there is something to do: at once, or
// when the handler next wants its Tick. Callers hold mu.
func (r *resolver) schedule() {
	if r.closed {
		return
	}
	now, at := r.clock.Now(), never
	if d, ok := r.h.NextDeadline(); ok {
		at = max(d, now)
	}
	if r.next < len(r.todo) && !r.running {
		at = now
	}
	// An earlier wake-up that is already set costs one look at nothing.
	if at == never || r.armed != never && r.armed <= at {
		return
	}
	r.armed = at
	if r.timer == nil {
		r.timer = r.clock.AfterFunc(at-now, r.wake)
	} else {
		r.timer.Reset(at - now)
	}
}

// wake is the timer's function.
func (r *resolver) wake() {
	a := r.begin()
	r.armed = never
	if !r.closed {
		r.h.Tick(r.clock.Now(), a)
	}
	r.end(a)
	r.run()
}

// run does what is queued, unless somebody else is at it, and sets the timer
// for what comes next. No lock may be held.
func (r *resolver) run() {
	r.mu.Lock()
	if r.running {
		// The handler's times go on, however long that takes.
		r.schedule()
		r.mu.Unlock()
		return
	}
	r.running = true
	for n := 0; n < maxRun && r.next < len(r.todo); n++ {
		a := r.todo[r.next]
		r.todo[r.next] = nil
		r.next++
		switch {
		case r.next == len(r.todo):
			r.todo, r.next = r.todo[:0], 0
		case r.next >= maxTodo:
			r.todo, r.next = slices.Delete(r.todo, 0, r.next), 0
		}
		r.mu.Unlock()
		r.perform(a)
		r.finish(a)
		r.mu.Lock()
	}
	r.running = false
	r.schedule()
	r.idle.Broadcast()
	r.mu.Unlock()
}

// input takes in one ARP packet and answers it at once. It reports false if too
// much waits to be done already.
func (r *resolver) input(p arp.Packet, m arp.Meta) bool {
	limit := maxTodo
	if p.Operation == arp.OperationRequest {
		limit /= 2 // a flood of questions must leave room for answers
	}
	a := r.begin()
	if r.busy(limit) {
		r.end(a)
		return false
	}
	now := r.clock.Now()
	res := r.h.Input(now, p, m, a)
	work := r.end(a)
	r.i.stats.arpIn[res].Add(1)
	if res == arp.InputConflict {
		r.i.stats.arpConflicts.Add(1)
	}
	if work {
		r.run()
	} else {
		r.reschedule()
	}
	return true
}

func (r *resolver) reschedule() {
	r.mu.Lock()
	r.schedule()
	r.mu.Unlock()
}

// kick leaves what was queued to the timer's goroutine.
func (r *resolver) kick(a *actions) {
	r.end(a)
	r.reschedule()
}

// close drops what is pending and waits for what is being done.
func (r *resolver) close() {
	a := r.begin()
	if !r.closed {
		r.closed = true
		if r.timer != nil {
			r.timer.Stop()
		}
		r.h.Close(a)
		for addr := range r.claims {
			r.endClaims(addr, claimError(addr, ErrDisconnected))
		}
	}
	_, more := r.h.NextDeadline()
	r.end(a)
	for more { // many neighbors are forgotten in steps
		a := r.begin()
		r.h.Tick(r.clock.Now(), a)
		_, more = r.h.NextDeadline()
		r.end(a)
	}
	for r.pending() {
		r.run()
	}
}

// pending waits for what is being done, and reports whether more is queued.
func (r *resolver) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.running {
		r.idle.Wait()
	}
	return r.next < len(r.todo)
}

func tableKey(a [4]byte) uint32 {
	return uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
}
