// Command packetimpact runs the test binaries of gVisor's packetimpact against
// netstack on this module's link endpoint. `packetimpact -h` explains it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ethlink/ethlink/conformance/packetimpact/runner"
	"github.com/ethlink/ethlink/internal/netns"
)

// Exit statuses. statusInterrupted is what shells use for SIGINT.
const (
	statusOK          = 0
	statusDifferent   = 1
	statusUsage       = 2
	statusInterrupted = 130
)

func main() { os.Exit(status(os.Args[1:], os.Stdout, os.Stderr)) }

// status runs the program and returns its exit status.
func status(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return statusOK
	case err != nil:
		fmt.Fprintf(stderr, "packetimpact: %v (`packetimpact -h` explains)\n", err)
		return statusUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	status, err := start(ctx, o, stdout)
	switch {
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(stderr, "packetimpact: interrupted; everything is closed again")
		return statusInterrupted
	case err != nil:
		fmt.Fprintf(stderr, "packetimpact: %v\n", err)
		return statusDifferent
	}
	return status
}

// start runs the suite in a namespace, unless there is nothing to run.
func start(ctx context.Context, o options, stdout io.Writer) (int, error) {
	if o.Folder == "" {
		return statusOK, o.notRun(stdout)
	}
	if o.Device == "" {
		dir, err := os.MkdirTemp("", "packetimpact-")
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir)
		// Before the namespace is entered, which has no way to fetch modules.
		if o.Device, err = runner.BuildDevice(ctx, dir); err != nil {
			return 0, err
		}
		os.Args = append([]string{os.Args[0], "-dut", o.Device}, os.Args[1:]...)
	}
	if !netns.Inside() {
		return netns.Run(netns.Options{})
	}
	if err := netns.Setup(); err != nil {
		return 0, err
	}
	return run(ctx, o, stdout)
}

// notRun tells that no test was run, and why.
func (o options) notRun(stdout io.Writer) error {
	const why = "no folder of upstream's test binaries is given (-bin); README.md says where they are from"
	fmt.Fprintf(stdout, "packetimpact: %d tests not run: %s\n", len(o.Tests), why)
	var results []runner.Result
	for _, t := range o.Tests {
		results = append(results, runner.Result{Test: t, NotRun: why})
	}
	return o.writeJUnit(results, 0)
}

// run runs the suite here.
func run(ctx context.Context, o options, stdout io.Writer) (int, error) {
	if o.Pcap != "" {
		if err := os.MkdirAll(o.Pcap, 0o755); err != nil {
			return 0, fmt.Errorf("-pcap: %w", err)
		}
	}
	begin := time.Now()
	fmt.Fprintf(stdout, "packetimpact: netstack on %s, %d tests, %d at a time\n\n", o.Link, len(o.Tests), o.Parallel)
	runner.WriteHeader(stdout)
	o.Done = func(r runner.Result) {
		runner.WriteRow(stdout, r)
		if o.verbose {
			runner.WriteOutput(stdout, r)
		}
	}
	results, err := runner.Run(ctx, o.Options)
	if err != nil {
		return 0, err
	}
	took := time.Since(begin)
	runner.WriteSummary(stdout, results, took)
	if err := o.writeJUnit(results, took); err != nil {
		return 0, err
	}
	if runner.Summarize(results).Different > 0 {
		return statusDifferent, ctx.Err()
	}
	return statusOK, ctx.Err()
}

func (o options) writeJUnit(results []runner.Result, took time.Duration) error {
	if o.junit == "" {
		return nil
	}
	f, err := os.Create(o.junit)
	if err != nil {
		return err
	}
	return errors.Join(runner.WriteJUnit(f, "packetimpact-"+o.Link, results, took), f.Close())
}
