package runner

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"
)

//go:embed expected.txt
var expected string

// DefaultSettle is the pause before each socket call that the results are
// expected with. Some tests send frames and make a call at once that is to find
// them received, which none but a synchronous link layer promises: without a
// pause tcp_rcv_buf_space fails at times on every link layer, and more often on
// a busy machine.
const DefaultSettle = 3 * time.Millisecond

// A Test is one of the suite's test binaries, with what is expected of it.
type Test struct {
	// Name is that of upstream's file, without _test.go: "tcp_info".
	Name string
	// Devices is how many devices under test it needs at the same time.
	Devices int
	// Limit is how long it may take.
	Limit time.Duration
	// Want is what a netstack gives.
	Want Outcome
}

// An Outcome is what a test binary that ran gave.
type Outcome struct {
	// Passed: its exit status was 0.
	Passed bool
	Counts Counts
}

// Counts says how many tests and subtests of a binary passed, failed and were
// skipped. A test that has subtests counts, too.
type Counts struct{ Pass, Fail, Skip int }

// String returns the counts as "3/0/0".
func (c Counts) String() string { return fmt.Sprintf("%d/%d/%d", c.Pass, c.Fail, c.Skip) }

// Tests returns the whole suite, sorted by name.
func Tests() ([]Test, error) { return parseTests(expected) }

// parseTests reads a table of tests: one a line, # begins a comment.
func parseTests(table string) ([]Test, error) {
	var tests []Test
	n := 0
	for line := range strings.Lines(table) {
		n++
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		t, err := parseTest(line)
		if err == nil && len(tests) > 0 && t.Name <= tests[len(tests)-1].Name {
			err = fmt.Errorf("it follows %s: want the names sorted, each once", tests[len(tests)-1].Name)
		}
		if err != nil {
			return nil, fmt.Errorf("table of expected results, line %d, %q: %w", n, strings.TrimSpace(line), err)
		}
		tests = append(tests, t)
	}
	return tests, nil
}

func parseTest(line string) (t Test, err error) {
	const fields = 7
	var limit, result string
	if n := len(strings.Fields(line)); n != fields {
		return t, fmt.Errorf("%d fields, want %d: test, devices, limit, result, pass, fail, skip", n, fields)
	}
	c := &t.Want.Counts
	if _, err := fmt.Sscan(line, &t.Name, &t.Devices, &limit, &result, &c.Pass, &c.Fail, &c.Skip); err != nil {
		return t, err
	}
	t.Want.Passed = result == "pass"
	if t.Limit, err = time.ParseDuration(limit); err != nil {
		return t, err
	}
	switch {
	case result != "pass" && result != "fail":
		return t, fmt.Errorf("result %q: want pass or fail", result)
	case t.Devices < 1:
		return t, fmt.Errorf("%d devices: want at least 1", t.Devices)
	case t.Limit <= 0:
		return t, fmt.Errorf("limit %v: want more than 0", t.Limit)
	case t.Want.Passed != (c.Fail == 0) || *c == (Counts{}):
		return t, errors.New("the counts contradict the result")
	}
	return t, nil
}
