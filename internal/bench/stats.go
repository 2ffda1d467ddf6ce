package bench

import (
	"math"
	"slices"
)

// A Spread is the median of some numbers, with the least and the greatest.
type Spread struct{ Median, Min, Max float64 }

// spread returns what the numbers have as median and range; NaN for no numbers.
func spread(list []float64) Spread {
	if len(list) == 0 {
		return Spread{math.NaN(), math.NaN(), math.NaN()}
	}
	s := slices.Sorted(slices.Values(list))
	mid := len(s) / 2
	median := s[mid]
	if len(s)%2 == 0 {
		median = (s[mid-1] + s[mid]) / 2
	}
	return Spread{median, s[0], s[len(s)-1]}
}

// ratios divides what two subjects did in the same round; a round that one of
// them did not finish (NaN) is left out.
func ratios(over, under []float64) []float64 {
	var list []float64
	for i := range min(len(over), len(under)) {
		if r := over[i] / under[i]; !math.IsNaN(r) && !math.IsInf(r, 0) {
			list = append(list, r)
		}
	}
	return list
}
