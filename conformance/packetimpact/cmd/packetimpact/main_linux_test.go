package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// role is the environment variable that makes this program packetimpact.
const role = "PACKETIMPACT_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(role) != "" {
		main()
	}
	nstest.Main(m)
}

// patience bounds how long anything is waited for.
const patience = time.Minute

// packetimpact returns the program. Its temporary files are in a folder of its
// own.
func packetimpact(t *testing.T, args ...string) (cmd *exec.Cmd, out *bytes.Buffer, temporary string) {
	t.Helper()
	nstest.NeedTUN(t)
	nstest.NeedProgram(t, "iptables", "iptables")
	nstest.NeedProgram(t, "ip6tables", "iptables")
	out, temporary = new(bytes.Buffer), t.TempDir()
	cmd = exec.Command("/proc/self/exe", args...)
	// Without this variable it makes a namespace of its own, as it does for users.
	outside := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "ETHLINK_OUTER_NETNS=") })
	cmd.Env = append(outside, role+"=main", "TMPDIR="+temporary)
	cmd.Stdout, cmd.Stderr = out, out
	// So what is typed at a terminal does not come here twice.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = patience
	return cmd, out, temporary
}

// fakes makes a folder of test binaries that are shell scripts.
func fakes(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// isEmpty fails the test unless nothing is in a folder.
func isEmpty(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 0 {
		t.Errorf("temporary files are left: %v, %v", list, err)
	}
}

// junit reads a file that -junit wrote.
func junit(t *testing.T, file string) (s struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Skipped  int `xml:"skipped,attr"`
}) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNotRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "junit.xml")
	var stdout, stderr bytes.Buffer
	if got := status([]string{"-junit", file}, &stdout, &stderr); got != statusOK || stderr.Len() > 0 {
		t.Errorf("status %d, error %q", got, stderr.String())
	}
	for _, part := range []string{"41 tests not run", "-bin", "README.md"} {
		if !strings.Contains(stdout.String(), part) {
			t.Errorf("%q does not say %q", stdout.String(), part)
		}
	}
	if s := junit(t, file); s.Tests != 41 || s.Skipped != 41 {
		t.Errorf("the file has %+v, want 41 skipped tests", s)
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if got := status([]string{"-h"}, &stdout, &stderr); got != statusOK || stderr.Len() > 0 {
		t.Errorf("status %d, error %q", got, stderr.String())
	}
	for _, name := range []string{"bin", "run", "j", "link", "settle", "dut", "pcap", "junit", "v"} {
		if !strings.Contains(stdout.String(), "\n  -"+name+" ") {
			t.Errorf("flag %s is not explained", name)
		}
	}
}

// TestWrongFlags: the message says what was wrong and what is wanted.
func TestWrongFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"tcp_info", []string{"tcp_info", "no flag"}},
		{"-link veth", []string{"veth", "ethlink or fdbased"}},
		{"-settle -1s", []string{"-1s", "0 or more"}},
		{"-j 0", []string{"-j 0", "1 or more"}},
		{"-bin /nowhere", []string{"-bin", "/nowhere"}},
		{"-bin " + file, []string{"-bin", file, "want a folder"}},
		{"-dut /nowhere", []string{"-dut", "/nowhere"}},
		{"-run (", []string{"-run", "missing closing )"}},
		{"-run tcp_infos", []string{"-run tcp_infos", "none of the tests", "fin_wait2_timeout"}},
		{"-nonsense", []string{"-nonsense"}},
	} {
		var stdout, stderr bytes.Buffer
		if got := status(strings.Fields(tt.args), &stdout, &stderr); got != statusUsage || stdout.Len() > 0 {
			t.Errorf("%q: status %d, output %q", tt.args, got, stdout.String())
		}
		for _, part := range append(tt.want, "packetimpact: ", "-h") {
			if !strings.Contains(stderr.String(), part) {
				t.Errorf("%q: error %q does not say %q", tt.args, stderr.String(), part)
			}
		}
	}
}

// TestRun is the whole program: it builds the device under test, and runs fake
// test binaries with names of the table.
func TestRun(t *testing.T) {
	say := func(status int, result string) string {
		return fmt.Sprintf("echo '--- %s: TestFake (0.00s)'; exit %d", result, status)
	}
	for _, tt := range []struct {
		name   string
		info   string
		status int
		want   []string
		failed int
	}{
		{"as expected", say(0, "PASS"), statusOK, []string{"Nothing differs"}, 0},
		{"different", say(1, "FAIL"), statusDifferent, []string{"UNEXPECTED", "tcp_info: fails, pass/fail/skip 0/1/0, want 1/0/0"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "junit.xml")
			dir := fakes(t, map[string]string{"tcp_info_test": tt.info, "tcp_paws_mechanism": say(1, "FAIL")})
			cmd, out, temporary := packetimpact(t, "-bin", dir, "-run", "^(tcp_info|tcp_paws_mechanism)$", "-junit", file,
				"-pcap", filepath.Join(t.TempDir(), "new"), "-v")
			err := cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != tt.status {
				t.Errorf("status %d (%v), want %d", got, err, tt.status)
			}
			for _, part := range append(tt.want, "2 tests, 4 at a time", "fail           0/1/0", "as upstream expects of netstack", "tcp_info said:") {
				if !strings.Contains(out.String(), part) {
					t.Errorf("the output does not say %q:\n%s", part, out)
				}
			}
			if s := junit(t, file); s.Tests != 2 || s.Failures != tt.failed {
				t.Errorf("the file has %+v, want 2 tests, %d failures", s, tt.failed)
			}
			isEmpty(t, temporary)
		})
	}
}

// TestInterrupt: it ends what it started, removes what it made, and says so.
func TestInterrupt(t *testing.T) {
	begun := filepath.Join(t.TempDir(), "begun")
	dir := fakes(t, map[string]string{"tcp_info_test": "echo $$ >'" + begun + "'; exec sleep 1000"})
	cmd, out, temporary := packetimpact(t, "-bin", dir, "-run", "^tcp_info$")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	var pid int
	for deadline := time.Now().Add(patience); pid == 0; time.Sleep(time.Millisecond) {
		if b, err := os.ReadFile(begun); err == nil {
			fmt.Sscan(string(b), &pid)
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v the test has not begun:\n%s", patience, out)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // its status is looked at
	if got := cmd.ProcessState.ExitCode(); got != statusInterrupted || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("status %d, want %d:\n%s", got, statusInterrupted, out)
	}
	// Its parent has waited for it, so its number is free.
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the test binary, process %d, is left: %v", pid, err)
	}
	isEmpty(t, temporary)
}
