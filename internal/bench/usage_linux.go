package bench

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A usage is what a process has used and done until now.
type usage struct {
	// At is when: times of one process can be compared with each other only.
	At time.Duration
	// Done is in units of the test.
	Done uint64
	// CPU is user and system time.
	CPU time.Duration
	// Allocs is how often memory was allocated.
	Allocs uint64
}

// epoch is when this process started, or nearly.
var epoch = time.Now()

// measure returns this process's usage. The count comes first, and with its
// time.
func measure(l load) (u usage, err error) {
	u.Done, u.At = l.done(), time.Since(epoch)
	if u.CPU, err = ownCPU(); err != nil {
		return u, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Allocs = m.Mallocs
	return u, nil
}

// ownCPU returns the CPU time of this process.
func ownCPU() (time.Duration, error) {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return 0, fmt.Errorf("bench: getrusage: %w", err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}

// machineCPU returns the time that all CPUs were busy.
func machineCPU() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseStat(b)
}

// parseStat reads the first line of /proc/stat: in hundredths of a second, user,
// nice, system, idle, waiting for I/O, interrupts, soft interrupts, ...
func parseStat(b []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 8 || string(fields[0]) != "cpu" {
		return 0, fmt.Errorf("bench: /proc/stat begins with %q", line)
	}
	busy := time.Duration(0)
	for _, i := range []int{1, 2, 3, 6, 7} {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("bench: /proc/stat begins with %q", line)
		}
		busy += time.Duration(n) * 10 * time.Millisecond
	}
	return busy, nil
}
