package bench

import (
	"fmt"
	"io"
	"time"
)

// Options say what Run measures.
type Options struct {
	Subjects []Subject
	Tests    []Test
	// Rounds is how often each test is run with each subject.
	Rounds int
	// Duration is how long a test is measured. Before that it runs for a
	// quarter of the time, for TCP to find its rate.
	Duration time.Duration
	// Progress is told what is being done; nil: nobody.
	Progress io.Writer
	// Profiles is the folder for a CPU profile of each subject in each test of
	// the first round; empty: none.
	Profiles string
}

// QuickTests are the patterns of a few tests that between them use everything.
const QuickTests = "tcp4-out-1,tcp6-in-4,udp4-out-64,udp4-in-1400,pingpong-*"

// Pick chooses subjects and tests by patterns with commas between them. An
// empty pattern for subjects means all but those that are tuned; expert adds
// the tuned form of the subjects that are chosen.
func (o *Options) Pick(subjects, tests string, expert bool) (err error) {
	if subjects == "" {
		subjects = "kernel,fdbased-tap,channel-tap,fdbased-packet,fdbased-packet-gso,ethlink-*"
	}
	all := Subjects()
	if o.Subjects, err = pick("subject", subjects, all, func(s Subject) string { return s.Name }); err != nil {
		return err
	}
	if expert {
		chosen := map[string]bool{}
		for _, s := range o.Subjects {
			chosen[s.Name], chosen[s.Name+expertSuffix] = true, true
		}
		o.Subjects = nil
		for _, s := range all {
			if chosen[s.Name] {
				o.Subjects = append(o.Subjects, s)
			}
		}
	}
	o.Tests, err = pick("test", tests, Tests(), func(t Test) string { return t.Name })
	return err
}

// The least that can be measured, and the most that makes sense.
const (
	minDuration = 10 * time.Millisecond
	maxDuration = time.Minute
	maxRounds   = 1000
)

func (o *Options) check() error {
	switch {
	case len(o.Subjects) == 0 || len(o.Tests) == 0:
		return fmt.Errorf("bench: %d subjects and %d tests: want some of each", len(o.Subjects), len(o.Tests))
	case o.Rounds < 1 || o.Rounds > maxRounds:
		return fmt.Errorf("bench: %d rounds: want 1 to %d", o.Rounds, maxRounds)
	case o.Duration < minDuration || o.Duration > maxDuration:
		return fmt.Errorf("bench: duration %v: want %v to %v", o.Duration, minDuration, maxDuration)
	}
	return nil
}
