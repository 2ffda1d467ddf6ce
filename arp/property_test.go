package arp

import (
	"math/rand/v2"
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
// every event, the rate of R26 among them.
func TestRandomEvents(t *testing.T) {
	seeds := uint64(200)
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
		first := play(t, script, true)
		if len(first.log) < 100 {
			t.Errorf("seed %d: only %d actions", seed, len(first.log))
		}
		if diff := cmp.Diff(first.log, play(t, script, true).log); diff != "" {
			t.Fatalf("seed %d: the second time (-first +second):\n%s", seed, diff)
		}
		script[1]++ // the handler's seed
		differ = differ || !cmp.Equal(first.log, play(t, script, true).log)
	}
	if !differ {
		t.Error("another seed never made a difference")
	}
}

func FuzzHandler(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(randomScript(seed, 600))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		log := play(t, script, true).log
		if diff := cmp.Diff(log, play(t, script, true).log); diff != "" {
			t.Errorf("the second time (-first +second):\n%s", diff)
		}
	})
}
