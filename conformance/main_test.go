package conformance

import (
	"testing"

	"gvisor.dev/gvisor/pkg/refs"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// TestMain has packet references counted, and runs the tests in a network
// namespace of their own. References that are left over are looked for by each
// test that must not leave any: gVisor's own endpoints, with which ours are
// compared here, do.
func TestMain(m *testing.M) {
	refs.SetLeakMode(refs.LeaksPanic)
	nstest.Main(m)
}
