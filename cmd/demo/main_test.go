package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gvisor.dev/gvisor/pkg/refs"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// role is the environment variable by which tests make this program something
// else: the demo, or one that starts the demo in a way that takes rights.
const role = "DEMO_TEST_ROLE"

var (
	update = flag.Bool("update", false, "write testdata anew: look at the difference")
	// roles other than "demo" are for Linux.
	roles = map[string]func(){"demo": main}
)

func TestMain(m *testing.M) {
	if play, ok := roles[os.Getenv(role)]; ok {
		play()
		os.Exit(0)
	}
	refs.SetLeakMode(refs.LeaksPanic)
	nstest.Main(m)
}

// checkLeaks fails the test if at its end goroutines, file descriptors or
// references to packets are left.
func checkLeaks(t *testing.T) {
	t.Helper()
	// Package os/signal keeps a goroutine from its first use on.
	_, stop := withSignals(t.Context())
	stop()
	nstest.CheckLeaks(t)
	t.Cleanup(func() {
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("packets are still held: %v", p)
			}
		}()
		waitUntil(t, "no packet is held any more", func() (ok bool) {
			defer func() { ok = recover() == nil }()
			refs.DoRepeatedLeakCheck()
			return true
		})
	})
}

// waitUntil fails the test if a condition does not come about.
func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s in vain until %s", what)
		}
	}
}

// runDemo runs the program in this process.
func runDemo(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(args, &out, &err)
	return out.String(), err.String(), status
}

// program returns this program as the demo, or in another role, outside of the
// namespace of the tests.
func program(what string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	for _, e := range os.Environ() {
		// Of a terminal the demo asks NO_COLOR and TERM.
		if name, _, _ := strings.Cut(e, "="); name != "ETHLINK_OUTER_NETNS" && name != "NO_COLOR" && name != "TERM" {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, role+"="+what)
	return cmd
}

// masks replace what is different in each run.
var masks = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`[0-9a-f]{2}(:[0-9a-f]{2}){5}`), "xx:xx:xx:xx:xx:xx"},
	{regexp.MustCompile(` *\d+\.\d+ (s|Gbit/s)\b`), " N $1"},
	{regexp.MustCompile(`\b\d+\.\d+ (ms|to)\b`), "N $1"},
	{regexp.MustCompile(`offloads [a-z0-9+]+`), "offloads ..."},
	{regexp.MustCompile(`(?m)(xx|-)   +(reachable|stale|delay|probe|permanent|failed)$`), "$1   state"},
	{regexp.MustCompile(`(?m) +[\d,]+$`), " N"},
	// Which counters are not zero depends on who asks first.
	{regexp.MustCompile(`(?m)^  (ARP in|waited, dropped|dropped: tx unresolved|dropped: group not joined|ARP replies).*\n`), ""},
}

func masked(s string) string {
	for _, m := range masks {
		s = m.from.ReplaceAllString(s, m.to)
	}
	return s
}

// golden compares output, masked, with a file in testdata.
func golden(t *testing.T, name, out string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	got := masked(out)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("output (-want +got):\n%s\nwhole:\n%s", diff, out)
	}
	for _, line := range strings.Split(out, "\n") {
		if len(line) > width {
			t.Errorf("a line has %d columns, want at most %d: %s", len(line), width, line)
		}
	}
}
