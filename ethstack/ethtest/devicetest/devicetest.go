// Package devicetest tests that a device keeps the contract of
// [ethstack.Device]. Whoever writes one runs [Run] in its tests.
package devicetest

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

// Run tests the device a of each pair that open makes, sentence by sentence of
// the contract; what is written to a arrives at b, and the other way round. It
// uses broadcast frames with EtherType 0x88b5 and does not mind others. Devices
// need not be closed by open: Run does that.
func Run(t *testing.T, open func(t *testing.T) (a, b ethstack.Device)) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, ethstack.Device, ethstack.Device)
	}{
		{"Info", testInfo},
		{"AToB", testTransfer},
		{"BToA", func(t *testing.T, a, b ethstack.Device) { testTransfer(t, b, a) }},
		{"ScatteredMemory", testScattered},
		{"CallersMemory", testCallersMemory},
		{"FrameLongerThanMemory", testLongerThanMemory},
		{"PartialBatch", testPartialBatch},
		{"UnsupportedOffload", testUnsupportedOffload},
		{"ConcurrentWriters", testConcurrentWriters},
		{"Notify", testNotify},
		{"CloseEndsRead", testCloseEndsRead},
		{"AfterClose", testAfterClose},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := open(t)
			// A Read that waits for ever is ended by closing the device.
			watchdog := time.AfterFunc(patience, func() { a.Close(); b.Close() })
			t.Cleanup(func() {
				watchdog.Stop()
				a.Close()
				b.Close()
			})
			tt.test(t, a, b)
		})
	}
}

const (
	// patience is how long a test may take, on a slow machine too.
	patience = 20 * time.Second
	// etherType is the first of IEEE's two for local experiments.
	etherType = 0x88b5
	// overhead is the Ethernet header, minLen the shortest frame on a wire.
	overhead = ethstack.HeaderLen
	minLen   = 60
)

// frame makes a frame of n bytes that is told from others by its number.
func frame(n int, number uint32) []byte {
	b := make([]byte, n)
	h := ethstack.Header{
		Destination: arp.Broadcast, Source: ethstack.HardwareAddr{0x02, 0xe7, 0x68, 0, 0, 1}, EtherType: etherType,
	}
	h.Put((*[overhead]byte)(b))
	binary.BigEndian.PutUint32(b[overhead:], number)
	for i := overhead + 4; i < n; i++ {
		b[i] = byte(i) ^ byte(number)
	}
	return b
}

// number returns the number of one of our frames.
func number(b []byte) (uint32, bool) {
	if len(b) < overhead+4 || binary.BigEndian.Uint16(b[12:]) != etherType {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[overhead:]), true
}

// write writes frames and fails the test unless all were taken.
func write(t *testing.T, d ethstack.Device, frames ...[]byte) {
	t.Helper()
	batch := make([]ethstack.Frame, len(frames))
	for i := range frames {
		batch[i].Bufs = [][]byte{frames[i]}
	}
	if n, err := d.Write(0, batch); n != len(frames) || err != nil {
		t.Fatalf("Write of %d frames: %d, %v; want all, nil", len(frames), n, err)
	}
}

// read reads frames of ours, from any queue that has some, until there are n,
// with memory cut into the given sizes and the rest.
func read(t *testing.T, d ethstack.Device, n int, cut ...int) [][]byte {
	t.Helper()
	if d.Queues() != 1 {
		t.Skipf("the device has %d queues: this test reads one", d.Queues())
	}
	var got [][]byte
	batch := make([]ethstack.Frame, 3)
	for i := range batch {
		for _, size := range append(cut, d.Info().MaxFrame) {
			batch[i].Bufs = append(batch[i].Bufs, make([]byte, size))
		}
	}
	for len(got) < n {
		k, err := d.Read(0, batch)
		if err != nil {
			t.Fatalf("Read, with %d of %d frames received: %v", len(got), n, err)
		}
		if k < 1 || k > len(batch) {
			t.Fatalf("Read into %d frames returned %d: want at least 1, and no more than there are", len(batch), k)
		}
		for i := range batch[:k] {
			all := slices.Concat(batch[i].Bufs...)
			if batch[i].Len > len(all) {
				t.Fatalf("Read: Len is %d, of %d bytes of memory", batch[i].Len, len(all))
			}
			if b := all[:batch[i].Len]; isOurs(b) {
				got = append(got, b)
			}
		}
	}
	return got
}

func isOurs(b []byte) bool { _, ok := number(b); return ok }

func equal(t *testing.T, got, want [][]byte) {
	t.Helper()
	for i := range want {
		// A device may pad, so only what was sent is compared.
		if len(got[i]) < len(want[i]) || !bytes.Equal(got[i][:len(want[i])], want[i]) {
			t.Errorf("frame %d of %d: got %d bytes %.40x..., want %d bytes %.40x...",
				i, len(want), len(got[i]), got[i], len(want[i]), want[i])
		}
	}
}
