package nstest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ethlink/ethlink/internal/netns"
)

// NeedProgram is [Need], and skips a test too if a program is not installed; pkg
// is the package of Debian that has it. It returns the program's path.
func NeedProgram(t testing.TB, name, pkg string) string {
	t.Helper()
	Need(t)
	path, err := lookPath(name)
	if err != nil {
		skip(t, fmt.Sprintf("needs %s: apt-get install %s", name, pkg), err)
	}
	return path
}

// lookPath finds a program, also where only root's PATH leads to.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if err == nil {
			break
		}
		path, err = exec.LookPath(dir + name)
	}
	return path, err
}

// A Process is a program that runs in a network namespace.
type Process struct {
	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

// Start starts a program in a network namespace; nil means that of this process.
// It is killed when the test ends, or this process.
func Start(t testing.TB, ns *netns.Namespace, path string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.Env = append(os.Environ(), "LC_ALL=C")
	p.cmd.WaitDelay = time.Second // for what it has started and left behind
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		if err := p.run(ns, started); err != nil {
			started <- err
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s %s said:\n%s", path, strings.Join(args, " "), p.Output())
		}
	})
	return p
}

// run runs the program until it ends, on a thread that lives as long: the kernel
// takes the end of the thread that started it for that of this process.
func (p *Process) run(ns *netns.Namespace, started chan<- error) error {
	run := func() error {
		err := p.cmd.Start()
		if err == nil {
			started <- nil
			p.cmd.Wait() // its status is looked at later
		}
		return err
	}
	if ns != nil {
		return ns.Do(run)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return run()
}

// Write takes in what the program says.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

// Output returns what the program has said so far, on both its outputs.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// Wait waits until the program ends, and returns its exit status.
func (p *Process) Wait() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }
