package runner

import (
	"fmt"
	"strings"
	"time"
)

// A Result is what became of a test.
type Result struct {
	Test Test
	// Got is what the binary gave, unless there is an Err.
	Got Outcome
	// Failed lists the tests and subtests that failed.
	Failed []string
	// Err tells why the binary gave no result.
	Err error
	// NotRun is why the test was left out; empty if it was not.
	NotRun string
	// Output is what the binary said, and Trace what the devices under test did.
	Output, Trace string
	Took          time.Duration
}

// Difference says in what the result differs from what is expected; it is empty
// if it does not. A test that was left out differs in nothing.
func (r Result) Difference() string {
	want, got := r.Test.Want, r.Got
	switch {
	case r.NotRun != "":
		return ""
	case r.Err != nil:
		return r.Err.Error()
	case got.Passed && !want.Passed:
		return "passes, and is expected to fail, so " + r.counts()
	case !got.Passed && want.Passed:
		return "fails, " + r.counts()
	case got != want:
		return "other subtests: " + r.counts()
	}
	return ""
}

func (r Result) counts() string {
	s := fmt.Sprintf("pass/fail/skip %v, want %v", r.Got.Counts, r.Test.Want.Counts)
	if len(r.Failed) == 0 {
		return s
	}
	const enough = 5
	names := r.Failed[:min(enough, len(r.Failed))]
	s += "; failed: " + strings.Join(names, ", ")
	if more := len(r.Failed) - len(names); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// A Summary adds results up.
type Summary struct {
	// Pass and Fail count the tests that ran, NoResult those with an error.
	Pass, Fail, NoResult, NotRun int
	// Different counts the tests that are not as expected, those with an error
	// among them.
	Different int
	Counts    Counts
}

// Summarize adds results up.
func Summarize(results []Result) Summary {
	var s Summary
	for _, r := range results {
		switch {
		case r.NotRun != "":
			s.NotRun++
		case r.Err != nil:
			s.NoResult++
		case r.Got.Passed:
			s.Pass++
		default:
			s.Fail++
		}
		if r.Difference() != "" {
			s.Different++
		}
		s.Counts.Pass += r.Got.Counts.Pass
		s.Counts.Fail += r.Got.Counts.Fail
		s.Counts.Skip += r.Got.Counts.Skip
	}
	return s
}
