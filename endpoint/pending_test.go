package endpoint

import (
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ethlink/ethlink/ethstack"
)

// TestSourceAfterWaiting: what has waited for its next hop while the hardware
// address changed is sent from the new one, R38; a bridge's source stays.
func TestSourceAfterWaiting(t *testing.T) {
	second, foreign := ethstack.HardwareAddr{2, 2}, ethstack.HardwareAddr{2, 9}
	for _, tt := range []struct{ source, want ethstack.HardwareAddr }{{hwA, second}, {foreign, foreign}} {
		d := newTape(0)
		e := newTest(t, d)
		if err := e.i.AddIPv4(netip.MustParseAddr("10.0.0.1")); err != nil {
			t.Fatal(err)
		}
		r := routeTo("10.0.0.6")
		r.LocalLinkAddress = tcpip.LinkAddress(tt.source[:])
		pkt := newOutgoing(r, 50)
		defer pkt.DecRef()
		e.AddHeader(pkt)
		if n, err := e.WritePackets(list(pkt)); n != 0 || err != nil {
			t.Fatalf("WritePackets: %d, %v; want 0, since it waits", n, err)
		}
		e.SetLinkAddress(tcpip.LinkAddress(second[:]))
		learn(t, e, "10.0.0.6", hwB)
		for deadline := time.Now().Add(10 * time.Second); ; {
			if h, ok := sentIPv4(d); ok {
				if h.Source != tt.want || h.Destination != hwB {
					t.Errorf("a packet from %v is sent from %v to %v, want from %v to %v", tt.source, h.Source, h.Destination, tt.want, hwB)
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the packet is not sent")
			}
		}
	}
}

// sentIPv4 returns the header of the IPv4 packet that was sent, if one was.
func sentIPv4(d *tape) (ethstack.Header, bool) {
	for _, w := range d.take() {
		for _, f := range w.frames {
			if h, why := ethstack.ParseHeader(f, len(f)); why == ethstack.DropNone && h.EtherType == ethstack.EtherTypeIPv4 {
				return h, true
			}
		}
	}
	return ethstack.Header{}, false
}
