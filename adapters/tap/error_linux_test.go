package tap

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
)

// TestWriteErrors: what the kernel's error means to whoever wrote the frame, and
// what it counts as. A kernel that is out of memory cannot be had in a test.
func TestWriteErrors(t *testing.T) {
	checksum := ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 34}
	for _, tt := range []struct {
		errno unix.Errno
		o     ethstack.Offload
		want  error
		count Stats
	}{
		{unix.EIO, ethstack.Offload{}, ethstack.ErrNoBufferSpace, Stats{WriteDown: 1}},
		{unix.EAGAIN, ethstack.Offload{}, ethstack.ErrNoBufferSpace, Stats{WriteFull: 1}},
		{unix.ENOBUFS, ethstack.Offload{}, ethstack.ErrNoBufferSpace, Stats{WriteFull: 1}},
		{unix.ENOMEM, ethstack.Offload{}, ethstack.ErrNoBufferSpace, Stats{WriteFull: 1}},
		{unix.EBADFD, ethstack.Offload{}, ethstack.ErrDisconnected, Stats{WriteGone: 1}},
		{unix.EMSGSIZE, ethstack.Offload{}, ethstack.ErrMessageTooLong, Stats{WriteTooLong: 1}},
		{unix.EINVAL, checksum, ethstack.ErrUnsupportedOffload, Stats{WriteInvalid: 1}},
		{unix.EINVAL, ethstack.Offload{}, unix.EINVAL, Stats{WriteInvalid: 1}},
		{unix.EFAULT, ethstack.Offload{}, unix.EFAULT, Stats{}},
	} {
		d := &Device{name: "tap0"}
		err := d.writeError(tt.errno, tt.o)
		if !errors.Is(err, tt.want) {
			t.Errorf("%v with %+v: %v, want %v", tt.errno, tt.o, err, tt.want)
		}
		if got := d.Stats(); got != tt.count {
			t.Errorf("%v with %+v: counters %+v, want %+v", tt.errno, tt.o, got, tt.count)
		}
	}
}
