package main

import (
	"testing"
	"time"
)

func TestRoundTrips(t *testing.T) {
	times := []time.Duration{4e6, 2e5, 1e5, 3e5, 2e5}
	if got, want := roundTrips(times), "5 of 5   first 4.000 ms, then 0.100 to 0.300 ms"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
