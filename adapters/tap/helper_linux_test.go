package tap_test

import (
	"testing"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// open opens a TAP that is up, and on which the kernel sends nothing by
// itself. It is closed when the test ends.
func open(t testing.TB, o tap.Options) *tap.Device {
	t.Helper()
	nstest.NeedTUN(t)
	wiretest.Check(t, netns.SetIPv6("default", false)) // for new interfaces
	o.Up = true
	d, err := tap.Open(o)
	wiretest.Check(t, err)
	wiretest.CloseLater(t, d)
	return d
}

// queueOfExperiments returns the queue that frames come in on which are not IP.
func queueOfExperiments(t testing.TB, d *tap.Device, kernel wiretest.PacketSocket) int {
	t.Helper()
	frame := wiretest.Frame(60, 1)
	return wiretest.QueuesOf(t, d, [][]byte{frame}, func(int) { kernel.Send(t, nil, frame) })[0]
}
