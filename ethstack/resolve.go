package ethstack

import (
	"net/netip"
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
	// the Interface with no lock held; only with [arp.DropClosed] it may come
	// before Resolve returns.
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
	r := &resolver{i: i, clock: clock, h: h, armed: never}
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

// end applies the table updates of a, queues the rest, and unlocks. It
// reports whether there is something to run.
func (r *resolver) end(a *actions) bool {
	for _, u := range a.Updates {
		if u.Addr.Is4() {
			r.table.set(tableKey(u.Addr.As4()), u.HardwareAddr, u.Stale)
		}
	}
	a.Updates = a.Updates[:0]
	if a.Empty() {
		r.recycle(a)
	} else {
		r.todo = append(r.todo, a)
	}
	work := r.next < len(r.todo)
	r.mu.Unlock()
	return work
}

// maxSpare is how many Actions are kept for reuse.
const maxSpare = 16

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
		r.mu.Unlock()
		return
	}
	r.running = true
	for r.next < len(r.todo) {
		a := r.todo[r.next]
		r.todo[r.next] = nil
		r.next++
		if r.next == len(r.todo) {
			r.todo, r.next = r.todo[:0], 0
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

// perform does what a says. No lock is held.
func (r *resolver) perform(a *actions) {
	for _, s := range a.Send {
		r.send(s)
	}
	for _, x := range a.Release {
		x.P.Resolved(x.HardwareAddr)
	}
	for _, d := range a.Drop {
		r.i.stats.pending[d.Reason].Add(1)
		d.P.Dropped(d.Reason)
	}
	for _, e := range a.Events {
		if e.Kind == arp.EventConflict {
			r.i.stats.arpConflicts.Add(1)
		}
		if r.i.onEvent != nil {
			r.i.onEvent(e)
		}
	}
}

// finish tells the handler which next hops' packets have been sent, so that
// it can give the next ones, or publish the entry where none are left.
func (r *resolver) finish(a *actions) {
	var last uint64
	for _, x := range a.Release {
		if x.Batch != last {
			last = x.Batch
			b := r.begin()
			r.h.Drained(x.Batch, x.NextHop, b)
			r.end(b)
		}
	}
	r.mu.Lock()
	r.recycle(a)
	r.mu.Unlock()
}

// send transmits one ARP packet, if we are allowed to.
func (r *resolver) send(s arp.Send) {
	p := s.Packet
	if h := r.i.host; h != nil {
		if !h.Enabled() {
			r.i.Drop(DropDisabled)
			return
		}
	}
	if p.Operation == arp.OperationRequest && !p.IsAnnouncement() {
		if p.SenderAddr = r.source(p.TargetAddr, p.SenderAddr); !p.SenderAddr.IsValid() {
			// RFC 5227 §2.1: a request from 0.0.0.0 would be a probe.
			r.i.Drop(DropTxNoSource)
			return
		}
	}
	clear(r.packet[:]) // RFC 894: padding is zero
	Header{Destination: s.To, Source: p.SenderHardwareAddr, EtherType: EtherTypeARP}.
		Put((*[HeaderLen]byte)(r.packet[:]))
	p.Put((*[arp.PacketLen]byte)(r.packet[HeaderLen:]))
	r.bufs[0] = r.packet[:]
	r.frames[0] = Frame{Bufs: r.bufs[:]}
	if _, err := r.i.Write(0, r.frames[:]); err != nil {
		return
	}
	if p.Operation == arp.OperationRequest {
		r.i.stats.arpRequests.Add(1)
	} else {
		r.i.stats.arpReplies.Add(1)
	}
}

// source returns the sender address of a request: the preferred one if it is
// ours, or else another one of ours. An address that the host uses and that
// we had not known is announced from here on.
func (r *resolver) source(target, preferred netip.Addr) netip.Addr {
	r.mu.Lock()
	if r.h.HasAddress(preferred) && r.i.host == nil {
		r.mu.Unlock()
		return preferred
	}
	var first netip.Addr
	if own := r.h.Addresses(); len(own) > 0 {
		first = own[0]
	}
	r.mu.Unlock()
	if r.i.host == nil {
		return first
	}
	if r.i.isExplicit(preferred) {
		return preferred
	}
	src := r.i.host.SourceFor(target, preferred)
	if !src.IsValid() || src.IsUnspecified() {
		return first
	}
	r.learn(src, true)
	return src
}

// learn brings the handler's list in line with what the host says of addr: a
// new address of ours is announced, one that was taken away is forgotten.
func (r *resolver) learn(addr netip.Addr, ours bool) {
	a := r.begin()
	if r.h.HasAddress(addr) != ours {
		if ours {
			r.h.AddAddress(r.clock.Now(), addr, a)
		} else {
			r.h.RemoveAddress(addr)
		}
	}
	r.end(a)
}

// input takes in one ARP packet and answers it at once.
func (r *resolver) input(p arp.Packet, m arp.Meta) {
	a := r.begin()
	now := r.clock.Now()
	res := r.h.Input(now, p, m, a)
	work := r.end(a)
	r.i.stats.arpIn[res].Add(1)
	if work {
		r.run()
	} else {
		r.reschedule()
	}
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
	}
	r.end(a)
	r.run()
	r.mu.Lock()
	for r.running {
		r.idle.Wait()
	}
	r.mu.Unlock()
}

func tableKey(a [4]byte) uint32 {
	return uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
}
