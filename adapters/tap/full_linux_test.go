package tap_test

import (
	"encoding/binary"
	"testing"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestWriteToStoppedReader: what is written to a TAP the kernel takes in at once,
// so a TAP is never full. Where the kernel passes it on to one that nobody reads,
// it is dropped there: what was queued is the oldest, in order.
func TestWriteToStoppedReader(t *testing.T) {
	nstest.NeedTUN(t)
	wiretest.Check(t, netns.AddBridge("br"))
	t.Cleanup(func() { wiretest.Check(t, netns.DelLink("br")) })
	from, to := open(t, tap.Options{}), open(t, tap.Options{})
	for _, d := range []*tap.Device{from, to} {
		wiretest.Check(t, netns.SetBridge(d.Info().Name, "br"))
	}
	wiretest.Check(t, netns.SetIPv6("br", false), netns.SetUp("br"))
	const count = 3000
	for i := range uint32(count) {
		b := wiretest.Frame(60, 0)
		binary.BigEndian.PutUint32(b[14:], i)
		wiretest.Write(t, from, b, ethstack.Offload{})
	}
	queued := 0
	for {
		b, _ := wiretest.Read(t, to)
		if binary.BigEndian.Uint16(b[12:]) != wiretest.Experiment {
			continue // the kernel's own
		}
		got := binary.BigEndian.Uint32(b[14:])
		if got == count {
			break
		}
		if int(got) != queued {
			t.Fatalf("frame %d came as number %d of those queued", got, queued)
		}
		if queued++; queued == 500 {
			// There is room again, which the kernel gives back in batches.
			last := wiretest.Frame(60, 0)
			binary.BigEndian.PutUint32(last[14:], count)
			wiretest.Write(t, from, last, ethstack.Offload{})
		}
	}
	link, err := netns.Link(to.Info().Name)
	wiretest.Check(t, err)
	if dropped := int(link.Stats.TxDropped); queued == count || queued+dropped < count {
		t.Errorf("of %d frames %d were queued and %d dropped where nobody reads; want some dropped, and each one or the other", count, queued, dropped)
	}
	if got := from.Stats(); got != (tap.Stats{}) {
		t.Errorf("counters %+v, want all zero", got)
	}
}
