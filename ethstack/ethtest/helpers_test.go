package ethtest_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/google/go-cmp/cmp"
)

var (
	addrA = ethstack.HardwareAddr{2, 0, 0, 0, 0, 0xa}
	addrB = ethstack.HardwareAddr{2, 0, 0, 0, 0, 0xb}
	addrC = ethstack.HardwareAddr{2, 0, 0, 0, 0, 0xc}
)

// patience bounds how long a goroutine is waited for.
const patience = 10 * time.Second

// frame makes a frame with a number as its payload.
func frame(to, from ethstack.HardwareAddr, number int) []byte {
	b := make([]byte, 60)
	ethstack.Header{Destination: to, Source: from, EtherType: 0x88b5}.Put((*[ethstack.HeaderLen]byte)(b))
	binary.BigEndian.PutUint32(b[ethstack.HeaderLen:], uint32(number))
	return b
}

func numberOf(b []byte) int { return int(binary.BigEndian.Uint32(b[ethstack.HeaderLen:])) }

func newSegment(t *testing.T, o ethtest.SegmentOptions) *ethtest.Segment {
	t.Helper()
	s, err := ethtest.NewSegment(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newPort(t *testing.T, s *ethtest.Segment, o ethtest.PortOptions) *ethtest.Port {
	t.Helper()
	p, err := s.NewPort(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, p *ethtest.Port, frames ...[]byte) {
	t.Helper()
	for _, b := range frames {
		if n, err := p.Write(0, []ethstack.Frame{{Bufs: [][]byte{b}}}); n != 1 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
}

// collect makes a port give its frames' numbers to the result.
func collect(p *ethtest.Port) *[]int {
	got := new([]int)
	p.OnFrame(func(f *ethstack.Frame) { *got = append(*got, numberOf(f.Bufs[0])) })
	return got
}

// readAll reads what waits at a port, and returns the numbers.
func readAll(t *testing.T, p *ethtest.Port) (got []int) {
	t.Helper()
	for p.Stats().Waiting > 0 {
		f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 2000)}}, {Bufs: [][]byte{make([]byte, 2000)}}}
		n, err := p.Read(0, f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range f[:n] {
			got = append(got, numberOf(f[i].Bufs[0]))
		}
	}
	return got
}

func wantStats(t *testing.T, p *ethtest.Port, want ethtest.PortStats) {
	t.Helper()
	got := p.Stats()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: stats (-want +got):\n%s", p.Info().Name, d)
	}
	if got.Offered != got.Delivered+got.UnderWay+got.Waiting+got.Dropped() {
		t.Errorf("%s: stats do not add up: %+v", p.Info().Name, got)
	}
}

// waitUntilRead waits until nothing is under way to the port or waits there.
func waitUntilRead(t *testing.T, p *ethtest.Port) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		now := p.Stats()
		if now.UnderWay+now.Waiting == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: still waiting: %+v", p.Info().Name, now)
		}
	}
}
