package arp

import (
	"cmp"
	"slices"
	"time"
)

// proxied is an answer for another host's address (RFC 1027) that is to be sent
// after a random time, so that the host itself answers first if it is on this
// link after all.
type proxied struct {
	at      time.Duration
	request Packet
}

// maxProxied bounds how many wait (Linux, proxy_qlen).
const maxProxied = 64

// proxy takes in a request for an address that is behind us.
func (h *Handler[P]) proxy(now time.Duration, p Packet, m Meta, a *Actions[P]) InputResult {
	switch {
	case h.isHere(p):
		return InputIgnored
	case !m.Broadcast:
		// Who asks us alone knows that it is us who answers.
		h.reply(p, a)
		return InputAnswered
	case slices.ContainsFunc(h.proxied, func(x proxied) bool {
		return x.request.TargetAddr == p.TargetAddr && x.request.SenderHardwareAddr == p.SenderHardwareAddr
	}):
		return InputAnswered
	case len(h.proxied) == maxProxied:
		return InputLimited
	}
	x := proxied{at: now + h.between(0, h.c.ProxyDelay), request: p}
	i, _ := slices.BinarySearchFunc(h.proxied, x.at+1, func(y proxied, at time.Duration) int { return cmp.Compare(y.at, at) })
	h.proxied = slices.Insert(h.proxied, i, x)
	return InputAnswered
}

// isHere reports whether the target of a request has been heard of on this link,
// or is who asks. RFC 1027 §2.3: such are not answered for.
func (h *Handler[P]) isHere(p Packet) bool {
	e := h.find(p.TargetAddr)
	return e != nil && e.state.HasAddr() || p.SenderAddr == p.TargetAddr
}

// heard ends what is to be answered for the sender of a packet: it is on this
// link.
func (h *Handler[P]) heard(p Packet) {
	if len(h.proxied) > 0 {
		h.proxied = slices.DeleteFunc(h.proxied, func(x proxied) bool { return x.request.TargetAddr == p.SenderAddr })
	}
}

// answerProxied sends the answers that are due.
func (h *Handler[P]) answerProxied(now time.Duration, a *Actions[P]) {
	n := 0
	for ; n < len(h.proxied) && h.proxied[n].at <= now; n++ {
		if p := h.proxied[n].request; !h.isHere(p) {
			h.reply(p, a)
		}
	}
	h.proxied = slices.Delete(h.proxied, 0, n)
}
