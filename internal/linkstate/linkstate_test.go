package linkstate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/linkstate"
)

const (
	up   = ethstack.LinkUp
	down = ethstack.LinkDown
	gone = ethstack.LinkGone
)

// TestChangesDuringACall: they are told after it, one at a time and in order,
// and of many flaps one is left.
func TestChangesDuringACall(t *testing.T) {
	for _, tt := range []struct {
		name    string
		changes []ethstack.LinkState
		want    []ethstack.LinkState
	}{
		{"none", nil, []ethstack.LinkState{down}},
		{"no change", []ethstack.LinkState{down, down}, []ethstack.LinkState{down}},
		{"up", []ethstack.LinkState{up}, []ethstack.LinkState{down, up}},
		{"flap", []ethstack.LinkState{up, down}, []ethstack.LinkState{down, up, down}},
		{"flaps, then up", []ethstack.LinkState{up, down, up, down, up}, []ethstack.LinkState{down, up}},
		{"flaps, then down", []ethstack.LinkState{up, down, up, down}, []ethstack.LinkState{down, up, down}},
		{"gone for good", []ethstack.LinkState{up, gone, up, down}, []ethstack.LinkState{down, up, gone}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n linkstate.Notifier
			entered, leave := make(chan ethstack.LinkState), make(chan struct{}, 1)
			initial := true
			n.Notify(func(s ethstack.LinkState) {
				if initial {
					initial = false
					return
				}
				entered <- s
				<-leave
			})
			n.Set(down)
			got := []ethstack.LinkState{<-entered}
			for _, s := range tt.changes {
				n.Set(s)
			}
			for range len(tt.want) - 1 {
				select {
				case s := <-entered:
					t.Fatalf("told %v during a call", s)
				default:
				}
				leave <- struct{}{}
				got = append(got, <-entered)
			}
			// Nothing more may come; the state is told first to a new function.
			leave <- struct{}{}
			last := make(chan ethstack.LinkState, 1)
			n.Notify(func(s ethstack.LinkState) { last <- s })
			if s := <-last; s != tt.want[len(tt.want)-1] || s != n.State() {
				t.Errorf("state at the end %v, want %v; State is %v", s, tt.want[len(tt.want)-1], n.State())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}

// TestClose: the state is told to who asks afterwards, not to who asked before.
func TestClose(t *testing.T) {
	var n linkstate.Notifier
	var before, after []ethstack.LinkState
	n.Notify(func(s ethstack.LinkState) { before = append(before, s) })
	n.Close()
	n.Set(down)
	n.Notify(func(s ethstack.LinkState) { after = append(after, s) })
	if diff := cmp.Diff([]ethstack.LinkState{up}, before) + cmp.Diff([]ethstack.LinkState{gone}, after); diff != "" {
		t.Errorf("told before and after Close (-want +got):\n%s", diff)
	}
}
