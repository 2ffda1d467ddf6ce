package runner

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Options say how the suite is run.
type Options struct {
	// Folder has the test binaries.
	Folder Folder
	// Tests are those to run.
	Tests []Test
	// Device is the program that is the device under test, with the flags of
	// cmd/dut.
	Device string
	// Link is the link layer that it is to use: ethlink or fdbased.
	Link string
	// Settle is how long it is to wait before each call, see [DefaultSettle].
	Settle time.Duration
	// Parallel is how many tests run at the same time; 0 means one.
	Parallel int
	// Pcap is a folder for what passes the wires, a file for each device under
	// test; empty means that nothing is recorded.
	Pcap string
	// Trace has the devices under test tell of each call, see Result.Trace.
	Trace bool
	// Done is called with each result, in the order of Tests, as soon as it and
	// all before it are there; nil means no one.
	Done func(Result)
}

// A run is what the tests of one run share.
type run struct {
	o Options

	mu sync.Mutex
	// The fields below are guarded by mu.
	devices int // how many there have been
	results []*Result
	told    int
}

// Run runs tests in the network namespace of this process, which has to be one
// of its own, see internal/netns. There is one result for each test, in the
// order of Tests. When the context ends, so does what runs; what has not begun
// is left out. The error tells that no test can be run here.
func Run(ctx context.Context, o Options) ([]Result, error) {
	if err := prepare(); err != nil {
		return nil, err
	}
	r := &run{o: o, results: make([]*Result, len(o.Tests))}
	// What takes long begins first, so that nobody waits for it alone at the end.
	order := make(chan int, len(o.Tests))
	for _, i := range r.byLimit() {
		order <- i
	}
	close(order)
	var workers sync.WaitGroup
	for range max(1, o.Parallel) {
		workers.Go(func() {
			for i := range order {
				r.finish(i, r.test(ctx, o.Tests[i]))
			}
		})
	}
	workers.Wait()
	results := make([]Result, len(o.Tests))
	for i := range results {
		results[i] = *r.results[i]
	}
	return results, nil
}

// byLimit returns the numbers of the tests, those that may take longest first.
func (r *run) byLimit() []int {
	order := make([]int, len(r.o.Tests))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(r.o.Tests[b].Limit, r.o.Tests[a].Limit) })
	return order
}

// finish takes a result in, and tells of those whose turn it is.
func (r *run) finish(i int, result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[i] = &result
	for ; r.told < len(r.results) && r.results[r.told] != nil; r.told++ {
		if r.o.Done != nil {
			r.o.Done(*r.results[r.told])
		}
	}
}

// number returns the number of a new device under test. None is used twice, so
// that nothing of one is left where another begins.
func (r *run) number() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.devices++
	return r.devices - 1
}
