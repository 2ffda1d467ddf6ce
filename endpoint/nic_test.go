package endpoint_test

import (
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestDisabledNIC is R66: a NIC that is disabled does not answer ARP, and one that
// is enabled again does.
func TestDisabledNIC(t *testing.T) {
	var log arpLog
	s := newSegment(t, ethtest.SegmentOptions{Capture: log.capture})
	a, b := newHost(t, s, 2, hostOptions{}), newHost(t, s, 3, hostOptions{})
	b.stack.DisableNIC(nicID)
	asked := make(chan error, 1)
	go func() { asked <- a.ping(ipv4.ProtocolNumber, b.addr4(), 10) }()
	eventually(t, "the request is dropped", func() bool {
		return b.ep.Interface().Stats().Drops[ethstack.DropDisabled] > 0
	})
	b.stack.EnableNIC(nicID)
	if err := <-asked; err != nil {
		t.Errorf("after the NIC was enabled: %v", err)
	}
}

// TestMTU: netstack is told a lower MTU, never a higher one than the device's.
func TestMTU(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	h := newHost(t, s, 2, hostOptions{port: ethtest.PortOptions{MTU: 2000}})
	for _, tt := range []struct{ set, want uint32 }{{1400, 1400}, {9000, 2000}, {2000, 2000}, {0, 2000}} {
		if err := h.stack.SetNICMTU(nicID, tt.set); err != nil {
			t.Fatal(err)
		}
		if got := h.ep.MTU(); got != tt.want {
			t.Errorf("SetMTU(%d): MTU is %d, want %d", tt.set, got, tt.want)
		}
	}
}

// TestDeviceGone: writing to a device that is gone is an error, not a panic.
func TestDeviceGone(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	gone := make(chan struct{})
	h := newHost(t, s, 2, hostOptions{endpoint: endpoint.Options{OnLinkState: func(s ethstack.LinkState) {
		if s == ethstack.LinkGone {
			close(gone)
		}
	}}})
	h.port.SetLinkState(ethstack.LinkGone)
	<-gone
	err := h.ping(ipv4.ProtocolNumber, header.IPv4AllSystems, 10)
	var closed *tcpip.ErrClosedForSend
	if err == nil || err.Error() != closed.String() {
		t.Errorf("ping: %v, want %v", err, closed)
	}
}
