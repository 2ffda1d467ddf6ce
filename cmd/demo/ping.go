package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/ethlink/ethlink/internal/lab"
)

// roundTrips describes round-trip times for people.
func roundTrips(times []time.Duration) string {
	rest := times[1:]
	return fmt.Sprintf("%d of %d   first %s ms, then %s to %s ms",
		len(times), lab.PingCount, ms(times[0]), ms(slices.Min(rest)), ms(slices.Max(rest)))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond)) }
