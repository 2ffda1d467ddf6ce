package endpoint

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/refs"
)

// TestMain makes a packet reference that is not given back fail the tests.
// Benchmarks run without that check, which costs more than what they measure.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() != "" {
		os.Exit(m.Run())
	}
	refs.SetLeakMode(refs.LeaksPanic)
	status := m.Run()
	if status == 0 && !referencesReturned() {
		fmt.Println("packet references are still held after 10 s:")
		refs.DoLeakCheck() // panics, with the list of them
	}
	os.Exit(status)
}

// referencesReturned waits until no reference is held any more: a goroutine of
// netstack may be about to give its last one back.
func referencesReturned() bool {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if leakFree() {
			return true
		}
	}
	return false
}

func leakFree() (ok bool) {
	defer func() { ok = recover() == nil }()
	refs.DoRepeatedLeakCheck()
	return true
}
