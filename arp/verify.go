package arp

import "time"

// A fail-over and a forgery are the same bytes: a packet that says a neighbor's
// address belongs to other hardware now. So such a challenge opens a window, in
// which the neighbor is asked, at the address that we have, if it is still
// there; packets go on being sent to it. If anything comes from it, the challenge
// is rejected; if nothing does, it is right.
//
// Who can keep the neighbor from answering is not kept out by this.

// window is a challenge that is being verified. Their number is bounded, so that
// a flood of challenges makes no flood of probes, and none is ever allocated.
type window struct {
	rival  HardwareAddr
	probes int
	resume time.Duration // the entry's deadline, which the window's replaces
}

const (
	// verifyProbes is how many unicast requests a neighbor gets to answer.
	verifyProbes = 2
	// maxWindows bounds how many are open at a time.
	maxWindows = 64
)

func newWindows() []*window {
	all, list := new([maxWindows]window), make([]*window, maxWindows)
	for k := range all {
		list[k] = &all[k]
	}
	return list
}

// challenge takes in that e, which has an address, is said to have another; solicited
// by an answer to a request of ours of a moment ago.
func (h *Handler[P]) challenge(now time.Duration, e *entry[P], rival HardwareAddr, solicited bool, a *Actions[P]) {
	n := len(h.windows)
	locked := now-e.decided < h.c.LockTime
	if solicited && e.state != Reachable {
		locked = false // the first was none that we had asked for
	}
	switch {
	case locked, e.window != nil:
		// Linux, locktime: the first answer wins.
	case h.c.AcceptImmediately:
		h.settle(now, e, rival, Stale, a)
	case n > 0:
		e.window, h.windows = h.windows[n-1], h.windows[:n-1]
		*e.window = window{rival: rival, resume: e.deadline}
		h.verify(now, e, a)
	}
}

// verify asks the neighbor once more, or takes its silence for an answer.
func (h *Handler[P]) verify(now time.Duration, e *entry[P], a *Actions[P]) {
	w := e.window
	if w.probes == verifyProbes {
		rival := w.rival
		h.closeWindow(now, e)
		h.settle(now, e, rival, Stale, a)
		return
	}
	if h.destination(e.hw, e.source) == Broadcast && h.mustWait(now, e) {
		h.setDeadline(e, e.requested+h.c.RequestInterval)
		return
	}
	w.probes++
	h.sendRequest(now, e, e.hw, a)
	h.setDeadline(e, now+h.c.VerifyTime/verifyProbes)
}

// reject ends the window of e, whose neighbor is there.
func (h *Handler[P]) reject(now time.Duration, e *entry[P], a *Actions[P]) {
	a.add(Event{Kind: EventRejected, Addr: e.addr(), HardwareAddr: e.window.rival, Old: e.hw, State: e.state})
	e.decided = now
	h.closeWindow(now, e)
}

// closeWindow gives e its own deadline back.
func (h *Handler[P]) closeWindow(now time.Duration, e *entry[P]) {
	if w := e.window; w != nil {
		h.windows = append(h.windows, w)
		e.window = nil
		h.setDeadline(e, max(now, w.resume))
	}
}

// schedule sets the deadline of e, or the one that it goes back to.
func (h *Handler[P]) schedule(e *entry[P], at time.Duration) {
	if e.window != nil {
		e.window.resume = at
		return
	}
	h.setDeadline(e, at)
}
