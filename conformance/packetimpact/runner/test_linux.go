package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// killPatience is how long a test binary has to say what it is at, after its
// time is up; tests have less.
var killPatience = 10 * time.Second

// subtests is how many subtests of a binary run at the same time. They wait for
// answers and for time, so that package testing's number, that of processors,
// would make them wait for each other.
const subtests = 8

// test runs a test with devices under test of its own.
func (r *run) test(ctx context.Context, t Test) Result {
	result := Result{Test: t}
	if ctx.Err() != nil {
		result.NotRun = context.Cause(ctx).Error()
		return result
	}
	begin := time.Now()
	result.Err = r.attempt(ctx, &result)
	result.Took = time.Since(begin)
	if ctx.Err() != nil {
		// Whatever it gave, it was cut short.
		return Result{Test: t, NotRun: context.Cause(ctx).Error()}
	}
	return result
}

// attempt fills in what the test gives.
func (r *run) attempt(ctx context.Context, result *Result) (err error) {
	t := result.Test
	binary, err := r.o.Folder.Find(t.Name)
	if err != nil {
		return err
	}
	var devices []*device
	defer func() {
		for _, d := range devices {
			d.stop()
			result.Trace += d.output()
		}
	}()
	var infos []info
	for range t.Devices {
		d, err := r.startDevice(ctx, t.Name, r.number())
		if err != nil {
			return err
		}
		devices, infos = append(devices, d), append(infos, d.info)
	}
	arg, err := json.Marshal(infos)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, t.Limit+killPatience)
	defer cancel()
	p, err := start(limited, binary, []string{
		"--dut_infos_json", string(arg), "-test.v", "-test.timeout=" + t.Limit.String(),
		fmt.Sprintf("-test.parallel=%d", subtests),
	})
	if err != nil {
		return err
	}
	early := waitFor(p, devices)
	p.stop()
	result.Output = p.output()
	switch {
	case early != nil:
		return early
	case limited.Err() != nil:
		return fmt.Errorf("not done after %v", t.Limit+killPatience)
	}
	return result.judge(p.err)
}

// waitFor waits for the end of the test, and of none of its devices before.
func waitFor(test *process, devices []*device) error {
	ended := make(chan *device, len(devices))
	for _, d := range devices {
		go func() {
			<-d.done
			ended <- d
		}()
	}
	select {
	case <-test.done:
		return nil
	case d := <-ended:
		return fmt.Errorf("the device under test on %s ended during the test (%v): it said: %s",
			d.info.Net.LocalDevName, d.err, lastLines(d.output(), 5))
	}
}

// judge takes what the binary said, and how it ended.
func (r *Result) judge(end error) error {
	r.Got.Counts, r.Failed = parseOutput(r.Output)
	r.Got.Passed = end == nil
	exit := (*exec.ExitError)(nil)
	switch {
	// What package testing says of tests that failed is 1. A panic has another
	// status: where a failure is expected it must not pass for that.
	case end != nil && !(errors.As(end, &exit) && exit.ExitCode() == 1):
		return fmt.Errorf("the test binary did not come to its end: %w; it said: %s", end, lastLines(r.Output, 5))
	case r.Got.Counts == Counts{}:
		return fmt.Errorf("the test binary tells of no test (%s); it said: %s", status(end), lastLines(r.Output, 5))
	}
	return nil
}

func status(end error) string {
	if end == nil {
		return "exit status 0"
	}
	return end.Error()
}
