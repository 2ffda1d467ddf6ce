package endpoint_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// flood sends datagrams to closed and open ports of h, whole and in fragments,
// until the test's end or until stop is called.
func flood(t *testing.T, s *ethtest.Segment, h *host) (stop func()) {
	t.Helper()
	peer, err := s.NewPort(ethtest.PortOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	var sending sync.WaitGroup
	frames := fragments(h, 3000, true)
	udp := header.IPv4Fields{Protocol: uint8(header.UDPProtocolNumber)}
	frames = append(frames, frame(h, h.ep.Interface().HardwareAddr(), udp, datagram(h, 100, true)))
	sending.Go(func() {
		for !over.Load() {
			for _, f := range frames {
				if _, err := peer.Write(0, []ethstack.Frame{{Bufs: [][]byte{f}}}); err != nil {
					return
				}
			}
			runtime.Gosched()
		}
	})
	return func() {
		over.Store(true)
		sending.Wait()
		peer.Close()
	}
}

func rounds() int {
	if testing.Short() {
		return 5
	}
	return 100
}

// TestRemovedUnderFlood: removing a NIC and destroying a stack return, and
// leave nothing behind, while packets come in.
func TestRemovedUnderFlood(t *testing.T) {
	for _, procs := range []int{1, 2} {
		for _, way := range []struct {
			name   string
			remove func(h *host)
		}{
			{"RemoveNIC", func(h *host) { h.stack.RemoveNIC(nicID) }},
			{"Destroy", func(h *host) { h.stack.Destroy() }},
			{"Close", func(h *host) { h.ep.Close() }},
		} {
			t.Run(fmt.Sprintf("%s,GOMAXPROCS=%d", way.name, procs), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				var longest time.Duration
				for range rounds() {
					s := newSegment(t, ethtest.SegmentOptions{})
					h := newHost(t, s, 2, hostOptions{
						port: ethtest.PortOptions{Queues: 2},
						stack: stack.Options{NetworkProtocols: []stack.NetworkProtocolFactory{
							ipv4.NewProtocolWithOptions(ipv4.Options{IGMP: ipv4.IGMPOptions{Enabled: true}}),
							ipv6.NewProtocolWithOptions(ipv6.Options{MLD: ipv6.MLDOptions{Enabled: true}}),
						}},
					})
					stop := flood(t, s, h)
					before := h.ep.Interface().Stats().RxDelivered
					eventually(t, "packets are delivered", func() bool { return h.ep.Interface().Stats().RxDelivered > before })
					start := time.Now()
					within(t, way.name, 10*time.Second, func() { way.remove(h) })
					longest = max(longest, time.Since(start))
					if h.ep.IsAttached() {
						t.Fatal("still attached")
					}
					stop()
					h.destroy()
				}
				t.Logf("%v at most", longest)
			})
		}
	}
}

// TestEveryOrder: the calls that end an endpoint may come in any order, any
// number of times.
func TestEveryOrder(t *testing.T) {
	ends := map[string]func(*host){
		"attach nil": func(h *host) { h.ep.Attach(nil) },
		"wait":       func(h *host) { h.ep.Wait() },
		"close":      func(h *host) { h.ep.Close() },
		"remove":     func(h *host) { h.stack.RemoveNIC(nicID) },
		"destroy":    func(h *host) { h.stack.Destroy() },
		"close thrice at once": func(h *host) {
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(h.ep.Close)
			}
			wg.Wait()
		},
	}
	for first, f := range ends {
		for second, g := range ends {
			t.Run(first+", "+second, func(t *testing.T) {
				s := newSegment(t, ethtest.SegmentOptions{})
				h := newHost(t, s, 2, hostOptions{})
				within(t, first, 10*time.Second, func() { f(h) })
				within(t, second, 10*time.Second, func() { g(h) })
				within(t, "close", 10*time.Second, h.ep.Close)
				if n, err := h.ep.WritePackets(stack.PacketBufferList{}); n != 0 || err != nil {
					t.Errorf("writing nothing after Close: %d, %v", n, err)
				}
				if h.ep.IsAttached() {
					t.Error("attached after Close")
				}
			})
		}
	}
}

// TestNeverAttached: an endpoint that no NIC was made of gives everything back.
func TestNeverAttached(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	port, err := s.NewPort(ethtest.PortOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ep, err := endpoint.New(port, endpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ep.Wait()
	ep.Close()
	if len(s.Ports()) != 0 {
		t.Error("the device is not closed")
	}
}

// TestNewErrors: options that are wrong are named, and the device stays the
// caller's.
func TestNewErrors(t *testing.T) {
	clock := new(ethtest.ManualClock)
	s := newSegment(t, ethtest.SegmentOptions{Clock: clock})
	port, err := s.NewPort(ethtest.PortOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	told := 0
	for _, tt := range []struct {
		o    endpoint.Options
		want string
	}{
		{endpoint.Options{HardwareAddr: ethstack.HardwareAddr{1}}, "01:00:00:00:00:00"},
		{endpoint.Options{ARP: arp.Config{MaxRequests: -1}}, "MaxRequests is -1"},
	} {
		tt.o.OnLinkState = func(ethstack.LinkState) { told++ }
		if _, err := endpoint.New(port, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%+v): %v, want an error that says %q", tt.o, err, tt.want)
		}
	}
	if _, err := endpoint.New(nil, endpoint.Options{}); err == nil {
		t.Error("New without a device: no error")
	}
	told = 0
	port.SetLinkState(ethstack.LinkDown)
	clock.Advance(0)
	if told != 0 {
		t.Error("the device tells of its state an endpoint that was not made")
	}
	ep, err := endpoint.New(port, endpoint.Options{})
	if err != nil {
		t.Fatalf("the device cannot be used again: %v", err)
	}
	ep.Close()
}

// TestClosedDuringDelivery: who is called during a delivery may remove the NIC.
func TestClosedDuringDelivery(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	h := newHost(t, s, 2, hostOptions{})
	peer, err := s.NewPort(ethtest.PortOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	removed := make(chan tcpip.Error, 1)
	h.stack.SetTransportProtocolHandler(udp.ProtocolNumber, func(stack.TransportEndpointID, *stack.PacketBuffer) bool {
		removed <- h.stack.RemoveNIC(nicID)
		return true
	})
	f := frame(h, h.ep.Interface().HardwareAddr(), header.IPv4Fields{Protocol: uint8(header.UDPProtocolNumber)}, datagram(h, 10, true))
	if _, err := peer.Write(0, []ethstack.Frame{{Bufs: [][]byte{f}}}); err != nil {
		t.Fatal(err)
	}
	within(t, "RemoveNIC inside a delivery", 10*time.Second, func() {
		if err := <-removed; err != nil {
			t.Errorf("RemoveNIC: %v", err)
		}
	})
}
