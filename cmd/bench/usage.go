package main

import (
	"fmt"
	"strings"

	"github.com/ethlink/ethlink/internal/bench"
)

const usageHead = `bench measures this module beside gVisor's link endpoints and beside the Linux kernel alone, in user
and network namespaces of its own: no root, no set-up. It prints Markdown tables; what it is doing
goes to the standard error. The exit status is 0 unless the flags were wrong or no namespace can be
had: what fails is in the output, and how fast something is never is a failure.

  -subjects patterns     what to measure, with commas between (all but the tuned ones)
  -expert                add gVisor's subjects tuned: RACK off, one processor for each channel
  -tests patterns        what to do with them (all)
  -rounds number         how often (5)
  -duration duration     how long each time (1s)
  -quick                 a few tests, once and for a moment, to see that everything works
  -svg file              draw a plot
  -profiles folder       write a CPU profile of each subject and test, in the first round

  bench -svg bench.svg
  bench -subjects kernel,ethlink-tap -tests 'tcp4-*' -rounds 9
`

// usage returns the help.
func usage() string {
	var b strings.Builder
	b.WriteString(usageHead)
	b.WriteString("\nSubjects:\n\n")
	for _, s := range bench.Subjects() {
		if !s.Expert {
			fmt.Fprintf(&b, "  %-22s %s\n", s.Name, s.What)
		}
	}
	b.WriteString("\nTests:\n\n")
	for _, t := range bench.Tests() {
		fmt.Fprintf(&b, "  %-22s %s\n", t.Name, t.Title())
	}
	return b.String()
}
