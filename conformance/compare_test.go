package conformance_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethlink/ethlink/conformance"
)

// compare runs checks on an endpoint that is known to fail some of them, and
// compares the list of these with a file.
func compare(t *testing.T, file string, f conformance.Factory, names ...string) (report conformance.Report) {
	t.Helper()
	if todo := os.Getenv(childChecks); todo != "" {
		child(strings.Split(todo, ","), f)
	}
	start := time.Now()
	report = collect(t, names)
	t.Logf("%v\n%v", time.Since(start).Round(time.Second/10), report)
	conformance.Golden(t, file, failures(report))
	return report
}

// inREADME fails the test unless the README's table has the numbers of a report
// on gVisor's endpoint.
func inREADME(t *testing.T, report conformance.Report) {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	row := fmt.Sprintf("| checks of `conformance.Run` that pass, of %d | %d | %d, and %d do not apply ",
		len(report), len(report), len(report.With(conformance.Passed)), len(report.With(conformance.NotApplicable)))
	if !bytes.Contains(readme, []byte(row)) {
		t.Errorf("README.md does not have the row\n%s", row)
	}
}

// failures lists what failed, and what was not applicable, with nothing that
// depends on time.
func failures(report conformance.Report) string {
	var b strings.Builder
	for _, o := range []conformance.Outcome{conformance.Failed, conformance.NotApplicable} {
		for _, r := range report.With(o) {
			fmt.Fprintf(&b, "%v  %s\n      %s, %v: %s\n", o, r.Name, r.Clause, r.Level, r.Asks)
		}
	}
	return cmp.Or(b.String(), "nothing\n")
}

// childChecks is set in the environment of a child: the checks that it runs.
const childChecks = "CONFORMANCE_CHECKS"

// child runs checks, writes their results, and ends.
func child(names []string, f conformance.Factory) {
	out := json.NewEncoder(os.Stdout)
	for _, name := range names {
		for _, r := range conformance.Collect(f, name) {
			out.Encode(r)
		}
	}
	os.Exit(0)
}

// collect is conformance.Collect in child processes, some at a time, since most
// of the time they wait in vain. A check that ends its process is one that
// failed, and another child goes on after it.
func collect(t *testing.T, names []string) (report conformance.Report) {
	t.Helper()
	const children = 4
	var parts [children]conformance.Report
	var running sync.WaitGroup
	for i := range parts {
		part := names[i*len(names)/children : (i+1)*len(names)/children]
		running.Go(func() {
			for len(part) > 0 {
				results, err := runChild(t.Name(), part)
				if err != nil && len(results) < len(part) {
					results = append(results, failed(part[len(results)], err))
				}
				if len(results) == 0 {
					return
				}
				parts[i] = append(parts[i], results...)
				part = part[len(results):]
			}
		})
	}
	running.Wait()
	for _, p := range parts {
		report = append(report, p...)
	}
	if len(report) != len(names) {
		t.Fatalf("%d results of %d checks", len(report), len(names))
	}
	return report
}

// failed is the result of a check that its process died of.
func failed(name string, err error) conformance.Result {
	// It is run on nothing, for what it asks.
	r := conformance.Collect(func() (*conformance.Subject, error) { return nil, err }, name)[0]
	r.Details = []string{err.Error()}
	return r
}

// runChild runs this test in a child for some checks. With an error, the process
// died of the check after those that there are results of.
func runChild(test string, names []string) (results []conformance.Result, err error) {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), childChecks+"="+strings.Join(names, ","))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// Each check is bounded, so this is for what nobody has thought of.
	watchdog := time.AfterFunc(3*time.Minute, func() { cmd.Process.Kill() })
	defer watchdog.Stop()
	if err = cmd.Wait(); err != nil {
		first, _, _ := strings.Cut(stderr.String(), "\n")
		err = errors.New("the process died: " + cmp.Or(first, err.Error()))
	}
	for out := json.NewDecoder(&stdout); ; {
		var r conformance.Result
		if out.Decode(&r) != nil {
			return results, err
		}
		results = append(results, r)
	}
}
