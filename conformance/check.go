package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Level says how much a standard insists.
type Level uint8

const (
	// Must: what the standard requires.
	Must Level = iota
	// Should: what it recommends.
	Should
	// May: what it allows, and what is expected of a good endpoint.
	May
	// Policy: what no standard says, but practice (Linux, IEEE) does.
	Policy
)

func (l Level) String() string {
	switch l {
	case Must:
		return "MUST"
	case Should:
		return "SHOULD"
	case May:
		return "MAY"
	case Policy:
		return "policy"
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// A check is one sentence of a standard, and the test of it.
type check struct {
	requirement string // the number in the project's list of requirements
	clause      string // "RFC 1122 §2.3.3"
	name        string
	level       Level
	asks        string // what the clause asks, in one sentence
	// bare: the endpoint is tested without a stack.
	bare bool
	// reports: the stack tells of the groups that it joins.
	reports bool
	test    func(*trial)
}

// checks returns all of them. C is for the contract between netstack and its
// link endpoints, R for the standards.
func checks() []check {
	return slices.Concat(rfc826, rfc826Target, ieee8023, rfc894, ieee8021Q, rfc1042, addressing, rfc1122, rfc1122Broadcast,
		membership,
		rfc2464, rfc4861, fragmentation, forwarding, unconfigured, rfc5227, probing, neighbors, learning, attacks, contract, lowered, writing, checksums, rawSockets, superframes,
		rfc9293, lifecycle, faults)
}

// fullName is the name as a test's: R17_RFC894_padding_zero.
func (c *check) fullName() string {
	document, _, _ := strings.Cut(c.clause, " §")
	document, _, _ = strings.Cut(document, ",")
	return strings.Join([]string{c.requirement, strings.ReplaceAll(document, " ", ""), c.name}, "_")
}

// try runs the check on a subject of its own. Patience is how long it waits for
// what must come. An endpoint that does not return to its caller cannot be
// stopped: its goroutines are left behind.
func (c *check) try(f Factory, patience time.Duration) Result {
	limit := 10*time.Second + 5*patience
	r := Result{Name: c.fullName(), Clause: c.clause, Level: c.level, Asks: c.asks}
	done := make(chan *trial, 1)
	start := time.Now()
	t := &trial{patience: patience}
	go t.do(c, f, done)
	select {
	case <-done:
		r.Outcome, r.Details = t.outcome(), t.details
	case <-time.After(limit):
		r.Outcome, r.Details = Failed, []string{fmt.Sprintf("the check did not return within %v, and was left behind", limit)}
	}
	r.Elapsed = time.Since(start)
	return r
}
