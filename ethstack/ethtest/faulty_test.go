package ethtest_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// newFaulty makes a faulty device and the port at the other end.
func newFaulty(t testing.TB, o ethtest.FaultOptions) (*ethtest.FaultyDevice, *ethtest.Port) {
	t.Helper()
	a, b, err := ethtest.Pipe(ethtest.PortOptions{HardwareAddr: addrA}, ethtest.PortOptions{HardwareAddr: addrB, QueueLen: 4096})
	if err != nil {
		t.Fatal(err)
	}
	d, err := ethtest.Faulty(a, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close(); b.Close() })
	return d, b
}

func TestFaultOptionErrors(t *testing.T) {
	d, port := newFaulty(t, ethtest.FaultOptions{})
	for _, p := range []float64{-0.1, 1.1} {
		var r ethtest.FaultRates
		r[ethtest.FaultFlap] = p
		if _, err := ethtest.Faulty(port, ethtest.FaultOptions{Rates: r}); err == nil {
			t.Errorf("Faulty with a rate of %v: no error", p)
		}
		if err := d.SetRates(r); err == nil {
			t.Errorf("SetRates with a rate of %v: no error", p)
		}
	}
}

// TestReadFaults: each fault does to a frame what its name says, once.
func TestReadFaults(t *testing.T) {
	const memory = 2000
	sent := frame(addrA, addrB, 77)
	for _, tt := range []struct {
		fault ethtest.Fault
		wrong func(f *ethstack.Frame, b []byte) bool // b: all memory
	}{
		{ethtest.FaultCorrupt, func(f *ethstack.Frame, b []byte) bool {
			changed := 0
			for i := range sent {
				if b[i] != sent[i] {
					changed++
				}
			}
			return f.Len == len(sent) && changed == 1
		}},
		{ethtest.FaultTruncate, func(f *ethstack.Frame, b []byte) bool {
			return f.Len < len(sent) && bytes.Equal(b[:f.Len], sent[:f.Len])
		}},
		{ethtest.FaultOversize, func(f *ethstack.Frame, b []byte) bool {
			tail := b[len(sent):f.Len]
			return f.Len > 1518 && bytes.Equal(b[:len(sent)], sent) && !bytes.Equal(tail, make([]byte, len(tail)))
		}},
		{ethtest.FaultChecksumPlace, func(f *ethstack.Frame, _ []byte) bool {
			return f.Offload.Flags == ethstack.NeedsChecksum && int(f.Offload.ChecksumStart) >= len(sent)
		}},
		{ethtest.FaultChecksumGarbage, func(f *ethstack.Frame, _ []byte) bool {
			return f.Offload.Flags == ethstack.NeedsChecksum && int(f.Offload.ChecksumStart+f.Offload.ChecksumOffset) < len(sent)
		}},
		{ethtest.FaultSegmentSize, func(f *ethstack.Frame, _ []byte) bool {
			return f.Offload.Segment != ethstack.SegmentNone && f.Offload.SegmentSize == 0
		}},
		{ethtest.FaultSegmentType, func(f *ethstack.Frame, _ []byte) bool {
			return f.Offload.Segment != ethstack.SegmentNone && f.Offload.SegmentSize > 0
		}},
		{ethtest.FaultHeaderLen, func(f *ethstack.Frame, _ []byte) bool { return int(f.Offload.HeaderLen) > len(sent) }},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			d, peer := newFaulty(t, ethtest.FaultOptions{Seed: 1})
			d.Force(tt.fault, 1)
			for _, spoiled := range []bool{true, false} {
				write(t, peer, sent)
				f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 128), make([]byte, memory-128)}}}
				if n, err := d.Read(0, f); n != 1 || err != nil {
					t.Fatalf("Read: %d, %v", n, err)
				}
				b := slices.Concat(f[0].Bufs...)
				if spoiled && !tt.wrong(&f[0], b) {
					t.Errorf("got %d bytes %x, %+v", f[0].Len, b[:f[0].Len], f[0].Offload)
				}
				if good := bytes.Equal(b[:f[0].Len], sent) && f[0].Offload == (ethstack.Offload{}); !spoiled && !good {
					t.Errorf("the frame after it: %d bytes %x, %+v", f[0].Len, b[:f[0].Len], f[0].Offload)
				}
			}
			wantFaults(t, d, map[ethtest.Fault]uint64{tt.fault: 1})
		})
	}
}

func wantFaults(t *testing.T, d *ethtest.FaultyDevice, faults map[ethtest.Fault]uint64) {
	t.Helper()
	var want [ethtest.NumFaults]uint64
	for f, n := range faults {
		want[f] = n
	}
	if diff := cmp.Diff(want, d.Faults()); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestReadError(t *testing.T) {
	d, peer := newFaulty(t, ethtest.FaultOptions{})
	write(t, peer, frame(addrA, addrB, 5))
	d.Force(ethtest.FaultReadError, 2)
	f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 100)}}}
	for range 2 {
		if n, err := d.Read(0, f); n != 0 || err == nil || errors.Is(err, ethstack.ErrDisconnected) {
			t.Errorf("Read: %d, %v; want an error that may be temporary", n, err)
		}
	}
	if n, err := d.Read(0, f); n != 1 || err != nil || numberOf(f[0].Bufs[0]) != 5 {
		t.Errorf("Read after that: %d, %v", n, err)
	}
	wantFaults(t, d, map[ethtest.Fault]uint64{ethtest.FaultReadError: 2})
}

// TestDuplicate: it needs room in the caller's memory, and waits for that.
func TestDuplicate(t *testing.T) {
	d, peer := newFaulty(t, ethtest.FaultOptions{})
	d.Force(ethtest.FaultDuplicate, 1)
	write(t, peer, frame(addrA, addrB, 1), frame(addrA, addrB, 2), frame(addrA, addrB, 3))
	var got []int
	for _, room := range []int{1, 5} {
		f := make([]ethstack.Frame, room)
		for k := range f {
			f[k].Bufs = [][]byte{make([]byte, 20), make([]byte, 80)}
		}
		n, err := d.Read(0, f)
		if err != nil {
			t.Fatal(err)
		}
		for k := range f[:n] {
			got = append(got, numberOf(slices.Concat(f[k].Bufs...)))
		}
	}
	if diff := cmp.Diff([]int{1, 2, 3, 2}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantFaults(t, d, map[ethtest.Fault]uint64{ethtest.FaultDuplicate: 1})
}

// TestWriteFaults: the frames that a fault refuses have its error, all others
// arrive.
func TestWriteFaults(t *testing.T) {
	full := ethstack.ErrNoBufferSpace
	for _, tt := range []struct {
		fault  ethtest.Fault
		err    error
		calls  int // that the fault lasts
		counts uint64
		left   []int // of the frames 0, 1, 2 of those calls
	}{
		{ethtest.FaultFull, full, 1, 1, []int{1, 2}},
		{ethtest.FaultTooLong, ethstack.ErrMessageTooLong, 1, 1, []int{1, 2}},
		{ethtest.FaultOffload, ethstack.ErrUnsupportedOffload, 1, 1, []int{1, 2}},
		{ethtest.FaultDisconnected, ethstack.ErrDisconnected, 1, 1, []int{1, 2}},
		{ethtest.FaultWriteError, nil, 1, 1, []int{1, 2}},
		{ethtest.FaultPartial, full, 1, 3, nil},
		{ethtest.FaultStall, full, 16, 48, nil},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			d, peer := newFaulty(t, ethtest.FaultOptions{})
			d.Force(tt.fault, 1)
			for call := range tt.calls + 1 {
				var frames []ethstack.Frame
				for k := range 3 {
					frames = append(frames, ethstack.Frame{Bufs: [][]byte{frame(addrB, addrA, k)}})
				}
				left := tt.left
				if call == tt.calls {
					left = []int{0, 1, 2}
				}
				n, err := d.Write(0, frames)
				var first error
				for k := range frames {
					e := frames[k].Err
					if (e == nil) != slices.Contains(left, k) || e != nil && tt.err != nil && !errors.Is(e, tt.err) {
						t.Errorf("call %d, frame %d: %v", call, k, e)
					}
					if first == nil {
						first = e
					}
				}
				if n != len(left) || err != first {
					t.Errorf("call %d: %d, %v; want %d, %v", call, n, err, len(left), first)
				}
				if diff := cmp.Diff(left, readAll(t, peer)); diff != "" {
					t.Errorf("call %d: arrived (-want +got):\n%s", call, diff)
				}
			}
			wantFaults(t, d, map[ethtest.Fault]uint64{tt.fault: tt.counts})
		})
	}
}

// TestPartialInTheMiddle: what is before the fault arrives.
func TestPartialInTheMiddle(t *testing.T) {
	const seed, frames = 5, 1000
	var r ethtest.FaultRates
	r[ethtest.FaultPartial] = 0.2
	d, peer := newFaulty(t, ethtest.FaultOptions{Seed: seed, Rates: r})
	middle := false
	for range frames / 4 {
		batch := make([]ethstack.Frame, 4)
		for k := range batch {
			batch[k].Bufs = [][]byte{frame(addrB, addrA, k)}
		}
		n, _ := d.Write(0, batch)
		middle = middle || n > 0 && n < 4
		for k := range batch {
			if (batch[k].Err == nil) != (k < n) {
				t.Fatalf("seed %d: %d taken, frame %d: %v", seed, n, k, batch[k].Err)
			}
		}
		if got := len(readAll(t, peer)); got != n {
			t.Fatalf("seed %d: %d taken, %d arrived", seed, n, got)
		}
	}
	if !middle {
		t.Errorf("seed %d: no batch was taken in part", seed)
	}
}
