package runner

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// need skips a test where the suite cannot run.
func need(t *testing.T) {
	t.Helper()
	nstest.NeedTUN(t)
	nstest.NeedProgram(t, "iptables", "iptables")
	nstest.NeedProgram(t, "ip6tables", "iptables")
	nstest.CheckLeaks(t)
}

// deviceProgram builds the device under test.
func deviceProgram(t *testing.T) string {
	t.Helper()
	program, err := BuildDevice(t.Context(), t.TempDir())
	check(t, err)
	return program
}

// noInterfaceLeft fails the test if a TAP has outlived its test.
func noInterfaceLeft(t *testing.T) {
	t.Helper()
	list, err := net.Interfaces()
	check(t, err)
	for _, i := range list {
		if strings.HasPrefix(i.Name, tapPrefix) {
			t.Errorf("interface %s is left", i.Name)
		}
	}
}

// say is what a fake test binary does.
func say(status string, results ...string) string {
	text := ""
	for _, r := range results {
		text += "echo '--- " + r + ": TestFake (0.00s)'\n"
	}
	return text + "exit " + status
}

// TestRun: the whole way with the real device under test, and test binaries that
// end in all the ways there are.
func TestRun(t *testing.T) {
	need(t)
	killPatience = 0
	pcap := t.TempDir()
	test := func(name string, devices int, passed bool, c Counts) Test {
		return Test{Name: name, Devices: devices, Limit: time.Minute, Want: Outcome{passed, c}}
	}
	o := Options{
		Folder: folder(t, map[string]string{
			"bench":      play(t, "bench"),
			"bench3":     play(t, "bench"),
			"fails":      say("1", "PASS", "FAIL"),
			"hangs":      "echo '=== RUN TestFake'; exec sleep 1000",
			"panics":     say("2", "FAIL"),
			"passes":     say("0", "PASS", "SKIP"),
			"says_none":  say("0"),
			"terminated": "kill -TERM $$",
		}),
		Tests: []Test{
			test("bench", 1, true, Counts{Pass: 2}),
			test("bench3", 3, true, Counts{Pass: 4}),
			test("fails", 1, false, Counts{Pass: 1, Fail: 1}),
			{Name: "hangs", Devices: 1, Limit: 100 * time.Millisecond, Want: Outcome{true, Counts{Pass: 1}}},
			test("missing", 1, true, Counts{Pass: 1}),
			test("panics", 1, false, Counts{Fail: 1}),
			test("passes", 1, true, Counts{Pass: 1}),
			test("says_none", 1, true, Counts{Pass: 1}),
			test("terminated", 1, true, Counts{Pass: 1}),
		},
		Device: deviceProgram(t), Link: "ethlink", Parallel: 3, Pcap: pcap, Trace: true,
	}
	var told []string
	o.Done = func(r Result) { told = append(told, r.Test.Name+": "+r.Difference()) }
	got, err := Run(t.Context(), o)
	check(t, err)
	noInterfaceLeft(t)
	want := []string{
		"bench: ",
		"bench3: ",
		"fails: ",
		"hangs: not done after 100ms",
		"missing: no missing_test in folder \"" + string(o.Folder) + "\": " + fs.ErrNotExist.Error(),
		"panics: the test binary did not come to its end: exit status 2; it said: --- FAIL: TestFake (0.00s)",
		"passes: other subtests: pass/fail/skip 1/0/1, want 1/0/0",
		"says_none: the test binary tells of no test (exit status 0); it said: ",
		"terminated: the test binary did not come to its end: signal: terminated; it said: ",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s\n%s\n%s", diff, got[0].Output, got[1].Output)
	}
	if r := got[1]; !strings.Contains(r.Trace, "Socket(") || !strings.Contains(r.Output, "--- PASS: TestBench/2") || r.Took <= 0 {
		t.Errorf("the result of %s lacks something: %+v", r.Test.Name, r)
	}
	files, err := filepath.Glob(filepath.Join(pcap, "bench3_dut*.pcap"))
	if err != nil || len(files) != 3 {
		t.Errorf("files %q, %v; want one for each device under test of bench3", files, err)
	}
}

// TestDevicesThatFail: it is said which one, and what it said.
func TestDevicesThatFail(t *testing.T) {
	need(t)
	program, dir := deviceProgram(t), t.TempDir()
	begun := filepath.Join(dir, "begun")
	for _, tt := range []struct{ name, script, want string }{
		{"at once", "echo no such thing >&2; exit 3", "it told nothing of itself (exit status 3): it said: no such thing"},
		{"garbage", "echo '{' >&3; exec 3>&-; exec sleep 1000", `what it tells of itself, "{\n"`},
		{"no TAP", "echo '{}' >&3; exec 3>&-; exec sleep 1000", `interface "dut0"`},
		{"during the test", `'` + program + `' "$@" &
			exec 3>&-
			while [ ! -e '` + begun + `' ]; do sleep 0.01; done
			kill -KILL $!; echo out of memory; exit 7`, "ended during the test (exit status 7): it said: out of memory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			results, err := Run(t.Context(), Options{
				Folder: folder(t, map[string]string{"fake": "touch '" + begun + "'; exec sleep 1000"}),
				Tests:  []Test{{Name: "fake", Devices: 1, Limit: time.Minute}},
				Device: script(t, filepath.Join(dir, "device"), tt.script), Link: "ethlink",
			})
			check(t, err)
			if d := results[0].Difference(); !strings.Contains(d, tt.want) || !strings.Contains(d, "dut0") {
				t.Errorf("the difference is %q; want dut0 and %q in it", d, tt.want)
			}
			noInterfaceLeft(t)
		})
	}
}

// TestInterrupted: what runs is ended, and neither it nor what has not begun has
// a result.
func TestInterrupted(t *testing.T) {
	need(t)
	begun := filepath.Join(t.TempDir(), "begun")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		wait(t, "the test has begun", func() bool { return exists(begun) })
		cancel(errors.New("enough"))
	}()
	tests := []Test{{Name: "a", Devices: 1, Limit: time.Minute}, {Name: "b", Devices: 1, Limit: time.Minute}}
	got, err := Run(ctx, Options{
		Folder: folder(t, map[string]string{"a": "touch '" + begun + "'; exec sleep 1000", "b": say("0", "PASS")}),
		Tests:  tests, Device: deviceProgram(t), Link: "ethlink",
	})
	check(t, err)
	want := []Result{{Test: tests[0], NotRun: "enough"}, {Test: tests[1], NotRun: "enough"}}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	noInterfaceLeft(t)
}

// TestDropTCP: without iptables it is said what to install, and with it what it
// complains of.
func TestDropTCP(t *testing.T) {
	nstest.NeedProgram(t, "iptables", "iptables")
	if err := dropTCP("no-such-tables"); err == nil || !strings.Contains(err.Error(), "apt-get install iptables") {
		t.Errorf("without it: %v", err)
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	script(t, filepath.Join(dir, "strange-tables"), "echo no chain by that name; exit 1")
	if err := dropTCP("strange-tables"); err == nil || !strings.Contains(err.Error(), "exit status 1: no chain by that name") {
		t.Errorf("of one that fails: %v", err)
	}
}
