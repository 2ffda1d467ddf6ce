package ethtest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestFlap: flaps and changes of the device inside are told in order, and the
// last word is the device's.
func TestFlap(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	port := newPort(t, s, ethtest.PortOptions{})
	d, err := ethtest.Faulty(port, ethtest.FaultOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	states := make(chan ethstack.LinkState, 10)
	d.Notify(func(s ethstack.LinkState) { states <- s })
	want := func(all ...ethstack.LinkState) {
		t.Helper()
		for _, s := range all {
			select {
			case got := <-states:
				if got != s {
					t.Errorf("told %v, want %v", got, s)
				}
			case <-time.After(patience):
				t.Fatalf("not told %v", s)
			}
		}
	}
	want(ethstack.LinkUp)
	d.Force(ethtest.FaultFlap, 1)
	want(ethstack.LinkDown, ethstack.LinkUp)
	port.SetLinkState(ethstack.LinkDown)
	want(ethstack.LinkDown)
	d.Force(ethtest.FaultFlap, 1) // of a link that is down: nothing
	port.SetLinkState(ethstack.LinkUp)
	want(ethstack.LinkUp)
	wantFaults(t, d, map[ethtest.Fault]uint64{ethtest.FaultFlap: 2})
}

// TestSameSeedSameFaults: what happens is the seed's, and about as often as the
// rates say.
func TestSameSeedSameFaults(t *testing.T) {
	const frames, rate = 4000, 0.05
	run := func(seed uint64) [ethtest.NumFaults]uint64 {
		d, peer := newFaulty(t, ethtest.FaultOptions{Seed: seed, Rates: ethtest.AllFaults(rate)})
		f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 3000)}}, {Bufs: [][]byte{make([]byte, 3000)}}}
		for i := range frames {
			write(t, peer, frame(addrA, addrB, i))
			for {
				if n, _ := d.Read(0, f); n > 0 {
					break
				}
			}
			d.Write(0, []ethstack.Frame{{Bufs: [][]byte{frame(addrB, addrA, i)}}})
		}
		return d.Faults()
	}
	first, again, other := run(1), run(1), run(2)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same seed twice (-first +again):\n%s", diff)
	}
	if first == other {
		t.Errorf("seeds 1 and 2 have the same faults: %v", first)
	}
	for f, n := range first {
		if f := ethtest.Fault(f); f < ethtest.FaultFull && (n < frames*rate*3/4 || n > frames*rate*5/4) {
			t.Errorf("seed 1: %v happened %d times in %d frames at a rate of %v", f, n, frames, rate)
		}
	}
}
