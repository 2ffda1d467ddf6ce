package runner

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStop: a process that does not mind SIGTERM is killed, and what it said is
// there.
func TestStop(t *testing.T) {
	for _, tt := range []struct{ name, script, end string }{
		{"ends in order", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done", "exit status 0"},
		{"minds no signal", "trap '' TERM; echo ready; while :; do sleep 0.01; done", "signal: killed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := stopPatience
			if strings.HasPrefix(tt.name, "minds") {
				stopPatience = before / 50
			}
			t.Cleanup(func() { stopPatience = before })
			p, err := start(t.Context(), "/bin/sh", []string{"-c", tt.script})
			check(t, err)
			wait(t, "it is ready", func() bool { return strings.Contains(p.output(), "ready\n") })
			p.stop()
			if got := p.cmd.ProcessState.String(); got != tt.end {
				t.Errorf("it ended with %s, want %s", got, tt.end)
			}
			if said := strings.Contains(p.output(), "bye\n"); said != (tt.name == "ends in order") {
				t.Errorf("it said %q", p.output())
			}
		})
	}
	if _, err := start(t.Context(), "/no/such/program", nil); err == nil {
		t.Error("a program that is not there started")
	}
}

// parent plays a runner: it starts a process, tells its number, and waits.
func parent() int {
	p, err := start(context.Background(), "/bin/sleep", []string{"1000"})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(p.cmd.Process.Pid)
	<-p.done
	return 0
}

// TestProcessesDieWithTheRunner: also if it is killed, which it cannot clean up
// after.
func TestProcessesDieWithTheRunner(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), role+"=parent")
	pipe, err := cmd.StdoutPipe()
	check(t, err, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var pid int
	_, err = fmt.Fscan(bufio.NewReader(pipe), &pid)
	check(t, err, cmd.Process.Signal(unix.SIGKILL))
	wait(t, "the process is dead", func() bool {
		// A zombie is dead, too: nobody may be there to reap it.
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(status), ") Z ")
	})
}
