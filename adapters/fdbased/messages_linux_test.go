package fdbased_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestRuntsAndEmptyMessages: a message is a frame, whatever its length; an
// empty one is not the end.
func TestRuntsAndEmptyMessages(t *testing.T) {
	for _, k := range kinds {
		if !k.messages {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			d := device(t, a, fdbased.Options{})
			lengths := []int{0, 1, 0, 13, 14, 0, 60, 0, 0}
			raw := fdOf(t, b)
			for _, n := range lengths {
				wiretest.Check(t, unix.Send(raw, wiretest.Frame(max(n, 14), 1)[:n], 0))
			}
			var got []int
			for len(got) < len(lengths) {
				frames := wiretest.Memory(d, 4)
				n, err := d.Read(0, frames)
				wiretest.Check(t, err)
				for _, f := range frames[:n] {
					got = append(got, f.Len)
				}
			}
			if !slices.Equal(got, lengths) {
				t.Errorf("lengths %v, want %v", got, lengths)
			}
			wantStats(t, d, fdbased.Stats{})
		})
	}
}

// TestEndAfterEmptyMessages: frames in the batch that has the end are not lost.
func TestEndAfterEmptyMessages(t *testing.T) {
	a, b := unixPair(t, unix.SOCK_SEQPACKET)
	d := device(t, a, fdbased.Options{})
	raw := fdOf(t, b)
	for _, n := range []int{0, 60, 0, 14} {
		wiretest.Check(t, unix.Send(raw, wiretest.Frame(60, 1)[:n], 0))
	}
	wiretest.Check(t, b.Close())
	frames := wiretest.Memory(d, 8)
	n, err := d.Read(0, frames)
	if n != 4 || err != nil || frames[0].Len != 0 || frames[1].Len != 60 || frames[2].Len != 0 || frames[3].Len != 14 {
		t.Errorf("Read: %d, %v, with lengths %d, %d, %d, %d; want 0, 60, 0, 14", n, err, frames[0].Len, frames[1].Len, frames[2].Len, frames[3].Len)
	}
	readEnd(t, d)
}

// fdOf returns a file's descriptor for system calls; the file is blocking then.
func fdOf(t testing.TB, f *os.File) int {
	t.Helper()
	fd := int(f.Fd())
	timeout := unix.NsecToTimeval(int64(wiretest.Patience))
	wiretest.Check(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout))
	return fd
}

// TestTooLongInBatch: a frame that does not fit is left out, those around it
// are whole.
func TestTooLongInBatch(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			d, peer := device(t, a, fdbased.Options{}), device(t, b, fdbased.Options{})
			for i, n := range []int{301, 100, 1514, 300, 200} {
				wiretest.Write(t, peer, wiretest.Frame(n, byte(i)), ethstack.Offload{})
			}
			frames := []ethstack.Frame{
				{Bufs: [][]byte{make([]byte, 60), make([]byte, 240)}}, {Bufs: [][]byte{make([]byte, 300)}},
				{Bufs: [][]byte{make([]byte, 1), nil, make([]byte, 299)}}, {Bufs: [][]byte{make([]byte, 300)}},
				{Bufs: [][]byte{make([]byte, 200), make([]byte, 100)}},
			}
			var got [][]byte
			for len(got) < 3 {
				n, err := d.Read(0, frames)
				wiretest.Check(t, err)
				for _, f := range frames[:n] {
					got = append(got, bytes.Join(f.Bufs, nil)[:f.Len])
				}
			}
			want := [][]byte{wiretest.Frame(100, 1), wiretest.Frame(300, 3), wiretest.Frame(200, 4)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
			wantStats(t, d, fdbased.Stats{ReadTooLong: 2})
		})
	}
}

// TestDescriptorsInMessages: a peer that passes file descriptors fills no table.
func TestDescriptorsInMessages(t *testing.T) {
	nstest.Need(t)
	nstest.CheckLeaks(t)
	a, b := unixPair(t, unix.SOCK_SEQPACKET)
	d := device(t, a, fdbased.Options{})
	raw := fdOf(t, b)
	for i := range 20 {
		wiretest.Check(t, unix.Sendmsg(raw, wiretest.Frame(60, byte(i)), unix.UnixRights(raw, raw, raw), nil, 0))
		if got, _ := wiretest.Read(t, d); !bytes.Equal(got, wiretest.Frame(60, byte(i))) {
			t.Errorf("frame %d: %x", i, got)
		}
	}
}
