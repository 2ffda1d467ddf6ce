package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var runMutants = flag.Bool("mutants", false, "build each defect of the table of mutants and run the test that has to find it: minutes")

// A mutant is a defect inside: one place of one file says something else. The
// module is built with it by go test -overlay, so that nothing is changed, and
// nothing in the module is there for these tests.
type mutant struct {
	name string
	// file is where it is, by its path in the module. The text old is in it
	// once, and is replaced by new.
	file, old, new string
	// caughtBy is the test that has to fail: its package and its name. A check
	// of the suite is TestOnSegment/check.
	caughtBy string
	// leaks: it has to pass, and to end with references to packets left over,
	// which its package's TestMain finds.
	leaks bool
}

// moduleRoot is where the module is, seen from here.
const moduleRoot = ".."

func (m *mutant) pkg() string {
	pkg, _, _ := strings.Cut(m.caughtBy, " ")
	return pkg
}

func (m *mutant) test() string {
	_, test, _ := strings.Cut(m.caughtBy, " ")
	return test
}

// TestMutants: each defect inside is caught by the test that is for it, which
// passes without. By default it only sees to it that the table is up to date:
// that there is what is to be replaced, and the test.
func TestMutants(t *testing.T) {
	for k := range mutants {
		m := &mutants[k]
		if _, err := m.source(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if err := m.findTest(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	if t.Failed() {
		return
	}
	if !*runMutants {
		t.Logf("all %d are where the table says: with -mutants each is built, and has to be caught", len(mutants))
		return
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("needs the go command: %v", err)
	}
	healthy(t)
	caught := make([]string, len(mutants))
	t.Run("each", func(t *testing.T) {
		for k := range mutants {
			m := &mutants[k]
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				start := time.Now()
				if err := m.isCaught(t.TempDir()); err != nil {
					t.Error(err)
					return
				}
				caught[k] = fmt.Sprintf("%s\t%s\t%.1f s", m.name, m.caughtBy, time.Since(start).Seconds())
			})
		}
	})
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, line := range caught {
		if line != "" {
			fmt.Fprintln(w, line)
		}
	}
	w.Flush()
	t.Logf("caught:\n%s", b.String())
}

// source returns the file with the defect in it.
func (m *mutant) source() ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(moduleRoot, filepath.FromSlash(m.file)))
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(text, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("the code has moved on: %s has this text %d times, want once:\n%s", m.file, n, m.old)
	}
	return bytes.Replace(text, []byte(m.old), []byte(m.new), 1), nil
}

// findTest says whether the test that has to fail is there.
func (m *mutant) findTest() error {
	name, check, _ := strings.Cut(m.test(), "/")
	if check != "" && !slices.Contains(Names(), check) {
		return fmt.Errorf("there is no check %s", check)
	}
	files, err := filepath.Glob(filepath.Join(moduleRoot, filepath.FromSlash(m.pkg()), "*_test.go"))
	if err != nil {
		return err
	}
	head := []byte("\nfunc " + name + "(t *testing.T) {")
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, head) {
			return nil
		}
	}
	return fmt.Errorf("package %s has no test %s", m.pkg(), name)
}

// healthy runs all the tests of the table on the code as it is.
func healthy(t *testing.T) {
	t.Helper()
	var names, pkgs []string
	for k := range mutants {
		name, _, _ := strings.Cut(mutants[k].test(), "/")
		names, pkgs = append(names, name), append(pkgs, "./"+mutants[k].pkg())
	}
	slices.Sort(pkgs)
	r, err := goTest("", "^("+strings.Join(names, "|")+")$", slices.Compact(pkgs)...)
	if err != nil {
		t.Fatal(err)
	}
	for k := range mutants {
		if m := &mutants[k]; r.outcome[m.caughtBy] != "pass" {
			t.Fatalf("without a defect, the outcome of %s is %q\n%s", m.caughtBy, r.outcome[m.caughtBy], r.output)
		}
	}
}

// isCaught builds the defect and runs its test.
func (m *mutant) isCaught(dir string) error {
	text, err := m.source()
	if err != nil {
		return err
	}
	original, err := filepath.Abs(filepath.Join(moduleRoot, filepath.FromSlash(m.file)))
	if err != nil {
		return err
	}
	file := filepath.Join(dir, path.Base(m.file))
	list, err := json.Marshal(map[string]map[string]string{"Replace": {original: file}})
	if err != nil {
		return err
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := errors.Join(os.WriteFile(file, text, 0o644), os.WriteFile(overlay, list, 0o644)); err != nil {
		return err
	}
	// Each level of a name is a pattern of its own.
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(m.test()), "/", "$/^") + "$"
	r, err := goTest(overlay, pattern, "./"+m.pkg())
	if err != nil {
		return err
	}
	got, want := r.outcome[m.caughtBy], "fail"
	if m.leaks {
		want = "pass"
	}
	if got != want || m.leaks && !strings.Contains(r.output, "references are still held") {
		return fmt.Errorf("the outcome of %s is %q, want %q\n%s", m.caughtBy, got, want, r.output)
	}
	return nil
}

// A testRun is what came of one run of go test.
type testRun struct {
	outcome map[string]string // by package and name of the test; "": it did not end
	output  string
}

// goTest runs tests. The error tells of what could not be built.
func goTest(overlay, pattern string, pkgs ...string) (testRun, error) {
	args := []string{"test", "-json", "-count=1", "-vet=off", "-timeout=2m", "-run=" + pattern}
	if overlay != "" {
		args = append(args, "-p=1", "-overlay="+overlay)
	}
	cmd := exec.Command("go", append(args, pkgs...)...)
	cmd.Dir = moduleRoot
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // a test that fails is an error, too
	r := testRun{outcome: map[string]string{}}
	var text strings.Builder
	for out := json.NewDecoder(&stdout); ; {
		var e struct{ Action, Package, Test, Output string }
		if out.Decode(&e) != nil {
			break
		}
		pkg := strings.TrimPrefix(e.Package, modulePath+"/")
		switch e.Action {
		case "build-output", "output":
			text.WriteString(e.Output)
		case "build-fail":
			return r, fmt.Errorf("it cannot be built:\n%s", text.String())
		case "pass", "fail", "skip":
			r.outcome[pkg+" "+e.Test] = e.Action
		}
	}
	r.output = text.String() + stderr.String()
	return r, nil
}
