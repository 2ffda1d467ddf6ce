package conformance

import (
	"errors"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestKernelFlush: a kernel that has forgotten us, or whom we have forgotten, is
// found again by whoever sends next.
func TestKernelFlush(t *testing.T) {
	lasting(t, time.Minute)
	w := newWire(t, wireOptions{quiet: true})
	p := w.listen().all()
	for _, y := range w.ways(oursIPv4) {
		w.ping(y.from, y.to)
		p.fence()
		w.ping(y.from, y.to)
		question := isRequestFor(tcpip.AddrFromSlice(y.at.AsSlice()))
		if n := count(p.fence(), question); n != 0 {
			t.Errorf("%s: %d requests for a neighbor that is reachable", y.name, n)
		}
		if y.from == lab.Station(w.kernel) {
			wiretest.Check(t, netns.DelNeighbor(w.iface, y.at))
		} else {
			w.ours.Endpoint().Interface().FlushNeighbors()
		}
		w.ping(y.from, y.to)
		broadcast := func(f frame) bool { return question(f) && f.to() == everybody }
		if n := count(p.fence(), broadcast); n != 1 {
			t.Errorf("%s: %d broadcast requests for a neighbor that was forgotten, want 1", y.name, n)
		}
	}
}

// TestKernelAnnounces: a kernel that comes up with another hardware address, and
// says so by itself (arp_notify), is followed at once.
func TestKernelAnnounces(t *testing.T) {
	lasting(t, time.Minute)
	noLeaks(t)
	ns := newCable(t, "near", "far")
	k, err := lab.NewKernelIn(ns, "far", prefixes(kernelIPv4))
	wiretest.Check(t, err)
	dev, err := fdbased.OpenPacket("near", fdbased.Options{})
	wiretest.Check(t, err)
	ours, err := lab.NewNetstack(dev, lab.NetstackOptions{
		Name: "netstack", Addrs: prefixes(oursIPv4),
		Endpoint: endpoint.Options{ARP: arp.Config{LockTime: time.Millisecond}},
	})
	wiretest.Check(t, err)
	t.Cleanup(ours.Close)
	if _, err := lab.Ping(t.Context(), ours, kernelIPv4, lab.PingSize); err != nil {
		t.Fatal(err)
	}
	// It says so once: what is said earlier is not believed.
	found := time.Now()
	wiretest.WaitFor(t, "LockTime is over", func() bool { return time.Since(found) > 5*time.Millisecond })
	moved := k.HardwareAddr()
	moved[5]++
	wiretest.Check(t, ns.Do(func() error {
		return errors.Join(netns.SetSysctl("ipv4/conf/far/arp_notify", "1"), netns.SetHardwareAddr("far", moved))
	}))
	wiretest.WaitFor(t, "the neighbor has moved", func() bool {
		hw, ok := ours.Endpoint().Interface().Lookup(kernelIPv4.As4())
		return ok && hw == moved
	})
	if _, err := lab.Ping(t.Context(), ours, kernelIPv4, lab.PingSize); err != nil {
		t.Error(err)
	}
}
