package main

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	barLen   = 30
	barEvery = 100 * time.Millisecond
)

// Watch draws a bar that shows how much of a whole is done, on a terminal only,
// until the function that it returns is called.
func (r *report) Watch(what string, done *atomic.Int64, whole int64) (end func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		start := time.Now()
		tick := time.NewTicker(barEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.draw("  " + what + "  " + bar(done.Load(), whole, time.Since(start)))
			case <-stop:
				return
			}
		}
	})
	return func() {
		close(stop)
		wg.Wait()
	}
}

// bar shows how much is done, in how long.
func bar(done, whole int64, took time.Duration) string {
	n := int(barLen * done / whole)
	gbits := float64(done) * 8 / took.Seconds() / 1e9
	return fmt.Sprintf("[%s%s] %3d %%  %s  %6.2f Gbit/s",
		strings.Repeat("=", n), strings.Repeat(" ", barLen-n), 100*done/whole, mebibytes(done), gbits)
}

// mebibytes returns a size for people.
func mebibytes(n int64) string { return fmt.Sprintf("%4d MiB", n>>20) }
