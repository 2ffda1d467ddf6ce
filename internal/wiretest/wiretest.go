// Package wiretest has what the tests of devices on a kernel's interfaces share.
// Its functions fail the test that calls them.
package wiretest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack"
)

// Patience is how long a test waits for something that has to happen.
const Patience = 10 * time.Second

// Experiment is an EtherType that the kernel sends nothing with.
const Experiment = 0x88b5

// Check fails the test if any of the errors is not nil.
func Check(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// WaitFor waits until the condition holds.
func WaitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for: %s", Patience, what)
		}
	}
}

// CloseLater closes the device when the test ends, or earlier, so that a Read
// that waits for ever ends.
func CloseLater(t testing.TB, d ethstack.Device) {
	t.Helper()
	watchdog := time.AfterFunc(2*Patience, func() { d.Close() })
	t.Cleanup(func() {
		watchdog.Stop()
		d.Close()
	})
}

// Memory gives frames 128 bytes each, and then room for what is allowed.
func Memory(d ethstack.Device, frames int) []ethstack.Frame {
	list := make([]ethstack.Frame, frames)
	for i := range list {
		list[i].Bufs = [][]byte{make([]byte, ethstack.HeadLen), make([]byte, d.Info().MaxFrame)}
	}
	return list
}

// Read reads one frame.
func Read(t testing.TB, d ethstack.Device) ([]byte, ethstack.Offload) {
	t.Helper()
	frames := Memory(d, 1)
	n, err := d.Read(0, frames)
	if n != 1 || err != nil {
		t.Fatalf("Read: %d, %v; want a frame", n, err)
	}
	return bytes.Join(frames[0].Bufs, nil)[:frames[0].Len], frames[0].Offload
}

// Write writes one frame, which must be taken.
func Write(t testing.TB, d ethstack.Device, b []byte, o ethstack.Offload) {
	t.Helper()
	if n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{b}, Offload: o}}); n != 1 || err != nil {
		t.Fatalf("Write of %d bytes with %+v: %d, %v; want 1, nil", len(b), o, n, err)
	}
}

// States subscribes to a device's states.
func States(d ethstack.Device) <-chan ethstack.LinkState {
	c := make(chan ethstack.LinkState, 100)
	d.Notify(func(s ethstack.LinkState) { c <- s })
	return c
}

// Expect waits for the next state and checks which one it is.
func Expect(t testing.TB, c <-chan ethstack.LinkState, what string, want ethstack.LinkState) {
	t.Helper()
	select {
	case got := <-c:
		if got != want {
			t.Errorf("state after %s: %v, want %v", what, got, want)
		}
	case <-time.After(Patience):
		t.Fatalf("waited %v in vain for a state after %s", Patience, what)
	}
}

// Frame makes a frame of n bytes to everybody, of an EtherType for experiments.
func Frame(n int, fill byte) []byte {
	b := bytes.Repeat([]byte{fill}, n)
	copy(b, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x77")
	binary.BigEndian.PutUint16(b[12:], Experiment)
	return b
}
