package runner

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const tableWidth = 72

func writeRow(w io.Writer, name, result, counts, took, note string) {
	row := fmt.Sprintf("%-34s %-5s %14s %8s  %s", name, result, counts, took, note)
	fmt.Fprintln(w, strings.TrimRight(row, " "))
}

// WriteHeader begins a table of results for a person to read.
func WriteHeader(w io.Writer) {
	writeRow(w, "test", "", "pass/fail/skip", "seconds", "")
	fmt.Fprintln(w, strings.Repeat("-", tableWidth))
}

// WriteRow writes a result's row of the table.
func WriteRow(w io.Writer, r Result) {
	status, counts, took := "pass", r.Got.Counts.String(), fmt.Sprintf("%.1f", r.Took.Seconds())
	note := ""
	switch {
	case r.NotRun != "":
		status, counts, took, note = "-", "", "", "not run"
	case r.Err != nil:
		status, counts = "ERROR", ""
	case !r.Got.Passed:
		status, note = "fail", "as upstream expects of netstack"
	}
	if r.Difference() != "" {
		status, note = strings.ToUpper(status), "UNEXPECTED"
	}
	writeRow(w, r.Test.Name, status, counts, took, note)
}

// WriteSummary ends the table: it tells of what is not as expected, and adds the
// results up.
func WriteSummary(w io.Writer, results []Result, took time.Duration) {
	s := Summarize(results)
	fmt.Fprintln(w, strings.Repeat("-", tableWidth))
	fmt.Fprintf(w, "%d pass, %d fail", s.Pass, s.Fail)
	if s.NoResult > 0 {
		fmt.Fprintf(w, ", %d without a result", s.NoResult)
	}
	if s.NotRun > 0 {
		fmt.Fprintf(w, ", %d not run", s.NotRun)
	}
	fmt.Fprintf(w, "; of their tests and subtests %d pass, %d fail, %d are skipped; %.0f s\n",
		s.Counts.Pass, s.Counts.Fail, s.Counts.Skip, took.Seconds())
	if s.Different == 0 {
		fmt.Fprintln(w, "Nothing differs from what is expected.")
		return
	}
	fmt.Fprintf(w, "\nNot as expected: %d\n", s.Different)
	for _, r := range results {
		if d := r.Difference(); d != "" {
			fmt.Fprintf(w, "\n%s: %s\n", r.Test.Name, d)
			writeIndented(w, lastLines(r.Output, 20))
		}
	}
}

func writeIndented(w io.Writer, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(w, "    %s\n", strings.TrimRight(line, "\r\n"))
	}
}

// WriteOutput writes all that a test and its devices under test said.
func WriteOutput(w io.Writer, r Result) {
	if r.Output != "" {
		fmt.Fprintf(w, "%s said:\n", r.Test.Name)
		writeIndented(w, r.Output)
	}
	if r.Trace != "" {
		fmt.Fprintln(w, "its devices under test said:")
		writeIndented(w, r.Trace)
	}
}
