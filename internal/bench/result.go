package bench

import (
	"math"
	"slices"
	"time"
)

// A Sample is what one test of one subject measured in one round.
type Sample struct {
	// Rate is in units a second: bytes for TCP, datagrams, or round trips.
	Rate float64
	// CPU is the time that the subject's process used, in seconds a unit.
	CPU float64
	// Machine is the same for everything that ran on the machine.
	Machine float64
	// Allocs is how often the subject's process allocated memory for a unit.
	Allocs float64
	// P50 and P99 are those of round trips.
	P50, P99 time.Duration
	// Other is the share of the machine that neither the subject's process nor
	// the peer's used: the kernel's own threads, and whatever else ran.
	Other float64
}

// noSample stands for one that could not be had.
var noSample = Sample{
	Rate: math.NaN(), CPU: math.NaN(), Machine: math.NaN(), Allocs: math.NaN(), P50: -1, P99: -1, Other: math.NaN(),
}

// missing reports whether it is noSample.
func (s Sample) missing() bool { return math.IsNaN(s.Rate) }

// Results are what Run measured.
type Results struct {
	Machine  Machine
	Options  Options
	samples  map[[2]string][]Sample
	problems []string
}

// Machine says where something was measured, and with what.
type Machine struct {
	CPU, Kernel, Go string
	// GVisor is the module's version; empty in tests, which are not told.
	GVisor string
	Cores  int
}

// add puts the sample of one more round to the others.
func (r *Results) add(s Subject, t Test, x Sample) {
	if r.samples == nil {
		r.samples = map[[2]string][]Sample{}
	}
	k := [2]string{s.Name, t.Name}
	r.samples[k] = append(r.samples[k], x)
}

// problem notes once what failed, was skipped, or is odd.
func (r *Results) problem(text string) {
	if !slices.Contains(r.problems, text) {
		r.problems = append(r.problems, text)
	}
}

// Problems returns what failed, was skipped, or is odd.
func (r *Results) Problems() []string { return r.problems }

// A metric is a number of a sample.
type metric func(Sample) float64

func rateOf(s Sample) float64    { return s.Rate }
func cpuOf(s Sample) float64     { return s.CPU }
func machineOf(s Sample) float64 { return s.Machine }
func allocsOf(s Sample) float64  { return s.Allocs }

func p50Of(s Sample) float64 { return duration(s.P50) }
func p99Of(s Sample) float64 { return duration(s.P99) }

func duration(d time.Duration) float64 {
	if d < 0 {
		return math.NaN()
	}
	return d.Seconds()
}

// series returns a number of each round, NaN where there is none.
func (r *Results) series(s Subject, t Test, m metric) []float64 {
	var list []float64
	for _, x := range r.samples[[2]string{s.Name, t.Name}] {
		list = append(list, m(x))
	}
	return list
}

// Median returns a number's median and range over the rounds.
func (r *Results) median(s Subject, t Test, m metric) Spread {
	return spread(slices.DeleteFunc(r.series(s, t, m), math.IsNaN))
}

// Ratio returns how much more one subject did than another: with a result of
// 2, twice the rate, or half the time of a round trip (p50).
func (r *Results) Ratio(of, against Subject, t Test) Spread {
	if t.Kind.pingPong() {
		return spread(ratios(r.series(against, t, p50Of), r.series(of, t, p50Of)))
	}
	return spread(ratios(r.series(of, t, rateOf), r.series(against, t, rateOf)))
}

// CPURatio returns how many times less of its own CPU time one subject used
// than another, for the same work.
func (r *Results) CPURatio(of, against Subject, t Test) Spread {
	return spread(ratios(r.series(against, t, cpuOf), r.series(of, t, cpuOf)))
}

// minShare is how long a test must be for the machine's clock, which ticks a
// hundred times a second, to tell shares.
const minShare = 200 * time.Millisecond

// others returns the share of the machine, in percent, that something else than
// the subjects and their peers had.
func (r *Results) others() Spread {
	var list []float64
	for _, samples := range r.samples {
		for _, x := range samples {
			if !x.missing() {
				list = append(list, 100*x.Other)
			}
		}
	}
	return spread(list)
}
