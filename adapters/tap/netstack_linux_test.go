package tap_test

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestTCPOverSeveralQueues: connections both ways between the kernel and a
// netstack, which writes a connection to a queue of its own choice. Content is
// checked by its hash, and that no segment overtook another by the kernel's
// counters.
func TestTCPOverSeveralQueues(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	for _, processors := range []int{1, 2, 4} {
		t.Run(fmt.Sprint("GOMAXPROCS ", processors), func(t *testing.T) {
			runtime.GOMAXPROCS(processors)
			d := open(t, tap.Options{Queues: someQueues})
			kernel, err := lab.NewKernel(d.Info().Name, []netip.Prefix{netip.PrefixFrom(kernelAddr, 24)})
			wiretest.Check(t, err)
			netstack, err := lab.NewNetstack(d, lab.NetstackOptions{Name: "netstack", Addrs: []netip.Prefix{netip.PrefixFrom(deviceAddr, 24)}})
			wiretest.Check(t, err)
			t.Cleanup(netstack.Close)
			before := overtaken(t)
			transferAll(t, kernel, netstack)
			link, err := netns.Link(d.Info().Name)
			wiretest.Check(t, err)
			// What was lost must be sent again; TCP cannot tell the two apart.
			if got := overtaken(t) - before; got > 0 && link.Stats.TxDropped == 0 {
				t.Errorf("%d segments were taken for lost or came out of order, and no frame was lost", got)
			}
		})
	}
}

// overtaken sums the counters of a sender that heard of segments out of order,
// and of a receiver that had them.
func overtaken(t *testing.T) int {
	t.Helper()
	return counter(t, "TCPFastRetrans") + counter(t, "TCPSACKReorder") + counter(t, "TCPTSReorder") + counter(t, "TCPOFOQueue")
}

// transferAll makes connections both ways at the same time.
func transferAll(t *testing.T, kernel, netstack lab.Station) {
	t.Helper()
	var all sync.WaitGroup
	for i := range uint64(8) {
		for _, x := range []*lab.Transfer{
			{From: kernel, To: netstack, At: deviceAddr, Size: 2 << 20, Seed: 2 * i},
			{From: netstack, To: kernel, At: kernelAddr, Size: 2 << 20, Seed: 2*i + 1},
		} {
			all.Go(func() {
				if _, err := x.Run(t.Context()); err != nil {
					t.Errorf("from %s to %s: %v", x.From.Name(), x.To.Name(), err)
				}
			})
		}
	}
	all.Wait()
}

// counter returns one of the kernel's TCP counters.
func counter(t *testing.T, name string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/net/netstat")
	wiretest.Check(t, err)
	lines := strings.Split(string(b), "\n")
	names, values := strings.Fields(lines[0]), strings.Fields(lines[1])
	for i := range names {
		if names[i] == name {
			n, err := strconv.Atoi(values[i])
			wiretest.Check(t, err)
			return n
		}
	}
	t.Fatalf("the kernel has no counter %s", name)
	return 0
}
