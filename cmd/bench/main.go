// Command bench measures this module beside gVisor's link endpoints and beside
// the Linux kernel alone. `bench -h` explains it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ethlink/ethlink/internal/bench"
	"github.com/ethlink/ethlink/internal/netns"
)

// Exit statuses.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

func main() {
	bench.RunWorker()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage())
		return statusOK
	case err != nil:
		fmt.Fprintf(stderr, "bench: %v (`bench -h` explains)\n", err)
		return statusUsage
	}
	status, err := measure(o, strings.Join(append([]string{"go run ./cmd/bench"}, args...), " "), stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return statusFailed
	}
	return status
}

// measure runs the benchmark in a network namespace of its own.
func measure(o options, command string, stdout, stderr io.Writer) (status int, err error) {
	if !netns.Inside() {
		return netns.Run(netns.Options{})
	}
	if err := netns.Setup(); err != nil {
		return 0, err
	}
	o.bench.Progress = stderr
	r, err := bench.Run(o.bench)
	if err != nil {
		return 0, err
	}
	if err := r.WriteTables(stdout, command); err != nil {
		return 0, err
	}
	if o.svg == "" {
		return statusOK, nil
	}
	f, err := os.Create(o.svg)
	if err != nil {
		return 0, err
	}
	return statusOK, errors.Join(r.WriteSVG(f), f.Close())
}

type options struct {
	bench bench.Options
	svg   string
}

// Defaults, and those of a quick run.
const (
	defaultRounds   = 5
	defaultDuration = time.Second
	quickRounds     = 1
	quickDuration   = 40 * time.Millisecond
)

// parse reads the arguments.
func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors and usage are written by run
	f.Usage = func() {}
	subjects := f.String("subjects", "", "")
	tests := f.String("tests", "*", "")
	expert := f.Bool("expert", false, "")
	quick := f.Bool("quick", false, "")
	f.IntVar(&o.bench.Rounds, "rounds", defaultRounds, "")
	f.DurationVar(&o.bench.Duration, "duration", defaultDuration, "")
	f.StringVar(&o.bench.Profiles, "profiles", "", "")
	f.StringVar(&o.svg, "svg", "", "")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag", strings.Join(f.Args(), " "))
	}
	if *quick {
		given := map[string]bool{}
		f.Visit(func(x *flag.Flag) { given[x.Name] = true })
		if !given["tests"] {
			*tests = bench.QuickTests
		}
		if !given["rounds"] {
			o.bench.Rounds = quickRounds
		}
		if !given["duration"] {
			o.bench.Duration = quickDuration
		}
	}
	return o, o.bench.Pick(*subjects, *tests, *expert)
}
