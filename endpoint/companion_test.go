package endpoint_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/packetsocket"
	"gvisor.dev/gvisor/pkg/tcpip/link/sniffer"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// sniff puts a sniffer around an endpoint, which logs nothing.
func sniff(ep stack.LinkEndpoint) stack.LinkEndpoint {
	sniffer.LogPackets.Store(0)
	return sniffer.New(ep)
}

// TestCompanionWrapped: with the companion nothing needs to be configured under
// wrappers and queues.
func TestCompanionWrapped(t *testing.T) {
	for _, w := range []struct {
		name string
		wrap func(stack.LinkEndpoint) stack.LinkEndpoint
	}{
		{"bare", nil},
		{"sniffer", sniff},
		{"packetsocket", packetsocket.New},
		{"both", func(ep stack.LinkEndpoint) stack.LinkEndpoint { return sniff(packetsocket.New(ep)) }},
	} {
		for _, q := range []func(stack.LinkWriter) stack.QueueingDiscipline{nil, newFIFO} {
			t.Run(fmt.Sprintf("%s,fifo=%v", w.name, q != nil), func(t *testing.T) {
				s := newSegment(t, ethtest.SegmentOptions{})
				a := newHost(t, s, 2, hostOptions{wrap: w.wrap, qdisc: q, more: companion})
				b := newHost(t, s, 3, hostOptions{})
				for _, p := range protocols {
					a.mustPing(p.number, b.addr(p.number, 0).Addr, 10)
					b.ep.Interface().FlushNeighbors()
					b.mustPing(p.number, a.addr(p.number, 0).Addr, 2000)
				}
				if n := a.ep.Interface().Stats().ARPReplies; n == 0 {
					t.Error("no request was answered")
				}
			})
		}
	}
}

// TestCompanionUnreachable: who dials an address at which nobody answers is told
// by netstack itself, not by a message that comes in.
func TestCompanionUnreachable(t *testing.T) {
	for _, handleLocal := range []bool{true, false} {
		for _, queued := range []bool{true, false} {
			t.Run(fmt.Sprintf("handleLocal=%v,fifo=%v", handleLocal, queued), func(t *testing.T) {
				var log arpLog
				clock := new(ethtest.ManualClock)
				s := newSegment(t, ethtest.SegmentOptions{Capture: log.capture})
				o := hostOptions{endpoint: endpoint.Options{Clock: clock}, stack: stack.Options{HandleLocal: handleLocal}, more: companion}
				if queued {
					o.qdisc = newFIFO
				}
				a := newHost(t, s, 2, o)
				to := a.neighbor(99).addr(ipv4.ProtocolNumber, 80)
				dial := func() time.Duration {
					var err error
					start := clock.Now()
					pass(t, clock, func() { _, err = a.dial(ipv4.ProtocolNumber, to) })
					if err == nil || !strings.Contains(err.Error(), "no route to host") {
						t.Fatalf("dial: %v, want no route to host", err)
					}
					return clock.Now() - start
				}
				if d := dial(); d < 2*time.Second || log.requestsFor(99) != 3 {
					t.Errorf("failed after %v and %d requests, want 3 of them, a second apart", d, log.requestsFor(99))
				}
				if d := dial(); d > 1500*time.Millisecond {
					t.Errorf("the second dial failed after %v, want at once", d)
				}
				if n := a.stack.Stats().ICMP.V4.PacketsReceived.DstUnreachable.Value(); n != 0 {
					t.Errorf("%d messages came in", n)
				}
			})
		}
	}
}

// TestCompanionAddresses: an address is answered for exactly if the NIC has it,
// whatever the NIC says in the mode that it is in.
func TestCompanionAddresses(t *testing.T) {
	for _, mode := range []string{"", "promiscuous", "spoofing"} {
		t.Run(mode, func(t *testing.T) {
			s, p := newPeered(t)
			h := newHost(t, s, 2, hostOptions{wrap: sniff, more: companion})
			if mode != "" {
				h.stack.SetPromiscuousMode(nicID, true)
			}
			h.stack.SetSpoofing(nicID, mode == "spoofing")
			second := h.add("10.5.0.1/25")
			odd := h.add("10.6.0.255/16")
			for target, want := range map[[4]byte]int{
				{10, 0, 0, 2}: 1, second: 1, odd: 1,
				{10, 0, 0, 255}: 0, {10, 5, 0, 127}: 0, {10, 6, 255, 255}: 0, {10, 5, 0, 2}: 0, {8, 8, 8, 8}: 0, {255, 255, 255, 255}: 0, {224, 0, 0, 1}: 0,
			} {
				if n := p.answers(h, target); n != want {
					t.Errorf("%v: %d answers, want %d", target, n, want)
				}
			}
			if err := h.stack.RemoveAddress(nicID, tcpip.AddrFrom4(second)); err != nil {
				t.Fatal(err)
			}
			if n := p.answers(h, second); n != 0 {
				t.Errorf("an address that was removed: %d answers", n)
			}
		})
	}
}

// TestSecondaryAddresses: without the companion a NIC that spoofs is believed
// its primary address only, and what AddIPv4 was given counts in any mode.
func TestSecondaryAddresses(t *testing.T) {
	s, p := newPeered(t)
	h := newHost(t, s, 2, hostOptions{})
	second := h.add("10.5.0.1/25")
	check := func(mode string, target [4]byte, want int) {
		t.Helper()
		if n := p.answers(h, target); n != want {
			t.Errorf("%s, %v: %d answers, want %d", mode, target, n, want)
		}
	}
	check("plain", second, 1)
	h.stack.SetSpoofing(nicID, true)
	check("spoofing", second, 0)
	check("spoofing", [4]byte{10, 0, 0, 2}, 1)
	check("spoofing", [4]byte{8, 8, 8, 8}, 0)
	h.add("10.7.0.1/24")
	if err := h.ep.Interface().AddIPv4(h.neighbor(44).ip4()); err != nil {
		t.Fatal(err)
	}
	check("spoofing", [4]byte{10, 7, 0, 1}, 0)
	check("spoofing", [4]byte{10, 0, 0, 44}, 1)
}

// TestCompanionSource: a request is sent from an address in the subnet of who is
// asked for.
func TestCompanionSource(t *testing.T) {
	s, p := newPeered(t)
	h := newHost(t, s, 2, hostOptions{more: companion})
	h.add("10.5.0.1/24")
	h.stack.SetRouteTable([]tcpip.Route{{Destination: subnet(tcpip.AddrFrom4([4]byte{10, 5, 0, 0}), 24), NIC: nicID}})
	sendTo(t, h, tcpip.AddrFrom4([4]byte{10, 5, 0, 9}), h.addr4())
	eventually(t, "a request from 10.5.0.1", func() bool { return p.requests([4]byte{10, 5, 0, 1}, [4]byte{10, 5, 0, 9}) > 0 })
	if n := p.requests([4]byte{10, 0, 0, 2}, [4]byte{10, 5, 0, 9}); n != 0 {
		t.Errorf("%d requests from an address in another subnet", n)
	}
}

// TestPromiscuous: in no mode of the NIC anything of a frame for another host's
// hardware address gets up.
func TestPromiscuous(t *testing.T) {
	for _, more := range [][]stack.NetworkProtocolFactory{nil, companion} {
		s, p := newPeered(t)
		h := newHost(t, s, 2, hostOptions{more: more})
		h.stack.SetPromiscuousMode(nicID, true)
		h.stack.SetSpoofing(nicID, true)
		foreign := ethstack.HardwareAddr{2, 9, 9, 9, 9, 9}
		f := frame(h, foreign, echoRequest, echo())
		request := arpRequest(h.addr4().As4())
		copy(request, foreign[:])
		p.write(f, request)
		p.settle(h)
		st := h.ep.Interface().Stats()
		if st.Drops[ethstack.DropForeign] != 2 || st.RxDelivered != 0 || st.RxARP != 0 {
			t.Errorf("%d dropped as foreign, %d delivered, %d to ARP; want 2, 0, 0", st.Drops[ethstack.DropForeign], st.RxDelivered, st.RxARP)
		}
		if n := h.stack.Stats().ICMP.V4.PacketsReceived.EchoRequest.Value(); n != 0 {
			t.Errorf("netstack got %d echo requests", n)
		}
	}
}

// TestCompanionGroups: a group's frames go up if IP has joined it, and if it
// forwards them.
func TestCompanionGroups(t *testing.T) {
	groups := map[tcpip.NetworkProtocolNumber]tcpip.Address{
		ipv4.ProtocolNumber: tcpip.AddrFrom4([4]byte{239, 1, 2, 3}),
		ipv6.ProtocolNumber: tcpip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 200}),
	}
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			s, peer := newPeered(t)
			h := newHost(t, s, 2, hostOptions{wrap: sniff, stack: stack.Options{NetworkProtocols: multicastProtocols(endpoint.NewProtocol)}})
			group := groups[p.number]
			check := func(when string, want uint64) {
				t.Helper()
				before := h.ep.Interface().Stats()
				peer.write(groupFrame(group))
				peer.settle(h)
				st := h.ep.Interface().Stats()
				up, dropped := st.RxDelivered-before.RxDelivered, st.Drops[ethstack.DropNotJoined]-before.Drops[ethstack.DropNotJoined]
				if up != want || dropped != 1-want {
					t.Errorf("%s: %d delivered, %d dropped; want %d, %d", when, up, dropped, want, 1-want)
				}
			}
			check("not joined", 0)
			if err := h.stack.JoinGroup(p.number, nicID, group); err != nil {
				t.Fatal(err)
			}
			check("joined", 1)
			if err := h.stack.LeaveGroup(p.number, nicID, group); err != nil {
				t.Fatal(err)
			}
			check("left", 0)
			h.stack.SetPromiscuousMode(nicID, true)
			check("promiscuous", 1)
			h.stack.SetPromiscuousMode(nicID, false)
			if _, err := h.stack.SetNICMulticastForwarding(nicID, p.number, true); err != nil {
				t.Fatal(err)
			}
			check("forwarding", 1)
		})
	}
}
