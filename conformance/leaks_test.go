package conformance

import (
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/refs"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// noLeaks fails the test if at its end goroutines, file descriptors or
// references to packets are left that were not there before.
func noLeaks(t testing.TB) {
	t.Helper()
	nstest.CheckLeaks(t)
	before := references()
	t.Cleanup(func() {
		var left []string
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if left = newReferences(before); len(left) == 0 {
				return
			}
		}
		t.Errorf("%d packet references are left, the first: %s", len(left), left[0])
	})
}

func newReferences(before map[string]bool) (list []string) {
	for r := range references() {
		if !before[r] {
			list = append(list, r)
		}
	}
	return list
}

// references returns the references to packets that are held now. The text of
// the panic about them is the only thing that tells.
func references() (held map[string]bool) {
	held = make(map[string]bool)
	defer func() {
		text, _ := recover().(string)
		for line := range strings.Lines(text) {
			// "[stack.packetBuffer 0xc000123456] reference count of 1 instead of 0"
			if name, _, ok := strings.Cut(line, "]"); ok {
				held[name] = true
			}
		}
	}()
	refs.DoRepeatedLeakCheck()
	return held
}
