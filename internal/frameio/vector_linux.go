package frameio

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// MaxVectors is UIO_MAXIOV, the most vectors that a system call takes.
const MaxVectors = 1024

// Vector describes b, which is not empty.
func Vector(b []byte) unix.Iovec {
	v := unix.Iovec{Base: &b[0]}
	v.SetLen(len(b))
	return v
}

// AppendRead appends vectors for a frame to be read into bufs to v, at most n,
// and returns how long a frame fits: memory in more pieces is not used.
func AppendRead(v []unix.Iovec, bufs [][]byte, n int) (_ []unix.Iovec, room int) {
	n += len(v)
	for _, b := range bufs {
		if len(b) > 0 && len(v) < n {
			v = append(v, Vector(b))
			room += len(b)
		}
	}
	return v, room
}

// AppendWrite appends vectors for a frame to be written from bufs to v, at most
// n. Of more pieces the last ones are joined to one: in memory appended to
// joined, which is returned too.
func AppendWrite(v []unix.Iovec, joined []byte, bufs [][]byte, n int) (_ []unix.Iovec, _ []byte) {
	n += len(v)
	for i, b := range bufs {
		if len(b) == 0 {
			continue
		}
		if len(v) == n-1 {
			start := len(joined)
			for _, b := range bufs[i:] {
				joined = append(joined, b...)
			}
			return append(v, Vector(joined[start:])), joined
		}
		v = append(v, Vector(b))
	}
	return v, joined
}

// Duplicate returns another file descriptor for what f is: an adapter works
// with one of its own, because whether the caller's is known to the poller, and
// how, cannot be told.
func Duplicate(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var dupErr error
	if err := raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, err
	}
	if dupErr != nil {
		return -1, fmt.Errorf("duplicating: %w", dupErr)
	}
	return fd, nil
}
