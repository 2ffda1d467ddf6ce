package endpoint

import (
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// TestSourceFor: a request's sender is in the subnet of who is asked for, if that
// can be, and never the broadcast address that netstack counts among the NIC's.
func TestSourceFor(t *testing.T) {
	e := newTest(t, newTape(0))
	s := stack.New(stack.Options{NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, NewProtocol}})
	defer s.Destroy()
	if err := s.CreateNIC(1, e); err != nil {
		t.Fatal(err)
	}
	c := e.companion.Load()
	if got := c.sourceFor(address("10.0.0.9"), address("10.0.0.1")); got.Len() != 0 {
		t.Errorf("without an address: %v", got)
	}
	for _, a := range []string{"10.0.0.1", "10.0.0.2", "10.5.0.1", "10.5.0.2"} {
		p := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddressWithPrefix{Address: address(a), PrefixLen: 24}}
		if err := s.AddProtocolAddress(1, p, stack.AddressProperties{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ target, preferred, want string }{
		{"10.0.0.9", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.9", "10.0.0.2", "10.0.0.2"},
		{"10.0.0.9", "10.5.0.1", "10.0.0.1"}, // another subnet's
		{"10.5.0.9", "10.5.0.2", "10.5.0.2"},
		{"192.0.2.1", "10.5.0.2", "10.5.0.2"}, // an on-link route to elsewhere
		{"192.0.2.1", "8.8.8.8", "10.0.0.1"},  // forwarded
	} {
		for range 20 { // netstack lists addresses in no order
			if got := c.sourceFor(address(tt.target), address(tt.preferred)); got != address(tt.want) {
				t.Fatalf("for %s, rather from %s: %v, want %s", tt.target, tt.preferred, got, tt.want)
			}
		}
	}
	if c.has(address("255.255.255.255")) || !c.has(address("10.5.0.2")) || c.has(address("10.5.0.3")) {
		t.Error("has: the broadcast address, or not all of its own")
	}
}
