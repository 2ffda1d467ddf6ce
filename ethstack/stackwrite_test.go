package ethstack

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStackWrite lists frames with what is said to them. One that is sent goes
// out as it is, in whatever pieces it was given.
func TestStackWrite(t *testing.T) {
	ipv4 := []byte{8, 0}
	tag := []byte{0x81, 0, 0, 5, 8, 0}
	for _, c := range []struct {
		name  string
		frame []byte
		want  string // part of the error; empty: none
	}{
		{"the header alone", frameOf(hwB, hwA, ipv4), ""},
		{"longest", frameOf(hwB, hwA, ipv4, make([]byte, 1500)...), ""},
		{"longest with a tag", frameOf(hwB, hwA, tag, make([]byte, 1500)...), ""},
		{"nothing", nil, "frame of 0 bytes"},
		{"half a header", frameOf(hwB, hwA, nil, 8), "frame of 13 bytes"},
		{"too long", frameOf(hwB, hwA, ipv4, make([]byte, 1501)...), "MTU of 1500 allows 1514"},
		{"too long with a tag", frameOf(hwB, hwA, tag, make([]byte, 1501)...), "MTU of 1500 allows 1518"},
		{"R16: all of its length", frameOf(hwB, hwA, []byte{0, 3}, 1, 2, 3, 0), ""},
		{"R16: length beyond the frame", frameOf(hwB, hwA, []byte{0, 4}, 1, 2, 3), "length field says 4: its payload has 3"},
		{"R16: behind a tag", frameOf(hwB, hwA, []byte{0x81, 0, 0, 5, 0, 9}, 1, 2), "length field says 9: its payload has 2"},
	} {
		for _, at := range []int{0, min(5, len(c.frame)), min(20, len(c.frame))} {
			s, dev := newTestStack(t, Options{})
			err := s.Writev(cut(c.frame, at))
			switch {
			case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			case c.want != "" && len(dev.written) != 0:
				t.Errorf("%s: sent, with %v", c.name, err)
			case c.want == "" && (len(dev.written) != 1 || !bytes.Equal(dev.written[0], c.frame)):
				t.Errorf("%s: %d frames sent, or not as given", c.name, len(dev.written))
			}
		}
	}
}

// A headsFirst device keeps the first buffer of what is written.
type headsFirst struct {
	*memDevice
	first []byte
}

func (d *headsFirst) Write(_ int, frames []Frame) (int, error) {
	d.first = bytes.Clone(frames[0].Bufs[0])
	return len(frames), nil
}

// TestStackWriteHeaders: a device gets all headers in its first buffer, and what
// is long behind them is not copied for that.
func TestStackWriteHeaders(t *testing.T) {
	dev := &headsFirst{memDevice: newMemDevice()}
	s, err := Connect(dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Disconnect()
	frame := frameOf(hwB, hwA, []byte{8, 0}, make([]byte, 400)...)
	for _, c := range []struct{ at, want int }{{14, len(frame)}, {HeadLen - 1, len(frame)}, {HeadLen, HeadLen}} {
		if err := s.Writev(cut(frame, c.at)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(dev.first, frame[:c.want]) {
			t.Errorf("cut at %d: the first buffer has %d bytes, want %d", c.at, len(dev.first), c.want)
		}
	}
}

// TestStackErrors: a device's error keeps its kind, or becomes an UnknownError
// that has it.
func TestStackErrors(t *testing.T) {
	s, dev := newTestStack(t, Options{})
	frame := frameOf(hwB, hwA, []byte{8, 0}, 1)
	for _, want := range []error{ErrDisconnected, ErrUnimplemented, ErrNoBufferSpace, ErrMessageTooLong, ErrUnsupportedOffload} {
		dev.fail = want
		var unknown *UnknownError
		if err := s.Write(frame); !errors.Is(err, want) || errors.As(err, &unknown) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	dev.fail = errors.New("on fire")
	err := s.Write(frame)
	var unknown *UnknownError
	if !errors.As(err, &unknown) || !errors.Is(err, dev.fail) {
		t.Fatalf("%v: no UnknownError with its cause", err)
	}
	if diff := cmp.Diff("ethstack: write: on fire", unknown.Error()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// TestHandlerGetsWholeChecksum: handlers know of no metadata.
func TestHandlerGetsWholeChecksum(t *testing.T) {
	s, _ := newTestStack(t, Options{})
	want := testPacket{udp: true, payload: 30}.build(1)
	copy(want.bytes, hwA[:])
	copy(want.bytes[6:], hwB[:])
	partial := *want
	partial.bytes = bytes.Clone(want.bytes)
	f := received(Frame{Bufs: [][]byte{partial.partial().bytes}, Offload: want.offload(0)})
	var got []byte
	h := &Handlers{IPv4: func(packet []byte) { got = bytes.Clone(packet) }}
	var sums batch
	s.link.input(&listenReceiver{handlers: h}, f, 1500, &sums)
	if !bytes.Equal(got, want.bytes[want.network:]) {
		t.Errorf("the handler got % x, want % x", got, want.bytes[want.network:])
	}
}
