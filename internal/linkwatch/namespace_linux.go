package linkwatch

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// inNamespace calls f on a thread that is in the network namespace of the
// interface. Where that cannot be asked it stays on a thread of this one, and
// known is false.
func (t *Target) inNamespace(f func(known bool) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	namespace := -1
	var err error
	if closed := t.Conn.Control(func(fd uintptr) {
		// Needs CAP_NET_ADMIN over the namespace; of a TAP, Linux 5.15.
		namespace, err = unix.IoctlRetInt(int(fd), t.Namespace)
	}); closed != nil {
		return closed
	}
	if err != nil {
		return f(false)
	}
	defer unix.Close(namespace)
	var there, here unix.Stat_t
	if unix.Fstat(namespace, &there) == nil && unix.Stat("/proc/thread-self/ns/net", &here) == nil &&
		there.Dev == here.Dev && there.Ino == here.Ino {
		return f(true)
	}
	return inOtherNamespace(namespace, f)
}

// inOtherNamespace calls f on a thread of its own, which ends afterwards,
// because its goroutine ends without unlocking it. The caller's thread is
// locked, so it is another one, and not the main thread if that cannot end.
func inOtherNamespace(namespace int, f func(known bool) error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread cannot end.
			done <- inOtherNamespace(namespace, f)
			runtime.UnlockOSThread()
			return
		}
		if err := unix.Setns(namespace, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("%w: %w", ErrElsewhere, err)
			return
		}
		done <- f(true)
	}()
	return <-done
}
