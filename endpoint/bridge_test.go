package endpoint_test

import (
	"fmt"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestBridge: two of our endpoints, as the ports of a netstack bridge, make one
// segment of two, for ARP, groups and super-frames, with the companion too.
func TestBridge(t *testing.T) {
	for _, more := range []bool{false, true} {
		t.Run(fmt.Sprintf("companion=%v", more), func(t *testing.T) {
			var log arpLog
			left, right := newSegment(t, ethtest.SegmentOptions{Capture: log.capture}), newSegment(t, ethtest.SegmentOptions{})
			port := ethtest.PortOptions{Offloads: allOffloads}
			o := hostOptions{bridge: true, port: port, endpoint: endpoint.Options{OpenFilter: true}}
			if more {
				o.more = companion
			}
			bridge := newBareHost(t, left, 1, o)
			second := newLink(t, right, port, o.endpoint)
			if err := bridge.stack.CreateNIC(portID+1, second); err != nil {
				t.Fatal(err)
			}
			if err := bridge.stack.SetNICCoordinator(portID+1, nicID); err != nil {
				t.Fatal(err)
			}
			a, b := newHost(t, left, 2, hostOptions{port: port}), newHost(t, right, 3, hostOptions{port: port})
			for _, p := range protocols {
				a.mustPing(p.number, b.addr(p.number, 0).Addr, 3000)
				b.mustPing(p.number, a.addr(p.number, 0).Addr, 10)
				stream(t, a, b, p.number, size(1<<20, 1<<18))
			}
			// The ports' own stations have kept out of it.
			for _, ep := range []*endpoint.Endpoint{bridge.ep, second} {
				if st := ep.Interface().Stats(); st.RxARP != 0 || st.ARPRequests != 0 || st.ARPReplies != 0 {
					t.Errorf("a port took in %d ARP packets, and sent %d", st.RxARP, st.ARPRequests+st.ARPReplies)
				}
			}
			if n := log.count(func(p arp.Packet) bool { return p.Operation == arp.OperationReply && p.SenderAddr == b.ip4() }); n != 1 {
				t.Errorf("%d answers of the far host, want 1", n)
			}
		})
	}
}

// TestHeaderIncluded: a packet that comes with its IP header goes to the next hop
// of its route, whatever the header says.
func TestHeaderIncluded(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	a := newHost(t, s, 2, hostOptions{})
	via, other := newHost(t, s, 3, hostOptions{}), newHost(t, s, 4, hostOptions{})
	var wq waiter.Queue
	sock, err := a.stack.NewRawEndpoint(header.ICMPv4ProtocolNumber, ipv4.ProtocolNumber, &wq, true)
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	sock.SocketOptions().SetHeaderIncluded(true)
	for _, h := range []*host{via, other} {
		packet := frame(other, h.ep.Interface().HardwareAddr(), echoRequest, echo())[14:]
		header.IPv4(packet).SetSourceAddressWithChecksumUpdate(a.addr4())
		to := h.addr(ipv4.ProtocolNumber, 0)
		if _, err := sock.Write(newPayload(packet), tcpip.WriteOptions{To: &to}); err != nil {
			t.Fatal(err)
		}
	}
	// Of the two, the one that is sent by way of another host is not for that one.
	eventually(t, "one for each", func() bool {
		return via.stack.Stats().IP.InvalidDestinationAddressesReceived.Value() == 1 &&
			other.stack.Stats().ICMP.V4.PacketsReceived.EchoRequest.Value() == 1
	})
}
