package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/ethlink/ethlink/conformance/packetimpact/runner"
)

const usage = `packetimpact runs upstream's test binaries of gVisor's packetimpact against netstack on this module's
link endpoint, in user and network namespaces of its own, and compares the results with what is
expected. The exit status is 0 if nothing differs, and 1 otherwise. README.md tells where the
binaries are from; without them nothing is run.

  -bin folder         upstream's test binaries: tcp_info_test and so on
  -run regexp         the tests to run (all)
  -j number           how many at the same time (4)
  -link name          the link layer: ethlink, or fdbased for gVisor's own (ethlink)
  -settle duration    a pause before each socket call, for frames that are on their way (3ms)
  -dut program        a device under test with the flags of cmd/dut (cmd/dut, which is built)
  -pcap folder        record the frames, a file for each device under test
  -junit file         write the results for a machine to read
  -v                  write all that was said, and each socket call

  packetimpact -bin DIR -j 6
  packetimpact -bin DIR -run '^tcp_info$' -v
`

// options are what the flags say.
type options struct {
	runner.Options
	junit   string
	verbose bool
}

// parse reads the flags.
func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("packetimpact", flag.ContinueOnError)
	f.SetOutput(io.Discard) // main writes errors, and the usage
	f.StringVar((*string)(&o.Folder), "bin", "", "")
	f.StringVar(&o.Device, "dut", "", "")
	f.StringVar(&o.Link, "link", "ethlink", "")
	f.DurationVar(&o.Settle, "settle", runner.DefaultSettle, "")
	f.IntVar(&o.Parallel, "j", 4, "")
	f.StringVar(&o.Pcap, "pcap", "", "")
	f.StringVar(&o.junit, "junit", "", "")
	f.BoolVar(&o.verbose, "v", false, "")
	pattern := f.String("run", "", "")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.Trace = o.verbose
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("%q is no flag", f.Args())
	case o.Link != "ethlink" && o.Link != "fdbased":
		return o, fmt.Errorf("-link %s: want ethlink or fdbased", o.Link)
	case o.Settle < 0:
		return o, fmt.Errorf("-settle %v: want 0 or more", o.Settle)
	case o.Parallel < 1:
		return o, fmt.Errorf("-j %d: want 1 or more", o.Parallel)
	}
	if err := o.checkFiles(); err != nil {
		return o, err
	}
	return o, o.choose(*pattern)
}

// checkFiles finds wrong names before each test would fail for them.
func (o *options) checkFiles() (err error) {
	if o.Folder != "" {
		if info, err := os.Stat(string(o.Folder)); err != nil {
			return fmt.Errorf("-bin: %w", err)
		} else if !info.IsDir() {
			return fmt.Errorf("-bin %s: want a folder", o.Folder)
		}
	}
	if o.Device != "" {
		// A program without a slash in its name would be looked for elsewhere.
		if o.Device, err = filepath.Abs(o.Device); err == nil {
			_, err = os.Stat(o.Device)
		}
		if err != nil {
			return fmt.Errorf("-dut: %w", err)
		}
	}
	return nil
}

// choose chooses the tests to run.
func (o *options) choose(pattern string) error {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	all, err := runner.Tests()
	if err != nil {
		return err
	}
	for _, t := range all {
		if re.MatchString(t.Name) {
			o.Tests = append(o.Tests, t)
		}
	}
	if len(o.Tests) == 0 {
		return errors.New("-run " + pattern + ": it matches none of the tests, such as " + all[0].Name)
	}
	return nil
}
