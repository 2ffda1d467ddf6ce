//go:build !race

package tap_test

import (
	"fmt"
	"testing"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestNoAllocations: neither Read nor Write allocates. (The race detector makes
// sync.Pool forget.)
func TestNoAllocations(t *testing.T) {
	for _, queues := range []int{1, someQueues} {
		t.Run(fmt.Sprint(queues), func(t *testing.T) {
			d := open(t, tap.Options{Queues: queues})
			kernel := wiretest.Listen(t, d.Info().Name, false)
			queue := queueOfExperiments(t, d, kernel)
			frame := wiretest.Frame(600, 1)
			out, in := []ethstack.Frame{{Bufs: [][]byte{frame[:100], frame[100:]}}}, wiretest.Memory(d, 1)
			if n := testing.AllocsPerRun(500, func() {
				if n, err := d.Write(queues-1, out); n != 1 || err != nil {
					t.Fatalf("Write: %d, %v", n, err)
				}
			}); n != 0 {
				t.Errorf("%v allocations for a frame written", n)
			}
			const runs = 500
			for range runs + 1 { // there is one to warm up
				kernel.Send(t, nil, frame)
			}
			if n := testing.AllocsPerRun(runs, func() {
				if n, err := d.Read(queue, in); n != 1 || err != nil {
					t.Fatalf("Read: %d, %v", n, err)
				}
			}); n != 0 {
				t.Errorf("%v allocations for a frame read", n)
			}
		})
	}
}
