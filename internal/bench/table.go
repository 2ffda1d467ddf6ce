package bench

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// WriteTables writes the results as Markdown, with the command that they came
// from.
func (r *Results) WriteTables(w io.Writer, command string) error {
	var b strings.Builder
	m, o := r.Machine, r.Options
	fmt.Fprintf(&b, "%s, %d cores; %s; %s; gVisor %s\n\n", m.CPU, m.Cores, m.Kernel, m.Go, m.GVisor)
	fmt.Fprintf(&b, "    %s\n\n", command)
	fmt.Fprintf(&b, "Medians of %s of %v a test. The subjects:\n\n", rounds(o.Rounds), o.Duration)
	for _, s := range o.Subjects {
		fmt.Fprintf(&b, "- `%s`: %s\n", s.Name, s.What)
	}
	r.values(&b, "What arrives", "Gbit/s; for UDP thousands of datagrams a second; for ping-pong µs a round trip, p50 / p99", r.value)
	r.values(&b, "CPU time of the process", "s for 1 GB; for UDP and ping-pong µs for a datagram or a round trip", r.per(cpuOf))
	r.values(&b, "CPU time of the whole machine", "the same unit", r.per(machineOf))
	r.values(&b, "Allocations", "for 1 MB; for UDP and ping-pong for a datagram or a round trip", r.allocs)
	for _, s := range o.Subjects {
		if s.side == sideOurs {
			r.ratios(&b, s)
		}
	}
	r.remarks(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// values writes one table: a line for each test, a column for each subject.
func (r *Results) values(b *strings.Builder, title, unit string, cell func(Subject, Test) string) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n", title, unit)
	r.table(b, r.Options.Subjects, cell)
}

func (r *Results) table(b *strings.Builder, subjects []Subject, cell func(Subject, Test) string) {
	b.WriteString("| |")
	for _, s := range subjects {
		fmt.Fprintf(b, " %s |", s.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(subjects)) + "\n")
	for _, t := range r.Options.Tests {
		fmt.Fprintf(b, "| %s |", t.Title())
		for _, s := range subjects {
			fmt.Fprintf(b, " %s |", cell(s, t))
		}
		b.WriteString("\n")
	}
}

// ratios writes how one subject compares with those that are not ours.
func (r *Results) ratios(b *strings.Builder, of Subject) {
	var others []Subject
	for _, s := range r.Options.Subjects {
		if s.side != sideOurs {
			others = append(others, s)
		}
	}
	if len(others) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s against the others\n\n", of.Name)
	b.WriteString("How many times as fast (for ping-pong by p50), median and range of what was measured within one round\n\n")
	r.table(b, others, func(s Subject, t Test) string { return r.Ratio(of, s, t).String() })
	b.WriteString("\nHow many times less CPU time of its process\n\n")
	r.table(b, others, func(s Subject, t Test) string { return r.CPURatio(of, s, t).String() })
}

// remarks writes what there is to be said.
func (r *Results) remarks(b *strings.Builder) {
	b.WriteString("\n")
	if r.Options.Duration >= minShare {
		fmt.Fprintf(b, "Of the machine, %s %% was used by neither the subject nor its peer: by the kernel's threads and whatever else ran.\n", r.others())
	}
	if len(r.problems) == 0 {
		b.WriteString("Nothing failed and nothing was left out; all that arrived was as it was sent.\n")
		return
	}
	b.WriteString("\nFailed, left out, or odd:\n\n")
	for _, p := range r.problems {
		fmt.Fprintf(b, "- %s\n", p)
	}
}

// rounds counts them.
func rounds(n int) string {
	if n == 1 {
		return "1 round"
	}
	return fmt.Sprintf("%d rounds", n)
}

// none stands where there is no number.
const none = "–"

func (r *Results) value(s Subject, t Test) string {
	rate := r.median(s, t, rateOf).Median
	if math.IsNaN(rate) {
		return none
	}
	x := Sample{Rate: rate}
	if t.Kind.pingPong() {
		x.P50 = time.Duration(r.median(s, t, p50Of).Median * float64(time.Second))
		x.P99 = time.Duration(r.median(s, t, p99Of).Median * float64(time.Second))
	}
	return valueOf(t, x)
}

// valueOf returns a sample's result in the unit of its test.
func valueOf(t Test, x Sample) string {
	switch t.Kind {
	case kindTCP:
		return digits(x.Rate * 8 / 1e9)
	case kindUDP:
		return digits(x.Rate / 1e3)
	}
	return fmt.Sprintf("%d / %d", x.P50.Microseconds(), x.P99.Microseconds())
}

// per returns the cells of a table of CPU time.
func (r *Results) per(m metric) func(Subject, Test) string {
	return func(s Subject, t Test) string {
		if t.Kind == kindTCP {
			return digits(r.median(s, t, m).Median * 1e9)
		}
		return digits(r.median(s, t, m).Median * 1e6)
	}
}

func (r *Results) allocs(s Subject, t Test) string {
	if t.Kind == kindTCP {
		return digits(r.median(s, t, allocsOf).Median * 1e6)
	}
	return digits(r.median(s, t, allocsOf).Median)
}

// String returns the median and, in parentheses, the range.
func (s Spread) String() string {
	if math.IsNaN(s.Median) {
		return none
	}
	return fmt.Sprintf("%s (%s–%s)", digits(s.Median), digits(s.Min), digits(s.Max))
}

// digits prints a number with as many digits as mean something.
func digits(x float64) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return none
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	case x >= 0.1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.2g", x)
}
