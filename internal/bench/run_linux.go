package bench

import (
	"fmt"
	"io"
	"path/filepath"
)

// Run measures what the options say. What fails is among the results; the error
// is about the options. The network namespace of the process must be one of its
// own, as netns.Run makes it, and its program calls RunWorker first.
func Run(o Options) (*Results, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	r := &runner{o: o, r: &Results{Machine: machine(), Options: o}, skipped: map[string]bool{}}
	for n := range o.Rounds {
		r.round(n)
	}
	return r.r, nil
}

// A runner runs all rounds.
type runner struct {
	o Options
	r *Results
	// skipped are the subjects that are not to be had here, pairs those that
	// are at work in this round.
	skipped map[string]bool
	pairs   map[string]*pair
}

// round runs each test once with each subject.
func (r *runner) round(n int) {
	r.pairs = map[string]*pair{}
	defer func() {
		for _, p := range r.pairs {
			p.close()
		}
	}()
	if n == 0 {
		fmt.Fprintln(r.o.Progress, "comparing the SHA-256 of what is sent and what arrives")
		for _, s := range r.o.Subjects {
			r.hash(s)
		}
	}
	for _, t := range r.o.Tests {
		for i := range r.o.Subjects {
			s := r.o.Subjects[(i+n)%len(r.o.Subjects)]
			x := r.one(n, s, t)
			r.r.add(s, t, x)
			if !x.missing() {
				fmt.Fprintf(r.o.Progress, "round %d of %d: %s: %s: %s\n", n+1, r.o.Rounds, t.Name, s.Name, valueOf(t, x))
			}
		}
	}
}

// pair returns the subject at work, or nil if it cannot be had.
func (r *runner) pair(s Subject) *pair {
	if p := r.pairs[s.Name]; p != nil || r.skipped[s.Name] {
		return p
	}
	p, err := openPair(s)
	if err != nil {
		r.skipped[s.Name] = true
		r.problem("%s is left out: %v", s.Name, err)
		return nil
	}
	for _, note := range p.notes {
		r.problem("%s", note)
	}
	r.pairs[s.Name] = p
	return p
}

func (r *runner) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.r.problem(text)
	fmt.Fprintln(r.o.Progress, text)
}

// drop ends a subject in which something failed: the next test gets a new one.
func (r *runner) drop(s Subject) {
	r.pairs[s.Name].close()
	delete(r.pairs, s.Name)
}

func (r *runner) hash(s Subject) {
	for _, t := range hashTests(r.o.Duration) {
		p := r.pair(s)
		if p == nil || t.IPv6 && p.noIPv6 != "" {
			continue
		}
		if err := p.hash(t); err != nil {
			r.problem("%s failed with %s: %v", t.Name, s.Name, err)
			r.drop(s)
		}
	}
}

func (r *runner) one(n int, s Subject, t Test) Sample {
	p := r.pair(s)
	if p == nil {
		return noSample
	}
	profile := ""
	if n == 0 && r.o.Profiles != "" {
		profile = filepath.Join(r.o.Profiles, s.Name+"."+t.Name+".pprof")
	}
	x, notes, err := p.measure(t, r.o.Duration, profile)
	if err != nil {
		r.problem("%s failed with %s: %v", t.Name, s.Name, err)
		r.drop(s)
	}
	for _, note := range notes {
		r.problem("%s with %s: %s", t.Name, s.Name, note)
	}
	return x
}
