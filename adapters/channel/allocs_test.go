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
	single := frame(1000, 9)
	count := func(what string, n int, err error) {
		if n == 0 || err != nil {
			panic(fmt.Sprint(what, n, err))
		}
	}
	for name, f := range map[string]func(){
		"out": func() {
			n, err := d.Write(0, batch)
			count("Write", n, err)
			n, err = d.NextFrames(ctx, memory)
			count("NextFrames", n, err)
		},
		"in": func() {
			n, err := d.InjectFrames(batch)
			count("InjectFrames", n, err)
			n, err = d.Read(0, memory)
			count("Read", n, err)
		},
		"one in": func() {
			count("Inject", 1, d.Inject(single))
			count("InjectContext", 1, d.InjectContext(ctx, single))
			n, err := d.Read(0, memory)
			count("Read", n, err)
		},
	} {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations per round, want 0", name, n)
		}
	}
}
