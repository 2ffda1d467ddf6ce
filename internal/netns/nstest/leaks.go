package nstest

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long goroutines and file descriptors have to go away; tests
// of this package have less.
var patience = 10 * time.Second

// CheckLeaks fails the test if at its end, after a while, there are more
// goroutines or open file descriptors than now. Call it before the cleanups
// that give back what the test uses are registered, and not in a test that
// runs in parallel with others. Where /proc/self/fd is missing only goroutines
// are counted.
func CheckLeaks(t testing.TB) {
	t.Helper()
	// The runtime's poller keeps descriptors from its first use on.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	files, goroutines := openFiles(), runtime.NumGoroutine()
	t.Cleanup(func() {
		var now []string
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			now = openFiles()
			if len(now) <= len(files) && runtime.NumGoroutine() <= goroutines {
				return
			}
			if time.Now().After(deadline) {
				break
			}
		}
		if len(now) > len(files) {
			t.Errorf("%d file descriptors are open, %d were at the start; new are:\n%s",
				len(now), len(files), strings.Join(without(now, files), "\n"))
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			var stacks bytes.Buffer
			pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Errorf("%d goroutines run, %d did at the start:\n%s", n, goroutines, stacks.String())
		}
	})
}

// openFiles lists the open file descriptors, with what each of them is.
func openFiles() []string {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var list []string
	for _, e := range entries {
		// The one that the directory was read with is closed by now.
		if what, err := os.Readlink(dir + "/" + e.Name()); err == nil {
			list = append(list, fmt.Sprintf("%s: %s", e.Name(), what))
		}
	}
	return list
}

func without(list, remove []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(remove, s) })
}
