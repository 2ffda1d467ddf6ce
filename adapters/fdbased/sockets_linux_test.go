package fdbased_test

import (
	"bytes"
	"errors"
	"os"
	"os/signal"
	"testing"
	"time"

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

// TestPeerTurnsAway: a datagram socket whose peer connects to another one. The
// kernel says so if there were frames that the peer had not read.
func TestPeerTurnsAway(t *testing.T) {
	var ends [3]*os.File
	var names [3]unix.Sockaddr
	for i := range ends {
		ends[i] = socketFile(t, unix.AF_UNIX, unix.SOCK_DGRAM)
		fd := int(ends[i].Fd())
		wiretest.Check(t, unix.Bind(fd, &unix.SockaddrUnix{})) // to a name of the kernel's choice
		var err error
		names[i], err = unix.Getsockname(fd)
		wiretest.Check(t, err)
	}
	wiretest.Check(t, unix.Connect(int(ends[0].Fd()), names[1]), unix.Connect(int(ends[1].Fd()), names[0]))
	d := device(t, ends[0], fdbased.Options{})
	wiretest.Write(t, d, wiretest.Frame(60, 1), ethstack.Offload{})
	testGone(t, d, func() error {
		return unix.Connect(int(ends[1].Fd()), names[2])
	})
}
