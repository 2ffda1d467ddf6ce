package bench

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSpread(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		name string
		list []float64
		want Spread
	}{
		{"nothing", nil, Spread{nan, nan, nan}},
		{"one", []float64{4}, Spread{4, 4, 4}},
		{"odd", []float64{9, 1, 5}, Spread{5, 1, 9}},
		{"even", []float64{8, 2, 4, 100}, Spread{6, 2, 100}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, spread(tt.list), cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSpreadLeavesItsInputAlone(t *testing.T) {
	list := []float64{3, 1, 2}
	spread(list)
	if diff := cmp.Diff([]float64{3, 1, 2}, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRatiosAreOfOneRound: a round that one of both missed is left out, and
// does not shift the others.
func TestRatiosAreOfOneRound(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		name              string
		over, under, want []float64
	}{
		{"all", []float64{2, 9}, []float64{1, 3}, []float64{2, 3}},
		{"one missed above", []float64{nan, 9}, []float64{1, 3}, []float64{3}},
		{"one missed below", []float64{2, 9}, []float64{nan, 3}, []float64{3}},
		{"nothing below", []float64{2, 9}, []float64{0, 3}, []float64{3}},
		{"fewer rounds", []float64{2}, []float64{1, 3}, []float64{2}},
		{"none", nil, []float64{1}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, ratios(tt.over, tt.under)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
