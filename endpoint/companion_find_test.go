package endpoint

import (
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/link/packetsocket"
	"gvisor.dev/gvisor/pkg/tcpip/link/sniffer"
	"gvisor.dev/gvisor/pkg/tcpip/link/veth"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// TestFind: the companion finds the endpoint below its NIC at any depth, and no
// other, and parts from it when the NIC is removed.
func TestFind(t *testing.T) {
	s := stack.New(stack.Options{NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, NewProtocol}})
	defer s.Destroy()
	bystander := newTest(t, newTape(0))
	id := s.NextNICID()
	found := func(link stack.LinkEndpoint) *Endpoint {
		t.Helper()
		id++
		if err := s.CreateNIC(id, link); err != nil {
			t.Fatal(err)
		}
		ep, err := s.GetNetworkEndpoint(id, (&protocol{}).Number())
		if err != nil {
			t.Fatal(err)
		}
		return ep.(*companion).e
	}
	for name, wrap := range map[string]func(stack.LinkEndpoint) stack.LinkEndpoint{
		"bare":         func(l stack.LinkEndpoint) stack.LinkEndpoint { return l },
		"sniffer":      func(l stack.LinkEndpoint) stack.LinkEndpoint { return sniffer.New(l) },
		"packetsocket": packetsocket.New,
		"three deep":   func(l stack.LinkEndpoint) stack.LinkEndpoint { return sniffer.New(packetsocket.New(sniffer.New(l))) },
	} {
		e := newTest(t, newTape(0))
		if got := found(wrap(e)); got != e {
			t.Errorf("%s: found %p, want %p", name, got, e)
		}
		c := e.companion.Load()
		if c == nil || c.stack != s || c.nic.ID() != id {
			t.Errorf("%s: the endpoint's companion is %+v", name, c)
		}
		if u := e.up.Load(); u.nic == nil || u.nic.ID() != id {
			t.Errorf("%s: the endpoint does not know its NIC", name)
		}
		if err := s.RemoveNIC(id); err != nil {
			t.Fatal(err)
		}
		if e.companion.Load() != nil {
			t.Errorf("%s: the NIC was removed, its companion is still there", name)
		}
	}
	pair, other := veth.NewPair(1500, 1)
	defer other.Close()
	under := newTest(t, newTape(0))
	for name, link := range map[string]stack.LinkEndpoint{
		"loopback": loopback.New(),
		"channel":  channel.New(1, 1500, ""),
		"veth":     pair,
		"bridge":   stack.NewBridgeEndpoint(1514),
		// It has a header of its own, which ours would be inside of.
		"ours with another Ethernet header": ethernet.New(under),
	} {
		if got := found(link); got != nil {
			t.Errorf("%s: found an endpoint below it", name)
		}
	}
	if bystander.companion.Load() != nil || under.companion.Load() != nil {
		t.Error("an endpoint that is no NIC's has a companion")
	}
}

// TestFinderPacket: the packet that goes down is not taken for one to be sent.
func TestFinderPacket(t *testing.T) {
	d := newTape(0)
	e := newTest(t, d)
	s := stack.New(stack.Options{NetworkProtocols: []stack.NetworkProtocolFactory{NewProtocol}})
	defer s.Destroy()
	if err := s.CreateNIC(1, sniffer.New(e)); err != nil {
		t.Fatal(err)
	}
	if e.companion.Load() == nil {
		t.Fatal("not found")
	}
	if n := len(d.take()); n != 0 {
		t.Errorf("%d calls of Write", n)
	}
	if st := e.i.Stats(); st.TxFrames != 0 || st.TxDropped() != 0 {
		t.Errorf("counted: %+v", st)
	}
}
