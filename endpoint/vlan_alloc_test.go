package endpoint

import (
	"testing"

	"github.com/ethlink/ethlink/ethstack"
)

// TestWriteAllocations: what is sent allocates nothing, untagged or on a VLAN.
func TestWriteAllocations(t *testing.T) {
	withoutLeakCheck(t, func(t *testing.T) {
		d := newTape(0)
		d.forget = true
		main := newTest(t, d)
		vlan, err := main.VLAN(ethstack.VLAN{{ID: 5}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer vlan.Close()
		for name, e := range map[string]*Endpoint{"untagged": main, "VLAN 5": vlan} {
			learn(t, e, "10.0.0.5", hwB)
			pkt := newOutgoing(routeTo("10.0.0.5"), 1000)
			e.AddHeader(pkt)
			pkts := list(pkt)
			if n := testing.AllocsPerRun(200, func() { e.WritePackets(pkts) }); n != 0 {
				t.Errorf("%s: %v allocations per packet", name, n)
			}
			pkts.DecRef()
		}
	})
}

// TestTrunk: a device's frames go to the endpoint of their VLAN, and one that is
// closed is forgotten.
func TestTrunk(t *testing.T) {
	main := newTest(t, newTape(0))
	first, err := main.VLAN(ethstack.VLAN{{ID: 5}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := first.VLAN(ethstack.VLAN{{ID: 6}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Endpoint{main, first, second} {
		if got := main.trunk.endpoint(e.i); got != e {
			t.Errorf("frames of %v go to %p, want %p", e.i.VLAN(), got, e)
		}
	}
	first.Close()
	if got := main.trunk.endpoint(first.i); got != nil || len(*main.trunk.vlans.Load()) != 1 {
		t.Error("an endpoint that was closed is still there")
	}
	if got := main.trunk.endpoint(second.i); got != second {
		t.Error("another endpoint went with it")
	}
	second.Close()
}
