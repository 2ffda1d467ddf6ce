package netns_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// program returns this program with a role.
func program(what string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), role+"="+what)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestRunGivesANamespaceOfItsOwn(t *testing.T) {
	nstest.Need(t)
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}}
	for _, tt := range []struct {
		name string
		user string
		attr *syscall.SysProcAttr
	}{
		{name: "as root"},
		{name: "with a user namespace", user: "1"},
		{name: "as nobody", attr: nobody},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := program("run-tell", "first", "second argument")
			cmd.Env = append(cmd.Env, "NETNS_TEST_USER="+tt.user)
			cmd.SysProcAttr = tt.attr
			out, err := cmd.Output()
			if tt.attr != nil && errors.Is(err, syscall.EINVAL) {
				t.Skipf("needs a user nobody, which a user namespace lacks: %v", err)
			}
			var inside bool
			var uid int
			var namespace, setup string
			if _, err := fmt.Sscan(string(out), &inside, &uid, &namespace, &setup); err != nil {
				t.Fatalf("the process inside said %q: %v", out, err)
			}
			if !inside || uid != 0 || namespace == own || setup != "<nil>" {
				t.Errorf("inside %v, uid %d, namespace %v (outside: %v), setup %v; want true, 0, another, nil", inside, uid, namespace, own, setup)
			}
			if want := "[first second argument]\n"; !strings.HasSuffix(string(out), want) {
				t.Errorf("arguments in %q: want %q", out, want)
			}
			if got := cmd.ProcessState.ExitCode(); got != 7 {
				t.Errorf("exit status %d (%v), want 7", got, err)
			}
		})
	}
}

func TestRunExitStatusOfASignal(t *testing.T) {
	nstest.Need(t)
	cmd := program("run-die")
	err := cmd.Run()
	if got, want := cmd.ProcessState.ExitCode(), 128+int(syscall.SIGKILL); got != want {
		t.Errorf("exit status %d (%v), want %d", got, err, want)
	}
}

func TestRunForwardsSignals(t *testing.T) {
	nstest.Need(t)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			cmd, out, _ := startWaiting(t)
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			if line, err := out.ReadString('\n'); line != fmt.Sprintf("got %v\n", s) {
				t.Errorf("the process inside said %q, %v; want that it got %v", line, err, s)
			}
			cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != 5 {
				t.Errorf("exit status %d, want 5", got)
			}
		})
	}
}

func TestRunKillsItsProcessWhenKilled(t *testing.T) {
	nstest.Need(t)
	cmd, _, inside := startWaiting(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		// A zombie is dead, too: nobody may be there to reap it.
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", inside))
		if err != nil || strings.Contains(string(status), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d outlives the one that called Run: %s", inside, status)
		}
	}
}

// startWaiting starts this program so that it waits inside for a signal, in a
// session without a terminal. It returns what it prints, and its process ID.
func startWaiting(t *testing.T) (*exec.Cmd, *bufio.Reader, int) {
	t.Helper()
	cmd := program("run-wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	out := bufio.NewReader(pipe)
	var pid int
	if _, err := fmt.Fscanf(out, "pid %d\n", &pid); err != nil {
		t.Fatalf("waiting for the process inside: %v", err)
	}
	return cmd, out, pid
}

func TestInsideDoesNotTrustTheEnvironment(t *testing.T) {
	nstest.Need(t)
	if !netns.Inside() {
		t.Error("Inside is false in a process that nstest.Main started")
	}
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ETHLINK_OUTER_NETNS", own)
	if netns.Inside() {
		t.Error("Inside is true in the namespace that the environment names as the outer one")
	}
}
