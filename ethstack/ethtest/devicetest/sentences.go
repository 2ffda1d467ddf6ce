package devicetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack"
)

func testInfo(t *testing.T, a, _ ethstack.Device) {
	info := a.Info()
	if info.MTU < 68 {
		t.Errorf("MTU is %d: want at least 68, IPv4's least", info.MTU)
	}
	if info.MaxFrame < info.MTU+overhead {
		t.Errorf("MaxFrame is %d: want at least MTU + %d = %d", info.MaxFrame, overhead, info.MTU+overhead)
	}
	if info.HardwareAddr.IsGroup() {
		t.Errorf("HardwareAddr is %v, a group's", info.HardwareAddr)
	}
	if again := a.Info(); again != info {
		t.Errorf("Info is %+v, and a moment later %+v", info, again)
	}
	if n := a.Queues(); n < 1 {
		t.Errorf("Queues is %d: want at least 1", n)
	}
}

func testTransfer(t *testing.T, from, to ethstack.Device) {
	var want [][]byte
	longest := min(from.Info().MTU, to.Info().MTU) + overhead
	for i, n := range []int{minLen, minLen + 1, 127, 128, 129, longest - 1, longest} {
		want = append(want, frame(n, uint32(i)))
	}
	write(t, from, want...)
	equal(t, read(t, to, len(want)), want)
}

func testScattered(t *testing.T, a, b ethstack.Device) {
	want := frame(400, 7)
	for _, cuts := range [][]int{{14}, {1, 1, 1}, {128}, {399}, {60, 0, 77}} {
		var bufs [][]byte
		rest := want
		for _, n := range cuts {
			bufs, rest = append(bufs, rest[:n]), rest[n:]
		}
		bufs = append(bufs, rest)
		if n, err := a.Write(0, []ethstack.Frame{{Bufs: bufs}}); n != 1 || err != nil {
			t.Fatalf("Write of a frame cut at %v: %d, %v", cuts, n, err)
		}
		equal(t, read(t, b, 1, ethstack.HeadLen), [][]byte{want})
		write(t, b, want)
		equal(t, read(t, a, 1, append([]int{ethstack.HeadLen}, cuts...)...), [][]byte{want})
	}
}

// testCallersMemory: Write reads its memory during the call only, and writes
// to none of it; Read leaves Bufs as it is.
func testCallersMemory(t *testing.T, a, b ethstack.Device) {
	want := frame(300, 1)
	sent := bytes.Clone(want)
	write(t, a, sent)
	if !bytes.Equal(sent, want) {
		t.Error("Write changed the caller's memory")
	}
	for i := range sent {
		sent[i] = 0xa5
	}
	equal(t, read(t, b, 1), [][]byte{want})

	write(t, b, want)
	for {
		memory := [][]byte{make([]byte, ethstack.HeadLen), make([]byte, a.Info().MaxFrame)}
		frames := []ethstack.Frame{{Bufs: slices.Clone(memory)}}
		if _, err := a.Read(0, frames); err != nil {
			t.Fatalf("Read: %v", err)
		}
		if len(frames[0].Bufs) != 2 || len(frames[0].Bufs[0]) != len(memory[0]) || len(frames[0].Bufs[1]) != len(memory[1]) ||
			&frames[0].Bufs[0][0] != &memory[0][0] || &frames[0].Bufs[1][0] != &memory[1][0] {
			t.Fatal("Read changed Bufs")
		}
		if isOurs(memory[0]) {
			break
		}
	}
}

func testLongerThanMemory(t *testing.T, a, b ethstack.Device) {
	short := frame(200, 2)
	write(t, b, frame(1000, 1), short)
	for {
		frames := []ethstack.Frame{{Bufs: [][]byte{make([]byte, ethstack.HeadLen), make([]byte, 400)}}}
		if _, err := a.Read(0, frames); err != nil {
			t.Fatalf("Read: %v", err)
		}
		all := slices.Concat(frames[0].Bufs...)
		if n, ok := number(all[:min(frames[0].Len, len(all))]); ok {
			if n != 2 {
				t.Errorf("a frame of 1000 bytes was delivered into memory for %d, as %d bytes", len(all), frames[0].Len)
			}
			return
		}
	}
}

// testPartialBatch: the frame that cannot go out has Err set, those around it
// go out.
func testPartialBatch(t *testing.T, a, b ethstack.Device) {
	first, last := frame(100, 1), frame(100, 3)
	frames := []ethstack.Frame{
		{Bufs: [][]byte{first}}, {Bufs: [][]byte{frame(a.Info().MTU+overhead+100, 2)}}, {Bufs: [][]byte{last}},
	}
	n, err := a.Write(0, frames)
	if n != 2 || !errors.Is(err, ethstack.ErrMessageTooLong) {
		t.Errorf("Write of a frame over the MTU between two others: %d, %v; want 2, %v", n, err, ethstack.ErrMessageTooLong)
	}
	if frames[0].Err != nil || frames[1].Err != err || frames[2].Err != nil {
		t.Errorf("Err of the frames: %v, %v, %v; want nil, Write's error, nil", frames[0].Err, frames[1].Err, frames[2].Err)
	}
	equal(t, read(t, b, 2), [][]byte{first, last})
}

func testUnsupportedOffload(t *testing.T, a, _ ethstack.Device) {
	for _, tt := range []struct {
		have    ethstack.Offloads
		offload ethstack.Offload
	}{
		{ethstack.OffloadChecksum, ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 34, ChecksumOffset: 16}},
		{ethstack.OffloadTCPv4, ethstack.Offload{Segment: ethstack.SegmentTCPv4, SegmentSize: 100, HeaderLen: 54}},
		{ethstack.OffloadTCPv6, ethstack.Offload{Segment: ethstack.SegmentTCPv6, SegmentSize: 100, HeaderLen: 74}},
		{ethstack.OffloadUDP, ethstack.Offload{Segment: ethstack.SegmentUDP, SegmentSize: 100, HeaderLen: 42}},
		{^ethstack.Offloads(0), ethstack.Offload{Segment: ethstack.SegmentUDP + 1, SegmentSize: 100, HeaderLen: 42}},
	} {
		if a.Info().Offloads.Has(tt.have) {
			continue
		}
		frames := []ethstack.Frame{{Bufs: [][]byte{frame(300, 1)}, Offload: tt.offload}}
		if n, err := a.Write(0, frames); n != 0 || !errors.Is(err, ethstack.ErrUnsupportedOffload) || frames[0].Err != err {
			t.Errorf("Write of %+v to a device with offloads %v: %d, %v, Err %v; want 0, %v in both",
				tt.offload, a.Info().Offloads, n, err, frames[0].Err, ethstack.ErrUnsupportedOffload)
		}
	}
}

func testConcurrentWriters(t *testing.T, a, b ethstack.Device) {
	const writers, each = 4, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				f := []ethstack.Frame{{Bufs: [][]byte{frame(100, uint32(w*each+i))}}}
				if _, err := a.Write(0, f); err != nil {
					t.Errorf("writer %d, frame %d: %v", w, i, err)
				}
			}
		})
	}
	var order [writers][]uint32
	for _, f := range read(t, b, writers*each) {
		n, _ := number(f)
		order[n/each] = append(order[n/each], n%each)
	}
	wg.Wait()
	for w, got := range order {
		if len(got) != each || !slices.IsSorted(got) {
			t.Errorf("frames of writer %d: %v; want 0 to %d in order", w, got, each-1)
		}
	}
}

func testNotify(t *testing.T, a, _ ethstack.Device) {
	var told []ethstack.LinkState // only the first is read, before any other can come
	once := make(chan struct{})
	a.Notify(func(s ethstack.LinkState) {
		select {
		case <-once:
		default:
			told = append(told, s)
			close(once)
		}
	})
	select {
	case <-once:
	default:
		t.Fatal("Notify returned before its function was called with the present state")
	}
	if told[0] != ethstack.LinkUp {
		t.Errorf("state of a device that was just opened: %v, want %v", told[0], ethstack.LinkUp)
	}
	a.Notify(nil)
}

func testCloseEndsRead(t *testing.T, a, _ ethstack.Device) {
	done := make(chan error, a.Queues())
	for q := range a.Queues() {
		go func() {
			for {
				frames := []ethstack.Frame{{Bufs: [][]byte{make([]byte, a.Info().MaxFrame)}}}
				if _, err := a.Read(q, frames); err != nil {
					done <- fmt.Errorf("queue %d: %w", q, err)
					return
				}
			}
		}()
	}
	if err := a.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	for range a.Queues() {
		select {
		case err := <-done:
			if !errors.Is(err, ethstack.ErrDisconnected) {
				t.Errorf("Read when the device is closed: %v, want %v", err, ethstack.ErrDisconnected)
			}
		case <-time.After(patience):
			t.Fatal("Close did not end Read")
		}
	}
}

func testAfterClose(t *testing.T, a, _ ethstack.Device) {
	if err := a.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("second Close: %v, want nil", err)
	}
	if _, err := a.Read(0, []ethstack.Frame{{Bufs: [][]byte{make([]byte, 2000)}}}); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Read after Close: %v, want %v", err, ethstack.ErrDisconnected)
	}
	frames := []ethstack.Frame{{Bufs: [][]byte{frame(60, 1)}}, {Bufs: [][]byte{frame(60, 2)}}}
	n, err := a.Write(0, frames)
	if n != 0 || !errors.Is(err, ethstack.ErrDisconnected) ||
		!errors.Is(frames[0].Err, ethstack.ErrDisconnected) || !errors.Is(frames[1].Err, ethstack.ErrDisconnected) {
		t.Errorf("Write after Close: %d, %v, Err %v and %v; want 0 and %v in all",
			n, err, frames[0].Err, frames[1].Err, ethstack.ErrDisconnected)
	}
	if n := a.Queues(); n < 1 {
		t.Errorf("Queues after Close is %d", n)
	}
}
