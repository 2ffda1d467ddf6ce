package runner

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stopPatience is how long a process has between SIGTERM and SIGKILL; tests have
// less.
var stopPatience = 5 * time.Second

// A process is a program that runs until its context ends, and no longer than
// this process.
type process struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	// done is closed when it has ended; err is valid then.
	done chan struct{}
	err  error

	mu sync.Mutex
	// What it has said, on both its outputs, is guarded by mu.
	said bytes.Buffer
}

// start starts a program; files are its descriptors from 3 on.
func start(ctx context.Context, path string, args []string, files ...*os.File) (*process, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, path, args...)
	p := &process{cmd: cmd, cancel: cancel, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	cmd.ExtraFiles = files
	// A group of its own: what is typed interrupts this process, which ends the
	// others in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGTERM) }
	cmd.WaitDelay = stopPatience
	started := make(chan error)
	go func() {
		// The kernel takes the end of the thread that started it for that of this
		// process, so this one lives as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer cancel()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

// Write takes in what the process says.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// stop ends the process and waits until it has ended.
func (p *process) stop() {
	p.cancel()
	<-p.done
}
