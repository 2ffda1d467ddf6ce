package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// An Outcome says what came of a check.
type Outcome uint8

const (
	// Passed: the endpoint does what is asked.
	Passed Outcome = iota
	// Failed: it does not.
	Failed
	// NotApplicable: the subject cannot be asked this.
	NotApplicable
)

func (o Outcome) String() string {
	switch o {
	case Passed:
		return "pass"
	case Failed:
		return "FAIL"
	case NotApplicable:
		return "n/a"
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// A Result is what came of one check.
type Result struct {
	// Name is that of the requirement, the document and the check:
	// R17_RFC894_padding_zero.
	Name string
	// Clause is where it is asked: RFC 1122 §2.3.3.
	Clause string
	// Level is how much it is asked.
	Level Level
	// Asks is what is asked, in one sentence.
	Asks string
	// Outcome is what came of it.
	Outcome Outcome
	// Details say what was wrong, or why the check was not applicable.
	Details []string
	// Elapsed is how long the check took in real time.
	Elapsed time.Duration
}

// A Report is the results of all checks, in the order of the standards.
type Report []Result

// With returns the results that have the outcome.
func (r Report) With(o Outcome) (list Report) {
	for _, x := range r {
		if x.Outcome == o {
			list = append(list, x)
		}
	}
	return list
}

// String returns the report as a table, one line for each check, with the
// details of what failed below it.
func (r Report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, x := range r {
		fmt.Fprintf(w, "%v\t%s\t%s\t%v\t%s\n", x.Outcome, x.Name, x.Clause, x.Level, x.Asks)
	}
	w.Flush()
	for _, o := range []Outcome{Failed, NotApplicable} {
		for _, x := range r.With(o) {
			fmt.Fprintf(&b, "\n%v  %s\n", o, x.Name)
			for _, d := range x.Details {
				fmt.Fprintf(&b, "      %s\n", d)
			}
		}
	}
	fmt.Fprintf(&b, "\n%d checks: %d passed, %d failed, %d not applicable\n",
		len(r), len(r.With(Passed)), len(r.With(Failed)), len(r.With(NotApplicable)))
	return b.String()
}

const (
	// patient is how long Run waits for what must come: nothing shall depend on
	// how fast a machine is.
	patient = 10 * time.Second
	// impatient is how long Collect does, which has to wait in vain.
	impatient = 1500 * time.Millisecond
)

// Run runs all checks, each as a subtest that fails if the endpoint does not do
// what is asked, whatever the level. A check that is not applicable is logged.
func Run(t *testing.T, f Factory) (report Report) {
	for _, c := range checks() {
		t.Run(c.fullName(), func(t *testing.T) {
			r := c.try(f, patient)
			report = append(report, r)
			switch r.Outcome {
			case Failed:
				t.Errorf("%s, %v: %s\n%s", r.Clause, r.Level, r.Asks, strings.Join(r.Details, "\n"))
			case NotApplicable:
				t.Logf("%s: not applicable: %s", r.Clause, strings.Join(r.Details, "\n"))
			}
		})
	}
	return report
}

// Collect runs the checks that are named, or all if none is, as [Run] does, but
// fails no test: for a look at an endpoint that is known not to pass. An
// endpoint that hangs does not hang Collect. But a panic on a goroutine of the
// endpoint's, or of the stack's, ends the program: for an endpoint that does
// so, collect one check at a time, each in a process of its own.
func Collect(f Factory, names ...string) (report Report) {
	for _, c := range checks() {
		if len(names) == 0 || slices.Contains(names, c.fullName()) {
			report = append(report, c.try(f, impatient))
		}
	}
	return report
}

// Names returns the names of all checks, in the order in which they are run.
func Names() (list []string) {
	for _, c := range checks() {
		list = append(list, c.fullName())
	}
	return list
}
