package netns

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace beside the one of this process.
type Namespace struct{ file *os.File }

// New makes a network namespace, with its loopback interface up. It lives
// until it is closed and nothing else uses it.
func New() (*Namespace, error) {
	var n Namespace
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("netns: no further network namespace: needs CAP_SYS_ADMIN; run in a namespace of your own (netns.Run) or as root: %w", err)
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return fmt.Errorf("netns: %w", err)
		}
		n.file = file
		return Setup()
	})
	if err != nil {
		if n.file != nil {
			n.file.Close()
		}
		return nil, err
	}
	return &n, nil
}

// Do calls f on a thread that is in the namespace, and returns its error.
// Sockets that f opens stay in the namespace; goroutines that it starts run
// outside.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("netns: entering the namespace: %w", err)
		}
		return f()
	})
}

// Close gives the namespace up.
func (n *Namespace) Close() error { return n.file.Close() }

// onThread calls f on a thread of its own that is thrown away afterwards,
// because its goroutine ends without unlocking it: so nothing need be
// restored.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			done <- f()
			return
		}
		// The main thread cannot end, and would show a strange namespace in
		// /proc/self from now on. It is kept busy until another thread did it.
		done <- onThread(f)
		runtime.UnlockOSThread()
	}()
	return <-done
}
