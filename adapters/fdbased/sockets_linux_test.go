package fdbased_test

import (
	"bytes"
	"errors"
	"os"
	"os/signal"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// fill writes frames of the longest kind, numbered, until one is not taken, and
// returns how many were.
func fill(t testing.TB, d *fdbased.Device) (taken int) {
	t.Helper()
	for {
		f := wiretest.Frame(d.Info().MTU+ethstack.HeaderLen, byte(taken))
		switch n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{f[:100], f[100:]}}}); {
		case n == 1 && err == nil:
			taken++
		case errors.Is(err, ethstack.ErrNoBufferSpace):
			return taken
		default:
			t.Fatalf("Write to a socket that nobody reads: %d, %v, want %v in the end", n, err, ethstack.ErrNoBufferSpace)
		}
	}
}

// TestFull: a frame that was taken arrives, one that was not does not, not even
// a part of it, and there is room again later.
func TestFull(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			d, peer := device(t, a, fdbased.Options{MTU: 9000}), device(t, b, fdbased.Options{MTU: 9000})
			for range 3 {
				full := d.Stats().WriteFull
				taken := fill(t, d)
				frames := make([]ethstack.Frame, 50)
				for i := range frames {
					frames[i].Bufs = [][]byte{wiretest.Frame(9014, 0xee)}
				}
				if n, err := d.Write(0, frames); n != 0 || !errors.Is(err, ethstack.ErrNoBufferSpace) || frames[49].Err == nil {
					t.Errorf("Write to a full socket: %d, %v, the last frame's %v; want 0, %v", n, err, frames[49].Err, ethstack.ErrNoBufferSpace)
				}
				for i := range taken {
					got, _ := wiretest.Read(t, peer)
					if want := wiretest.Frame(9014, byte(i)); !bytes.Equal(got, want) {
						t.Fatalf("frame %d of %d: %d bytes %.20x..., want %d bytes %.20x...", i, taken, len(got), got, len(want), want)
					}
				}
				wantStats(t, d, fdbased.Stats{WriteFull: full + 51})
			}
			wantStats(t, peer, fdbased.Stats{})
		})
	}
}

// TestWaitingCostsNothing: neither a Read without frames nor a frame that was
// written in part keeps the processor busy.
func TestWaitingCostsNothing(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, _ := k.pair(t)
			d := device(t, a, fdbased.Options{})
			fill(t, d)
			go d.Read(0, wiretest.Memory(d, 1))
			before := processorTime(t)
			const window = 200 * time.Millisecond
			time.Sleep(window)
			if used := processorTime(t) - before; used > window/4 {
				t.Errorf("used %v of processor time in %v of waiting", used, window)
			}
		})
	}
}

func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	wiretest.Check(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestPeerGone: what it sent before is read, then the device is gone.
func TestPeerGone(t *testing.T) {
	nstest.Need(t)
	for _, k := range kinds {
		for _, unread := range []bool{false, true} {
			t.Run(k.name, func(t *testing.T) {
				nstest.CheckLeaks(t)
				a, b := k.pair(t)
				d, peer := device(t, a, fdbased.Options{}), device(t, b, fdbased.Options{})
				if unread {
					wiretest.Write(t, d, wiretest.Frame(60, 1), ethstack.Offload{})
				}
				before := 5
				if k.name == "TCP" && unread {
					before = 0 // a reset overtakes what was sent
				}
				for i := range before {
					wiretest.Write(t, peer, wiretest.Frame(60, byte(i)), ethstack.Offload{})
				}
				wiretest.Check(t, peer.Close())
				for i := range before {
					if got, _ := wiretest.Read(t, d); !bytes.Equal(got, wiretest.Frame(60, byte(i))) {
						t.Errorf("frame %d of those sent before: %x", i, got)
					}
				}
				if k.name == "datagram" {
					// Only a frame that is written finds out.
					if n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}}); n != 0 || !errors.Is(err, ethstack.ErrDisconnected) {
						t.Errorf("Write: %d, %v; want 0, %v", n, err, ethstack.ErrDisconnected)
					}
				}
				readEnd(t, d)
				wiretest.Expect(t, wiretest.States(d), "Notify", ethstack.LinkGone)
				gone := d.Stats().WriteGone
				if n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}}); n != 0 || !errors.Is(err, ethstack.ErrDisconnected) {
					t.Errorf("Write: %d, %v; want 0, %v", n, err, ethstack.ErrDisconnected)
				}
				wantStats(t, d, fdbased.Stats{WriteGone: gone + 1})
			})
		}
	}
}

// TestWriteFindsPeerGone: without a signal that would end other programs.
func TestWriteFindsPeerGone(t *testing.T) {
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, unix.SIGPIPE, unix.SIGWINCH)
	t.Cleanup(func() { signal.Stop(signals) })
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			d := device(t, a, fdbased.Options{})
			wiretest.Check(t, b.Close())
			f := []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}}
			wiretest.WaitFor(t, "Write to fail", func() bool { // a TCP stack has to hear of it
				n, err := d.Write(0, f)
				return n == 0 && errors.Is(err, ethstack.ErrDisconnected)
			})
			wiretest.Expect(t, wiretest.States(d), "Notify", ethstack.LinkGone)
			readEnd(t, d)
			// Signals of lower numbers are told first.
			wiretest.Check(t, unix.Kill(unix.Getpid(), unix.SIGWINCH))
			if s := <-signals; s != unix.SIGWINCH {
				t.Errorf("got signal %v", s)
			}
		})
	}
}

// TestPeerGoneDuringRead: a Read that waits ends; of a datagram socket once a
// frame is written.
func TestPeerGoneDuringRead(t *testing.T) {
	nstest.Need(t)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			nstest.CheckLeaks(t)
			a, b := k.pair(t)
			d := device(t, a, fdbased.Options{})
			testGone(t, d, func() error {
				err := b.Close()
				if k.name == "datagram" {
					d.Write(0, []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}})
				}
				return err
			})
		})
	}
}

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
