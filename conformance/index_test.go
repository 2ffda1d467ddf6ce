package conformance_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ethlink/ethlink/conformance"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

var indexResults = flag.String("index.results", "", "what `file` go test -json has written: the index then says what came of each test")

// TestIndex makes the index of all requirements: which checks of the suite and
// which tests are about each, and what came of them. It fails if nothing is
// about one, if a check fails, or if the index is not the one in testdata; with
// -index.results also if a test that it names failed or was not run.
func TestIndex(t *testing.T) {
	nstest.CheckLeaks(t)
	x := index{checks: map[int]conformance.Report{}, tests: testsByRequirement(t)}
	report := conformance.Run(t, withCompanion)
	for _, r := range report.With(conformance.NotApplicable) {
		t.Errorf("%s was not applicable: %v", r.Name, r.Details)
	}
	for _, r := range report {
		number, _, _ := strings.Cut(r.Name, "_")
		if n, err := strconv.Atoi(strings.TrimPrefix(number, "R")); err == nil {
			x.checks[n] = append(x.checks[n], r)
		}
	}
	for n := range requirements {
		if len(x.checks[n+1])+len(x.tests[n+1]) == 0 {
			t.Errorf("nothing is about R%d: name it in the test that is", n+1)
		}
	}
	conformance.Golden(t, "index.md", x.String())
	if *indexResults != "" {
		x.read(t, *indexResults)
	}
	t.Logf("\n%s", x.String())
}

// An index tells what is about each requirement.
type index struct {
	checks  map[int]conformance.Report
	tests   map[int][]testFunc
	results map[string]string // of tests; nil: not known
}

// read takes in results of tests.
func (x *index) read(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	x.results = map[string]string{}
	for line := range bytes.Lines(text) {
		var e struct{ Action, Package, Test string }
		// Among the results is what the compiler says, which is none.
		if json.Unmarshal(line, &e) != nil || e.Test == "" || !slices.Contains([]string{"pass", "fail", "skip"}, e.Action) {
			continue
		}
		_, folder, _ := strings.Cut(e.Package, "ethlink/ethlink/")
		if key := folder + " " + e.Test; x.results[key] != "fail" {
			x.results[key] = e.Action
		}
	}
	for n := range requirements {
		for _, f := range x.tests[n+1] {
			if r := x.result(f); r != "pass" && r != "skip" {
				t.Errorf("R%d: %s in %s: %s", n+1, f.name, f.file, r)
			}
		}
	}
}

func (x *index) result(f testFunc) string {
	return cmp.Or(x.results[path.Dir(f.file)+" "+f.name], "not run")
}

// String returns the index as a table of Markdown, for a place two folders below
// the module's.
func (x *index) String() string {
	var b strings.Builder
	b.WriteString(`# What is asked, and what tests it

Made by ` + "`go test ./conformance -run Index -update`" + `. The checks are those of the suite, with what came of
them on our endpoint when this file was made; ` + "`go test ./conformance -run Index`" + ` runs them and fails if that
is not so any more. The tests are run by ` + "`go test ./...`" + `; what came of each is in the table that
` + "`go test -json ./... >results; go test ./conformance -run Index -v -args -index.results $PWD/results`" + ` prints.

| | What is asked | Standard or practice | Level | Checks of the suite | Tests |
|---|---|---|---|---|---|
`)
	for n, r := range requirements {
		var checks, tests []string
		for _, c := range x.checks[n+1] {
			checks = append(checks, fmt.Sprintf("%s: %v", c.Name, c.Outcome))
		}
		for _, f := range x.tests[n+1] {
			text := fmt.Sprintf("[%s.%s](../../%s)", path.Dir(f.file), f.name, f.file)
			if x.results != nil {
				text += ": " + x.result(f)
			}
			tests = append(tests, text)
		}
		fmt.Fprintf(&b, "| R%d | %s | %s | %v | %s | %s |\n", n+1, r.asks, r.clause, r.level,
			strings.Join(checks, "<br>"), strings.Join(tests, "<br>"))
	}
	return b.String()
}
