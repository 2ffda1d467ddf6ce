package dut_test

import (
	"testing"

	"gvisor.dev/gvisor/pkg/refs"
)

// TestMain has packet references counted: one that is given back too often
// panics. The tests need no network: the segment is in memory, and so is the
// connection to the service.
func TestMain(m *testing.M) {
	refs.SetLeakMode(refs.LeaksPanic)
	m.Run()
}
