package tap_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest/devicetest"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestDeviceContract runs the contract's tests on two TAPs that the kernel
// bridges.
func TestDeviceContract(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    tap.Options
	}{
		{"offload", tap.Options{}},
		{"plain", tap.Options{NoOffload: true}},
		{"MTU 9000", tap.Options{MTU: 9000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nstest.NeedTUN(t)
			devicetest.Run(t, func(t *testing.T) (a, b ethstack.Device) {
				wiretest.Check(t, netns.AddBridge("br"))
				t.Cleanup(func() { wiretest.Check(t, netns.DelLink("br")) })
				first, second := open(t, tt.o), open(t, tt.o)
				for _, name := range []string{first.Info().Name, second.Info().Name} {
					wiretest.Check(t, netns.SetBridge(name, "br"))
				}
				wiretest.Check(t, netns.SetIPv6("br", false), netns.SetUp("br"))
				return first, second
			})
		})
	}
}

// TestDeviceContractOfSeveralQueues: frames that are not IP have no flow, and
// come in on one queue.
func TestDeviceContractOfSeveralQueues(t *testing.T) {
	nstest.NeedTUN(t)
	devicetest.Run(t, func(t *testing.T) (a, b ethstack.Device) {
		wiretest.Check(t, netns.AddBridge("br"))
		t.Cleanup(func() { wiretest.Check(t, netns.DelLink("br")) })
		var pair [2]wiretest.OneQueue
		for i := range pair {
			d := open(t, tap.Options{Queues: someQueues})
			name := d.Info().Name
			kernel := wiretest.Listen(t, name, false)
			pair[i] = wiretest.OneQueue{Device: d, Queue: queueOfExperiments(t, d, kernel)}
			wiretest.Check(t, netns.SetBridge(name, "br"))
		}
		wiretest.Check(t, netns.SetIPv6("br", false), netns.SetUp("br"))
		return pair[0], pair[1]
	})
}

func TestFramesBothWays(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    tap.Options
	}{
		{"offload", tap.Options{}},
		{"plain", tap.Options{NoOffload: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, tt.o)
			kernel := wiretest.Listen(t, d.Info().Name, false)
			for _, n := range []int{14, 15, 59, 60, 64, 128, 129, 1513, 1514} {
				want := wiretest.Frame(n, byte(n))
				wiretest.Write(t, d, want, ethstack.Offload{})
				if _, got := kernel.Receive(t); !bytes.Equal(got, want) {
					t.Errorf("the kernel received %d bytes %.40x..., want %d bytes %.40x...", len(got), got, len(want), want)
				}
				kernel.Send(t, nil, want)
				if got, o := wiretest.Read(t, d); !bytes.Equal(got, want) || o != (ethstack.Offload{}) {
					t.Errorf("read %d bytes %.40x... with %+v, want %d bytes %.40x... with none", len(got), got, o, len(want), want)
				}
			}
			if got, want := d.Stats(), (tap.Stats{}); got != want {
				t.Errorf("counters %+v, want all zero", got)
			}
		})
	}
}

// TestJumbo: an MTU of 9000 is the payload's length; a tag is no payload.
func TestJumbo(t *testing.T) {
	d := open(t, tap.Options{MTU: 9000})
	link, err := netns.Link(d.Info().Name)
	wiretest.Check(t, err)
	if got := d.Info().MTU; got != 9000 || link.MTU != 9000 {
		t.Errorf("MTU is %d, the interface's is %d; want 9000", got, link.MTU)
	}
	kernel := wiretest.Listen(t, d.Info().Name, false)
	want := wiretest.Frame(9014, 1)
	wiretest.Write(t, d, want, ethstack.Offload{})
	if _, got := kernel.Receive(t); !bytes.Equal(got, want) {
		t.Errorf("the kernel received %d bytes, want %d, the same", len(got), len(want))
	}
	kernel.Send(t, nil, want)
	if got, _ := wiretest.Read(t, d); !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, want %d, the same", len(got), len(want))
	}
	tagged := wiretest.Frame(9018, 1)
	copy(tagged[12:], "\x81\x00")
	wiretest.Write(t, d, tagged, ethstack.Offload{})

	for _, b := range [][]byte{wiretest.Frame(9015, 1), append(tagged, 0)} {
		n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{b}}})
		if n != 0 || !errors.Is(err, ethstack.ErrMessageTooLong) {
			t.Errorf("Write of %d bytes with EtherType %x: %d, %v; want 0, %v", len(b), b[12:14], n, err, ethstack.ErrMessageTooLong)
		}
	}
	if got, want := d.Stats(), (tap.Stats{WriteTooLong: 2}); got != want {
		t.Errorf("counters %+v, want %+v", got, want)
	}
}

func TestFrameTooLongForItsMemory(t *testing.T) {
	for _, o := range []tap.Options{{}, {NoOffload: true}} {
		d := open(t, o)
		kernel := wiretest.Listen(t, d.Info().Name, false)
		for _, n := range []int{200, 101, 100} { // the last one fits exactly
			kernel.Send(t, nil, wiretest.Frame(n, byte(n)))
		}
		frames := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 60), make([]byte, 40)}}}
		n, err := d.Read(0, frames)
		if n != 1 || err != nil || frames[0].Len != 100 {
			t.Errorf("Read: %d, %v, of %d bytes; want the frame of 100 bytes", n, err, frames[0].Len)
		}
		if got, want := d.Stats(), (tap.Stats{ReadTooLong: 2}); got != want {
			t.Errorf("counters %+v, want %+v", got, want)
		}
	}
}

func TestReadFillsBatch(t *testing.T) {
	d := open(t, tap.Options{})
	kernel := wiretest.Listen(t, d.Info().Name, false)
	for i := range 5 {
		kernel.Send(t, nil, wiretest.Frame(100, byte(i)))
	}
	var got []byte
	for _, want := range []int{3, 2} {
		frames := wiretest.Memory(d, 3)
		n, err := d.Read(0, frames)
		if n != want || err != nil {
			t.Fatalf("Read into 3 frames: %d, %v; want %d", n, err, want)
		}
		for _, f := range frames[:n] {
			got = append(got, f.Bufs[0][99])
		}
	}
	if want := []byte{0, 1, 2, 3, 4}; !bytes.Equal(got, want) {
		t.Errorf("order of the frames %v, want %v", got, want)
	}
}

// TestFrameInManyPieces: more pieces than a system call takes.
func TestFrameInManyPieces(t *testing.T) {
	for _, o := range []tap.Options{{}, {NoOffload: true}} {
		d := open(t, o)
		kernel := wiretest.Listen(t, d.Info().Name, false)
		want := wiretest.Frame(1500, 0)
		for i := 14; i < len(want); i++ {
			want[i] = byte(i)
		}
		var pieces [][]byte
		for i := range want {
			pieces = append(pieces, want[i:i+1], nil)
		}
		for range 2 { // again, with a vector that was used before
			if n, err := d.Write(0, []ethstack.Frame{{Bufs: pieces}}); n != 1 || err != nil {
				t.Fatalf("Write of a frame in %d pieces: %d, %v", len(pieces), n, err)
			}
			if _, got := kernel.Receive(t); !bytes.Equal(got, want) {
				t.Errorf("the kernel received %d bytes, want %d, the same", len(got), len(want))
			}
		}
	}
}

func TestWriteOfWhatIsNoFrame(t *testing.T) {
	d := open(t, tap.Options{})
	kernel := wiretest.Listen(t, d.Info().Name, false)
	var frames []ethstack.Frame
	for n := range 14 {
		frames = append(frames, ethstack.Frame{Bufs: [][]byte{make([]byte, n)}})
	}
	// Metadata that the device has, but that is wrong for the frame.
	last := wiretest.Frame(60, 1)
	frames = append(frames,
		ethstack.Frame{Bufs: [][]byte{wiretest.Frame(60, 0)}, Offload: ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 59}},
		ethstack.Frame{Bufs: [][]byte{wiretest.Frame(60, 0)}, Offload: ethstack.Offload{Segment: ethstack.SegmentTCPv4}},
		ethstack.Frame{Bufs: [][]byte{last}},
	)
	n, err := d.Write(0, frames)
	if n != 1 || err == nil || err != frames[0].Err {
		t.Errorf("Write of one good frame in %d: %d, %v; want 1 and the first frame's error, %v", len(frames), n, err, frames[0].Err)
	}
	for i := range 14 {
		if frames[i].Err == nil || errors.Is(frames[i].Err, ethstack.ErrNoBufferSpace) {
			t.Errorf("a frame of %d bytes: %v; want an error that does not ask to retry", i, frames[i].Err)
		}
	}
	for _, f := range frames[14:16] {
		if !errors.Is(f.Err, ethstack.ErrUnsupportedOffload) {
			t.Errorf("a frame of 60 bytes with %+v: %v, want %v", f.Offload, f.Err, ethstack.ErrUnsupportedOffload)
		}
	}
	if _, got := kernel.Receive(t); !bytes.Equal(got, last) {
		t.Errorf("the kernel received %x, want %x", got, last)
	}
	if got, want := d.Stats(), (tap.Stats{WriteInvalid: 16}); got != want {
		t.Errorf("counters %+v, want %+v", got, want)
	}
}
