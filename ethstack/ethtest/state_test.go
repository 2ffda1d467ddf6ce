package ethtest_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/google/go-cmp/cmp"
)

func TestLinkState(t *testing.T) {
	var clock ethtest.ManualClock
	s := newSegment(t, ethtest.SegmentOptions{Clock: &clock})
	a, b := newPort(t, s, ethtest.PortOptions{}), newPort(t, s, ethtest.PortOptions{})
	var told []ethstack.LinkState
	b.Notify(func(s ethstack.LinkState) { told = append(told, s) })

	b.SetLinkState(ethstack.LinkDown)
	b.SetLinkState(ethstack.LinkDown)
	write(t, a, frame(addrB, addrA, 1))
	write(t, b, frame(addrA, addrB, 2))
	b.SetLinkState(ethstack.LinkUp)
	write(t, a, frame(addrB, addrA, 3))
	if d := cmp.Diff([]ethstack.LinkState{ethstack.LinkUp}, told); d != "" {
		t.Errorf("told inside SetLinkState (-want +got):\n%s", d)
	}
	clock.Advance(0)
	b.SetLinkState(ethstack.LinkGone)
	b.SetLinkState(ethstack.LinkUp)
	write(t, a, frame(addrB, addrA, 4))
	clock.Advance(0)

	if d := cmp.Diff([]ethstack.LinkState{ethstack.LinkUp, ethstack.LinkDown, ethstack.LinkUp, ethstack.LinkGone}, told); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	if _, err := b.Read(0, make([]ethstack.Frame, 1)); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Read of a port that is gone: %v", err)
	}
	f := []ethstack.Frame{{Bufs: [][]byte{frame(addrA, addrB, 5)}}}
	if _, err := b.Write(0, f); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Write to a port that is gone: %v", err)
	}
	wantStats(t, a, ethtest.PortStats{Sent: 3})
	wantStats(t, b, ethtest.PortStats{Sent: 1, Unsent: 1, Offered: 3, LinkDown: 1, Closed: 2})
}

// TestNotifyReplace: a new function hears the present state first, an old one
// nothing more.
func TestNotifyReplace(t *testing.T) {
	var clock ethtest.ManualClock
	s := newSegment(t, ethtest.SegmentOptions{Clock: &clock})
	p := newPort(t, s, ethtest.PortOptions{})
	var told []string
	tell := func(name string) func(ethstack.LinkState) {
		return func(s ethstack.LinkState) { told = append(told, fmt.Sprint(name, " ", s)) }
	}
	p.Notify(tell("first"))
	p.SetLinkState(ethstack.LinkDown)
	p.Notify(tell("second"))
	clock.Advance(0)
	p.SetLinkState(ethstack.LinkUp)
	p.Notify(nil)
	clock.Advance(0)
	if d := cmp.Diff([]string{"first up", "second down"}, told); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

func TestFail(t *testing.T) {
	a, b, err := ethtest.Pipe(ethtest.PortOptions{Name: "a"}, ethtest.PortOptions{Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	a.FailWrite(ethstack.ErrNoBufferSpace, 2)
	frames := make([]ethstack.Frame, 4)
	for i := range frames {
		frames[i].Bufs = [][]byte{frame(addrB, addrA, i)}
	}
	n, err := a.Write(0, frames)
	if n != 2 || err != ethstack.ErrNoBufferSpace || frames[0].Err != err || frames[1].Err != err || frames[2].Err != nil || frames[3].Err != nil {
		t.Errorf("Write that fails twice: %d, %v, frames %v", n, err, frames)
	}
	oops := errors.New("oops")
	b.FailRead(oops)
	if _, err := b.Read(0, frames); err != oops {
		t.Errorf("Read that fails: %v, want %v", err, oops)
	}
	if d := cmp.Diff([]int{2, 3}, readAll(t, b)); d != "" {
		t.Errorf("what was taken (-want +got):\n%s", d)
	}
	for _, queue := range []int{-1, 1} {
		if _, err := b.Read(queue, frames); err == nil {
			t.Errorf("Read of queue %d of 1: no error", queue)
		}
		if n, err := b.Write(queue, frames[:1]); n != 0 || err == nil || frames[0].Err != err {
			t.Errorf("Write to queue %d of 1: %d, %v, Err %v", queue, n, err, frames[0].Err)
		}
	}
}
