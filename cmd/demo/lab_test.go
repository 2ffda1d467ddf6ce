package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
)

func TestLabInMemory(t *testing.T) {
	checkLeaks(t)
	stdout, stderr, status := runDemo(t, "-via", "memory", "-size", "4")
	if status != statusOK || stderr != "" {
		t.Errorf("status %d, errors %q; want %d, none", status, stderr, statusOK)
	}
	golden(t, "memory", stdout)
}

// A corrupter changes one byte of what it reads, where no checksum tells.
type corrupter struct{ ethstack.Device }

func (c corrupter) Read(queue int, frames []ethstack.Frame) (int, error) {
	n, err := c.Device.Read(queue, frames)
	for _, f := range frames[:n] {
		// The data of a frame whose checksum is not complete is held to be good.
		if f.Offload.Flags&ethstack.NeedsChecksum != 0 && f.Len > 10000 {
			at := f.Len - 1
			for _, b := range f.Bufs {
				if at < len(b) {
					b[at] ^= 1
					break
				}
				at -= len(b)
			}
		}
	}
	return n, err
}

// memoryLab runs the lab in memory, our end of the wire wrapped in another
// device.
func memoryLab(ctx context.Context, t *testing.T, o labOptions, wrap func(ethstack.Device) ethstack.Device) (string, *report, error) {
	t.Helper()
	w, err := openMemory(o.mtu)
	if err != nil {
		t.Fatal(err)
	}
	w.dev = wrap(w.dev)
	var out bytes.Buffer
	r := newReport(&out)
	err = runOn(ctx, w, o, r)
	return out.String(), r, err
}

func TestLabSeesChangedBytes(t *testing.T) {
	checkLeaks(t)
	o := labOptions{size: 1 << 20, mtu: defaultMTU, timeout: time.Minute}
	out, r, err := memoryLab(t.Context(), t, o, func(d ethstack.Device) ethstack.Device { return corrupter{d} })
	if err != checksFailed(2) {
		t.Errorf("the lab ended with %v, want that it goes on and that 2 checks failed", err)
	}
	// Of both kinds of address, in the direction to us.
	const want = "peer -> netstack    IPv4     1 MiB  FAILED: the bytes differ: SHA-256 is"
	if !strings.Contains(out, want) || !strings.Contains(out, "netstack -> peer    IPv4     1 MiB   ") {
		t.Errorf("output does not say that one direction differs and the other does not:\n%s", out)
	}
	if r.Failed() != 2 || strings.Contains(out, "all of it matched") || !strings.Contains(out, "counters") {
		t.Errorf("%d checks failed, want 2, that not all matched, and counters:\n%s", r.Failed(), out)
	}
}

// A swallower loses what is written.
type swallower struct{ ethstack.Device }

func (swallower) Write(_ int, frames []ethstack.Frame) (int, error) { return len(frames), nil }

// TestLabWhereNothingGetsThrough: the run ends when its time is over, and says
// so.
func TestLabWhereNothingGetsThrough(t *testing.T) {
	checkLeaks(t)
	o := labOptions{size: 1 << 20, mtu: defaultMTU, timeout: lab.PingCount*lab.PingPatience + 2*time.Second}
	out, r, err := memoryLab(t.Context(), t, o, func(d ethstack.Device) ethstack.Device { return swallower{d} })
	var end timeout
	if !errors.As(err, &end) || end.after != o.timeout || !strings.Contains(err.Error(), "-timeout") {
		t.Errorf("the lab ended with %v, want that it says to give more time", err)
	}
	const want = "peer -> netstack    IPv4  192.0.2.2    FAILED: "
	if !strings.Contains(out, want) || r.Failed() == 0 || strings.Contains(out, "all of it matched") {
		t.Errorf("%d checks failed, output does not say %q:\n%s", r.Failed(), want, out)
	}
}

// An alarm calls a function when the first super-frame is read: in the middle
// of a transfer.
type alarm struct {
	ethstack.Device
	f func()
}

func (a alarm) Read(queue int, frames []ethstack.Frame) (int, error) {
	n, err := a.Device.Read(queue, frames)
	for _, f := range frames[:n] {
		if f.Offload.Segment != ethstack.SegmentNone {
			a.f()
		}
	}
	return n, err
}

func TestLabInterrupted(t *testing.T) {
	checkLeaks(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	o := labOptions{size: 1 << 40, mtu: defaultMTU, timeout: time.Minute}
	start := time.Now()
	out, r, err := memoryLab(ctx, t, o, func(d ethstack.Device) ethstack.Device {
		return alarm{d, func() { cancel(interruption{syscall.SIGINT}) }}
	})
	if stopped := (interruption{}); !errors.As(err, &stopped) || stopped.status() != 130 || err.Error() != "interrupted" {
		t.Errorf("the lab ended with %v, want that it was interrupted, status 130", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v to end", took)
	}
	if r.Failed() != 0 || strings.Contains(out, "counters") {
		t.Errorf("%d checks failed; want none, and no counters:\n%s", r.Failed(), out)
	}
}

// A cutter loses what is written once a super-frame was read.
type cutter struct {
	alarm
	cut *atomic.Bool
}

func newCutter(d ethstack.Device) ethstack.Device {
	cut := new(atomic.Bool)
	return cutter{alarm{d, func() { cut.Store(true) }}, cut}
}

func (c cutter) Write(queue int, frames []ethstack.Frame) (int, error) {
	if c.cut.Load() {
		return len(frames), nil
	}
	return c.Device.Write(queue, frames)
}

// TestLabWireCut: both ends of a transfer wait, and nothing that one of them
// does can wake the other.
func TestLabWireCut(t *testing.T) {
	checkLeaks(t)
	o := labOptions{size: 1 << 30, mtu: defaultMTU, timeout: time.Second}
	start := time.Now()
	out, _, err := memoryLab(t.Context(), t, o, newCutter)
	if !errors.As(err, new(timeout)) || !strings.Contains(out, "\nTCP ") {
		t.Errorf("the lab ended with %v, want that it had no more time, in a transfer:\n%s", err, out)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v to end", took)
	}
}

func TestTimeoutFlag(t *testing.T) {
	checkLeaks(t)
	stdout, stderr, status := runDemo(t, "-via", "memory", "-size", "1", "-timeout", "1s")
	if status != statusFailed || !strings.Contains(stderr, "not done within 1s") {
		t.Errorf("status %d, errors %q; want %d, and that the time was over", status, stderr, statusFailed)
	}
	if strings.Contains(stdout, "FAILED") || !strings.Contains(stdout, "counters") {
		t.Errorf("want counters and no failure of a check:\n%s", stdout)
	}
}
