package arp

import "time"

// limiter spaces events so that there are at most so many a second, with
// bursts of a tenth of that (the generic cell rate algorithm).
type limiter struct {
	interval time.Duration
	next     time.Duration // when the next one would be due without bursts
}

const burst = time.Second / 10

func newLimiter(perSecond int) limiter {
	return limiter{interval: time.Second / time.Duration(perSecond), next: longAgo}
}

// due returns when there is a place, which may be in the past.
func (l *limiter) due() time.Duration { return l.next - burst }

// allow takes a place if there is one now.
func (l *limiter) allow(now time.Duration) bool {
	if l.due() > now {
		return false
	}
	l.next = max(l.next, now) + l.interval
	return true
}

// budgets bounds how many entries one hardware address may add in a second by
// asking for us. Two addresses that share a place share what it has.
type budgets [64]budget

type budget struct {
	second time.Duration
	left   int
}

// maxLearned is what a router that answers for a network, or a machine with
// many containers, stays below.
const maxLearned = 64

func (b *budgets) spend(now time.Duration, hw HardwareAddr) bool {
	sum := uint32(2166136261) // FNV-1a
	for _, x := range hw {
		sum = (sum ^ uint32(x)) * 16777619
	}
	p := &b[sum%uint32(len(b))]
	if second := now.Truncate(time.Second) + 1; p.second != second {
		*p = budget{second: second, left: maxLearned}
	}
	if p.left == 0 {
		return false
	}
	p.left--
	return true
}
