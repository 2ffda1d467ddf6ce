package arp

import (
	"errors"
	"time"
)

// ErrNoARP: what was asked for needs ARP, and [Config.NoARP] is set.
var ErrNoARP = errors.New("ARP is off (Config.NoARP)")

// silent reports whether nothing may be said about our addresses.
func (h *Handler[P]) silent() bool { return h.down || h.closed || h.c.NoARP }

// former is the hardware address that we had before, and when we got the
// present one.
type former struct {
	hw      HardwareAddr
	changed time.Duration
}

// echoTime is for how long after a change packets with our former hardware
// address may still come back to us: longer than any queue in a network holds
// them.
const echoTime = time.Second

// isEcho reports whether hw was ours until a moment ago.
func (h *Handler[P]) isEcho(now time.Duration, hw HardwareAddr) bool {
	return hw == h.former.hw && now-h.former.changed < echoTime
}

// SetHardwareAddr changes our own hardware address, announces our addresses
// anew, and begins the claims that are under way again.
func (h *Handler[P]) SetHardwareAddr(now time.Duration, hw HardwareAddr, a *Actions[P]) {
	if hw != h.hw {
		h.former = former{hw: h.hw, changed: now}
	}
	h.hw = hw
	h.announceAll(now, a)
}

// LinkDown forgets all neighbors but the static ones, as Flush does: nobody
// knows who will be there when the link comes up again. Claims wait.
func (h *Handler[P]) LinkDown(now time.Duration, a *Actions[P]) {
	h.down = true
	h.own.clear()
	h.proxied = h.proxied[:0]
	h.Flush(now, a)
}

// LinkUp announces our addresses, begins claims again, and asks anew for what
// is waited for.
func (h *Handler[P]) LinkUp(now time.Duration, a *Actions[P]) {
	h.down = false
	h.announceAll(now, a)
	var waiting []*entry[P]
	for _, l := range []*list[P]{&h.unasked, &h.asking, &h.failed} {
		for e := l.first; e != nil; e = e.next {
			waiting = append(waiting, e)
		}
	}
	for _, e := range waiting {
		switch {
		case e.state == Incomplete && e.waiting():
			h.begin(now, e, a)
		case e.state == Failed:
			h.remove(now, e, DropFlushed, a)
		}
	}
}

// maxFlush bounds how many neighbors one Flush or Close forgets. Tick sees to the
// others, so that a million of them keeps nobody waiting.
const maxFlush = 4096

// Flush forgets all neighbors but the static ones, and drops what waits for
// them. Those beyond the first 4096 are forgotten by the next calls of Tick,
// which are due at once.
func (h *Handler[P]) Flush(now time.Duration, a *Actions[P]) {
	h.flushing, h.polling = h.all(), nil
	h.flushSome(now, maxFlush, a)
}

// Reverify announces our addresses, and probes the neighbors that are in use,
// because the link may lead elsewhere now. Of many it leaves most to Tick.
func (h *Handler[P]) Reverify(now time.Duration, a *Actions[P]) {
	h.announceAll(now, a)
	h.polling = h.all()
	h.pollSome(now, maxTick, a)
}

func (c *cache[P]) sweeping() bool { return len(c.flushing)+len(c.polling) > 0 }

// sweep goes on with what Flush, Close and Reverify have left.
func (h *Handler[P]) sweep(now time.Duration, a *Actions[P]) {
	h.flushSome(now, maxTick, a)
	h.pollSome(now, maxTick, a)
}

func (h *Handler[P]) flushSome(now time.Duration, n int, a *Actions[P]) {
	for _, e := range h.take(&h.flushing, n) {
		switch {
		case !h.has(e):
		case h.closed:
			h.dropAll(e, DropClosed, a)
			h.closeWindow(now, e)
			h.erase(e, a)
		case e.state != Static:
			h.remove(now, e, DropFlushed, a)
		}
	}
}

func (h *Handler[P]) pollSome(now time.Duration, n int, a *Actions[P]) {
	for _, e := range h.take(&h.polling, n) {
		if !h.has(e) || e.state != Reachable && e.state != Delay && e.state != Probe {
			continue
		}
		e.tries = 0
		if e.state != Probe {
			h.change(e, Probe, a)
		}
		// Tick sends the probes, a bounded number at a time.
		h.schedule(e, now)
	}
}

// take takes up to n entries from what is left of a sweep.
func (c *cache[P]) take(left *[]*entry[P], n int) []*entry[P] {
	n = min(n, len(*left))
	some := (*left)[:n]
	if *left = (*left)[n:]; len(*left) == 0 {
		*left = nil
	}
	return some
}

// has reports whether e has not been forgotten.
func (c *cache[P]) has(e *entry[P]) bool { return c.entries[e.key] == e }
