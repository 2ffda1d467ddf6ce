package runner

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// output is what a test binary writes: with subtests of subtests, what they log,
// and a line that only looks like a result.
const output = `=== RUN   TestOne
=== RUN   TestOne/v4
=== RUN   TestOne/v4/unicast
=== PAUSE TestOne/v4/unicast
    one_test.go:10: want --- PASS: TestNot (0.00s)
--- PASS: TestNot
--- FAIL: TestOne (1.25s)
    --- FAIL: TestOne/v4 (1.00s)
        --- PASS: TestOne/v4/unicast (0.50s)
        --- FAIL: TestOne/v4/multicast#01 (0.50s)
    --- SKIP: TestOne/v6 (0.00s)
        one_test.go:20: not there
--- PASS: TestTwo (10.00s)
--- FAIL: TestThree (0.00s)
FAIL
`

func TestParseOutput(t *testing.T) {
	got, failed := parseOutput(output)
	if want := (Counts{Pass: 2, Fail: 4, Skip: 1}); got != want {
		t.Errorf("counts %v, want %v", got, want)
	}
	if diff := cmp.Diff([]string{"TestOne/v4/multicast#01", "TestThree"}, failed); diff != "" {
		t.Errorf("what failed (-want +got):\n%s", diff)
	}
	if got, failed := parseOutput("flag provided but not defined\n"); got != (Counts{}) || failed != nil {
		t.Errorf("of no result: counts %v, failed %v", got, failed)
	}
}

func TestLastLines(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"a", "a"},
		{"a\nb\n", "a\nb"},
		{"a\nb\nc\n\n", "b\nc"},
	} {
		if got := lastLines(tt.text, 2); got != tt.want {
			t.Errorf("of %q: %q, want %q", tt.text, got, tt.want)
		}
	}
}
