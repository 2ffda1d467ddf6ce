package endpoint_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gvisorarp "gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

var updateModes = flag.Bool("update", false, "write testdata/modes.md anew")

// A mode is a way in which people put an endpoint below a stack.
type mode struct {
	name string
	o    hostOptions
}

var gvisorARP = []stack.NetworkProtocolFactory{gvisorarp.NewProtocol}

var modes = []mode{
	{"bare", hostOptions{}},
	{"sniffer", hostOptions{wrap: sniff}},
	{"fifo", hostOptions{qdisc: newFIFO}},
	{"gVisor's ARP", hostOptions{more: gvisorARP}},
	{"companion", hostOptions{more: companion}},
	{"companion, sniffer", hostOptions{more: companion, wrap: sniff}},
	{"bridge port, gVisor's ARP", hostOptions{more: gvisorARP, bridge: true, endpoint: endpoint.Options{OpenFilter: true}}},
}

// A feature is a row of the table: what may work in a mode.
type feature struct {
	name  string
	check func(*trial) string
}

// What a check says. Under a wrapper some of it works once AddIPv4 was called.
const (
	yes     = "yes"
	no      = "no"
	withAdd = "with AddIPv4"
)

func yesIf(ok bool) string {
	if ok {
		return yes
	}
	return no
}

// A trial is one feature tried in one mode.
type trial struct {
	*testing.T
	*peer
	segment *ethtest.Segment
	clock   *ethtest.ManualClock // of the endpoint, if manual
	h       *host
	ready   string // how ARP for the NIC's address came about
}

// try makes a host in a mode, tells it its address if it cannot know, and lets
// the check go on from there.
func try(t *testing.T, m mode, f feature) string {
	o := m.o
	x := &trial{T: t, clock: new(ethtest.ManualClock)}
	x.segment, x.peer = newPeered(t)
	o.nic.DeliverLinkPackets = true
	o.endpoint.Clock = x.clock
	o.stack.NUDConfigs = stack.NUDConfigurations{RetransmitTimer: 10 * time.Millisecond}
	far := newSegment(t, ethtest.SegmentOptions{})
	x.h = newRouter(t, x.segment, o, newLink(t, far, ethtest.PortOptions{}, endpoint.Options{}))
	x.ready = yesIf(x.answers(x.h, x.h.addr4().As4()) > 0)
	if x.ready == no {
		if err := x.h.ep.Interface().AddIPv4(x.h.ip4()); err != nil {
			t.Fatal(err)
		}
		if x.answers(x.h, x.h.addr4().As4()) > 0 {
			x.ready = withAdd
		}
	}
	sender := newHost(t, far, 3, hostOptions{net: 1})
	if f.name == forwardedFeature {
		return x.forwarded(sender)
	}
	return f.check(x)
}

// TestModes finds out what works in which mode. The table is the README's.
func TestModes(t *testing.T) {
	const path = "testdata/modes.md"
	var b strings.Builder
	b.WriteString("| |")
	for _, m := range modes {
		fmt.Fprintf(&b, " %s |", m.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(modes)) + "\n")
	for _, f := range features {
		fmt.Fprintf(&b, "| %s |", f.name)
		for _, m := range modes {
			result := "failed"
			t.Run(f.name+"/"+m.name, func(t *testing.T) { result = try(t, m, f) })
			fmt.Fprintf(&b, " %s |", result)
		}
		b.WriteString("\n")
	}
	t.Logf("what works:\n%s", b.String())
	if *updateModes {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s differs; with -update it is written anew (-want +got):\n%s", path, diff)
	}
}
