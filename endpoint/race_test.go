//go:build race

package endpoint

// RaceEnabled: the race detector is on.
const RaceEnabled = true
