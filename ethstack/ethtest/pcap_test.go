package ethtest_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/google/go-cmp/cmp"
)

func TestPcap(t *testing.T) {
	var file bytes.Buffer
	w, err := ethtest.NewPcapWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	var clock ethtest.ManualClock
	clock.Advance(3*time.Second + 7)
	s := newSegment(t, ethtest.SegmentOptions{Clock: &clock, Capture: w.Capture})
	a := newPort(t, s, ethtest.PortOptions{})
	write(t, a, frame(addrB, addrA, 1))
	if err := w.Err(); err != nil {
		t.Error(err)
	}
	b := file.Bytes()
	want := []byte{
		0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0, 1, 0, 1, 0, 0, 0,
		3, 0, 0, 0, 7, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0,
	}
	if d := cmp.Diff(append(want, frame(addrB, addrA, 1)...), b); d != "" {
		t.Errorf("file (-want +got):\n%s", d)
	}
}
