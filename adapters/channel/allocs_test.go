//go:build !race

package channel_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/ethlink/ethlink/adapters/channel"
	"github.com/ethlink/ethlink/ethstack"
)

// TestAllocations: none in either direction, in batches and one by one. (The race
// detector makes sync.Pool forget.)
func TestAllocations(t *testing.T) {
	d := newDevice(t, channel.Options{Offloads: allOffloads})
	ctx := context.Background()
	batch := make([]ethstack.Frame, 4)
	memory := make([]ethstack.Frame, len(batch))
	for i := range batch {
		batch[i].Bufs = [][]byte{frame(60+i*400, byte(i))}
		memory[i].Bufs = [][]byte{make([]byte, 128), make([]byte, ethstack.MaxSuperFrame)}
	}
	// The last is a super-frame.
	batch[3].Bufs = [][]byte{frame(60000, 3)}
	batch[3].Offload = ethstack.Offload{
		Flags: ethstack.NeedsChecksum, Segment: ethstack.SegmentTCPv4, SegmentSize: 1448, HeaderLen: 54, ChecksumStart: 34, ChecksumOffset: 16,
	}
	single := frame(1000, 9)
	count := func(what string, n, want int, err error) {
		if n != want || err != nil {
			panic(fmt.Sprint(what, n, err))
		}
	}
	for name, f := range map[string]func(){
		"out": func() {
			n, err := d.Write(0, batch)
			count("Write", n, len(batch), err)
			n, err = d.NextFrames(ctx, memory)
			count("NextFrames", n, len(batch), err)
		},
		"in": func() {
			n, err := d.InjectFrames(batch)
			count("InjectFrames", n, len(batch), err)
			n, err = d.Read(0, memory)
			count("Read", n, len(batch), err)
		},
		"one in": func() {
			count("Inject", 1, 1, d.Inject(single))
			count("InjectContext", 1, 1, d.InjectContext(ctx, single))
			n, err := d.Read(0, memory)
			count("Read", n, 2, err)
		},
	} {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations per round, want 0", name, n)
		}
	}
}
