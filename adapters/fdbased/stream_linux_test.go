package fdbased_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// prefixed puts the length of each frame before it.
func prefixed(frames ...[]byte) (all []byte) {
	for _, b := range frames {
		all = append(binary.BigEndian.AppendUint32(all, uint32(len(b))), b...)
	}
	return all
}

// streamDevice returns a device and the other end of its stream.
func streamDevice(t testing.TB) (*fdbased.Device, *os.File) {
	t.Helper()
	a, b := unixPair(t, unix.SOCK_STREAM)
	return device(t, a, fdbased.Options{}), b
}

// TestStreamFormat: as QEMU speaks it.
func TestStreamFormat(t *testing.T) {
	d, peer := streamDevice(t)
	f := wiretest.Frame(300, 7)
	if n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{f[:14], nil, f[14:]}}, {Bufs: [][]byte{f[:60]}}}); n != 2 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	want := slices.Concat([]byte{0, 0, 0x01, 0x2c}, f, []byte{0, 0, 0, 60}, f[:60])
	got := make([]byte, len(want))
	_, err := io.ReadFull(peer, got)
	wiretest.Check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("on the stream is %x, want %x", got, want)
	}
}

// TestStreamInPieces: wherever the stream is cut, the frames are the same.
func TestStreamInPieces(t *testing.T) {
	want := [][]byte{wiretest.Frame(14, 1), wiretest.Frame(60, 2), wiretest.Frame(257, 3)}
	all := prefixed(want...)
	for _, size := range []int{1, 2, 3, 5, 17, 18, 19, 82, len(all)} {
		d, peer := streamDevice(t)
		go func() {
			for piece := range slices.Chunk(all, size) {
				peer.Write(piece)
			}
		}()
		for i := range want {
			if got, o := wiretest.Read(t, d); !bytes.Equal(got, want[i]) || o != (ethstack.Offload{}) {
				t.Errorf("pieces of %d bytes, frame %d: %x with %+v, want %x with none", size, i, got, o, want[i])
			}
		}
		wantStats(t, d, fdbased.Stats{})
	}
}

// TestStreamReadsAhead: frames that came together are read in one call, up to
// the room there is, without further system calls: the other end is closed.
func TestStreamReadsAhead(t *testing.T) {
	d, peer := streamDevice(t)
	const frames = 1000
	var all []byte
	for i := range frames {
		all = append(all, prefixed(wiretest.Frame(60+i, byte(i)))...)
	}
	go func() {
		peer.Write(all)
		peer.Close()
	}()
	got, calls := 0, 0
	for batch := wiretest.Memory(d, 8); got < frames; calls++ {
		n, err := d.Read(0, batch)
		wiretest.Check(t, err)
		for _, f := range batch[:n] {
			want := wiretest.Frame(60+got, byte(got))
			if b := bytes.Join(f.Bufs, nil)[:f.Len]; !bytes.Equal(b, want) {
				t.Fatalf("frame %d: %d bytes %.20x..., want %d bytes %.20x...", got, len(b), b, len(want), want)
			}
			got++
		}
	}
	if calls > frames/8*2 {
		t.Errorf("%d calls of Read for %d frames, 8 at a time", calls, frames)
	}
	readEnd(t, d)
}

// TestStreamOutOfSync: a length that no frame has ends the device, after the
// frames before it.
func TestStreamOutOfSync(t *testing.T) {
	for _, length := range []uint32{0, 1, 13, ethstack.MaxSuperFrame + 1, 1 << 31, 1<<32 - 1} {
		d, peer := streamDevice(t)
		c := wiretest.States(d)
		wiretest.Expect(t, c, "Notify", ethstack.LinkUp)
		good := wiretest.Frame(60, 1)
		_, err := peer.Write(slices.Concat(prefixed(good), binary.BigEndian.AppendUint32(nil, length), prefixed(good)))
		wiretest.Check(t, err)
		if got, _ := wiretest.Read(t, d); !bytes.Equal(got, good) {
			t.Errorf("length %d: the frame before it is %x, want %x", length, got, good)
		}
		readEnd(t, d)
		readEnd(t, d)
		wiretest.Expect(t, c, "a length that no frame has", ethstack.LinkGone)
		wantStats(t, d, fdbased.Stats{ReadOutOfSync: 1})
		if n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{good}}}); n != 0 || !errors.Is(err, ethstack.ErrDisconnected) {
			t.Errorf("Write: %d, %v; want 0, %v", n, err, ethstack.ErrDisconnected)
		}
	}
}

// TestStreamEndsWithinFrame: or within a length.
func TestStreamEndsWithinFrame(t *testing.T) {
	whole := prefixed(wiretest.Frame(60, 1))
	for _, n := range []int{0, 1, 3, 4, 5, len(whole) - 1} {
		d, peer := streamDevice(t)
		_, err := peer.Write(whole[:n])
		wiretest.Check(t, err, peer.Close())
		readEnd(t, d)
		readEnd(t, d)
		wantStats(t, d, fdbased.Stats{ReadMalformed: uint64(min(n, 1))})
	}
}

// TestStreamLongestFrame: longer than the device's MTU allows it is left out,
// and the stream goes on.
func TestStreamLongestFrame(t *testing.T) {
	d, peer := streamDevice(t)
	last := wiretest.Frame(60, 2)
	go peer.Write(prefixed(wiretest.Frame(ethstack.MaxSuperFrame, 1), last))
	if got, _ := wiretest.Read(t, d); !bytes.Equal(got, last) {
		t.Errorf("read %d bytes %.20x..., want %x", len(got), got, last)
	}
	wantStats(t, d, fdbased.Stats{ReadTooLong: 1})
}

// squeezed makes a device of a file whose buffer for sending is small.
func squeezed(t testing.TB, f *os.File, o fdbased.Options) *fdbased.Device {
	t.Helper()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	wiretest.Check(t, err)
	defer unix.Close(fd)
	d := device(t, f, o)
	wiretest.Check(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 20000))
	return d
}

// TestStreamRestIsWritten: what was begun is ended as soon as there is room,
// without a further Write.
func TestStreamRestIsWritten(t *testing.T) {
	for _, k := range kinds {
		if k.messages {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			a, peer := k.pair(t)
			d := squeezed(t, a, fdbased.Options{MTU: 65535})
			taken := fill(t, d)
			got := make([]byte, 4+65549)
			for i := range taken {
				_, err := io.ReadFull(peer, got)
				wiretest.Check(t, err)
				if want := prefixed(wiretest.Frame(65549, byte(i))); !bytes.Equal(got, want) {
					t.Fatalf("frame %d of %d is %.24x..., want %.24x...", i, taken, got, want)
				}
			}
			// Nothing of the frame that was not taken is there.
			wiretest.Write(t, d, wiretest.Frame(14, 9), ethstack.Offload{})
			got = got[:18]
			_, err := io.ReadFull(peer, got)
			wiretest.Check(t, err)
			if want := prefixed(wiretest.Frame(14, 9)); !bytes.Equal(got, want) {
				t.Errorf("after all %d frames comes %x, want %x", taken, got, want)
			}
			wantStats(t, d, fdbased.Stats{WriteFull: 1})
		})
	}
}

// TestWritersUnderPressure: frames of several writers arrive whole, in
// each one's order, while the socket is full most of the time.
func TestWritersUnderPressure(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			d, peer := squeezed(t, a, fdbased.Options{}), device(t, b, fdbased.Options{})
			const writers, each = 3, 2000
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := 0; i < each; {
						f := wiretest.Frame(200+(i*37)%1300, byte(w))
						binary.BigEndian.PutUint32(f[14:], uint32(i))
						switch n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{f[:20], f[20:]}}}); {
						case n == 1 && err == nil:
							i++
						case errors.Is(err, ethstack.ErrNoBufferSpace):
							time.Sleep(100 * time.Microsecond) // who spins keeps the only processor from the reader
						default:
							t.Errorf("Write: %d, %v", n, err)
							return
						}
					}
				})
			}
			var next [writers]int
			for total, batch := 0, wiretest.Memory(peer, 5); total < writers*each; {
				n, err := peer.Read(0, batch)
				wiretest.Check(t, err)
				for _, f := range batch[:n] {
					got := bytes.Join(f.Bufs, nil)[:f.Len]
					w := got[len(got)-1]
					want := wiretest.Frame(200+(next[w]*37)%1300, w)
					binary.BigEndian.PutUint32(want[14:], uint32(next[w]))
					if !bytes.Equal(got, want) {
						t.Fatalf("writer %d, frame %d: %d bytes %.20x..., want %d bytes %.20x...", w, next[w], len(got), got, len(want), want)
					}
					next[w]++
				}
				total += n
			}
			wg.Wait()
			wantStats(t, peer, fdbased.Stats{})
			if d.Stats().WriteFull == 0 {
				t.Error("the socket was never full")
			}
		})
	}
}
