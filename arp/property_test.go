package arp

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// randomScript returns n bytes that follow from the seed.
func randomScript(seed uint64, n int) []byte {
	rnd := rand.New(rand.NewPCG(seed, 0))
	script := make([]byte, n)
	for k := range script {
		script[k] = byte(rnd.Uint32())
	}
	return script
}

// TestRandomEvents plays random scripts: every invariant of machine holds after
// every event, among them the rate of R26, and what may be probed for, announced
// and taken for ours: R39, R40, R43, R44.
func TestRandomEvents(t *testing.T) {
	seeds := uint64(100)
	if testing.Short() {
		seeds = 40
	}
	for seed := range seeds {
		if play(t, randomScript(seed, 6000), false); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestDeterminism: the same seed and the same inputs give the same actions.
func TestDeterminism(t *testing.T) {
	differ := false
	for seed := range uint64(20) {
		script := randomScript(seed, 6000)
		first := play(t, script, true).log
		if len(first) < 1000 {
			t.Errorf("seed %d: only %d events", seed, len(first))
		}
		if again := play(t, script, true).log; !equalLogs(first, again) {
			t.Fatalf("seed %d: the second time (-first +second):\n%s", seed, diffLogs(first, again))
		}
		script[1]++ // the handler's seed
		differ = differ || !equalLogs(first, play(t, script, true).log)
	}
	if !differ {
		t.Error("another seed never made a difference")
	}
}

// equalLogs compares without formatting anything, so that a fuzzer's coverage
// is that of the handler.
func equalLogs(a, b []Actions[int]) bool {
	return slices.EqualFunc(a, b, func(x, y Actions[int]) bool {
		return slices.Equal(x.Updates, y.Updates) && slices.Equal(x.Send, y.Send) && slices.Equal(x.Release, y.Release) &&
			slices.Equal(x.Drop, y.Drop) && slices.Equal(x.Events, y.Events)
	})
}

func diffLogs(a, b []Actions[int]) string {
	render := func(log []Actions[int]) (all []string) {
		for k := range log {
			all = append(all, lines(&log[k])...)
		}
		return all
	}
	return cmp.Diff(render(a), render(b))
}

func FuzzHandler(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(randomScript(seed, 300))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 4096 {
			return // longer ones show nothing that shorter ones do not
		}
		log := play(t, script, true).log
		if again := play(t, script, true).log; !equalLogs(log, again) {
			t.Errorf("the second time (-first +second):\n%s", diffLogs(log, again))
		}
	})
}
