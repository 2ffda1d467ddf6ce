package endpoint_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/link/qdisc/fifo"
	"gvisor.dev/gvisor/pkg/tcpip/link/veth"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// farNIC is a router's in network 1.
const farNIC = 2

// newRouter makes a host of network 0 a router to network 1, which is on link.
func newRouter(t testing.TB, s *ethtest.Segment, o hostOptions, link stack.LinkEndpoint) *host {
	t.Helper()
	r := newHost(t, s, 1, o)
	var nic stack.NICOptions
	if o.qdisc != nil {
		nic.QDisc = o.qdisc(link)
	}
	if err := r.stack.CreateNICWithOptions(farNIC, link, nic); err != nil {
		t.Fatal(err)
	}
	far := host{net: 1, n: 1}
	var routes []tcpip.Route
	for _, p := range protocols {
		a := far.prefix(p.number)
		if err := r.stack.AddProtocolAddress(farNIC, tcpip.ProtocolAddress{Protocol: p.number, AddressWithPrefix: a}, stack.AddressProperties{}); err != nil {
			t.Fatal(err)
		}
		if err := r.stack.SetForwardingDefaultAndAllNICs(p.number, true); err != nil {
			t.Fatal(err)
		}
		near := r.prefix(p.number)
		routes = append(routes, tcpip.Route{Destination: near.Subnet(), NIC: nicID}, tcpip.Route{Destination: a.Subnet(), NIC: farNIC})
	}
	r.stack.SetRouteTable(routes)
	return r
}

// newLink makes an endpoint on a segment.
func newLink(t testing.TB, s *ethtest.Segment, po ethtest.PortOptions, o endpoint.Options) *endpoint.Endpoint {
	t.Helper()
	ep, err := endpoint.New(newPort(t, s, 200, po), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ep.Close)
	return ep
}

func newFIFO(ep stack.LinkWriter) stack.QueueingDiscipline { return fifo.New(ep, 1, 4096) }

// TestRouter: what a stack forwards between two of our endpoints, and between
// one of ours and another, arrives, however large the frames are that come in.
func TestRouter(t *testing.T) {
	for _, o := range []struct {
		name string
		hostOptions
		offloads ethstack.Offloads // of the segments
		veth     bool              // to the far network, without Ethernet
	}{
		{name: "plain"},
		{name: "super-frames in", offloads: allOffloads},
		{name: "fifo", hostOptions: hostOptions{qdisc: newFIFO}, offloads: allOffloads},
		{name: "queue", hostOptions: hostOptions{endpoint: endpoint.Options{Queue: endpoint.Queue{Len: 1000}}}, offloads: allOffloads},
		{name: "companion", hostOptions: hostOptions{more: companion}, offloads: allOffloads},
		{name: "veth", veth: true, offloads: allOffloads},
		{name: "veth, fifo, companion", hostOptions: hostOptions{qdisc: newFIFO, more: companion}, veth: true},
	} {
		t.Run(o.name, func(t *testing.T) {
			near, far := newSegment(t, ethtest.SegmentOptions{}), newSegment(t, ethtest.SegmentOptions{})
			port := ethtest.PortOptions{Offloads: o.offloads}
			a := newHost(t, near, 2, hostOptions{port: port})
			o.port = port
			var b *host
			if o.veth {
				x, y := veth.NewPair(1500, 4096)
				newRouter(t, near, o.hostOptions, x)
				b = hostIn(t, 1, 3, y)
			} else {
				newRouter(t, near, o.hostOptions, newLink(t, far, port, endpoint.Options{}))
				b = newHost(t, far, 3, hostOptions{net: 1, port: port})
			}
			for _, p := range protocols {
				a.mustPing(p.number, b.addr(p.number, 0).Addr, 1000)
				if p.number == ipv4.ProtocolNumber && endpoint.RaceEnabled {
					// Netstack reads the TTL of a packet that it forwards from
					// memory that it has given back, where another packet may be
					// by then (forwardPacketWithRoute: h, after the deep copy).
					continue
				}
				stream(t, a, b, p.number, size(4<<20, 1<<19))
			}
		})
	}
}

// TestForwardToAbsent: a packet that is forwarded to a host that does not answer
// is dropped and counted, and nothing panics. With the companion its sender is
// told.
func TestForwardToAbsent(t *testing.T) {
	for _, told := range []bool{false, true} {
		for _, queued := range []bool{false, true} {
			t.Run(fmt.Sprintf("companion=%v,fifo=%v", told, queued), func(t *testing.T) {
				var o hostOptions
				if told {
					o.more = companion
				}
				if queued {
					o.qdisc = newFIFO
				}
				clock := new(ethtest.ManualClock)
				near, far := newSegment(t, ethtest.SegmentOptions{}), newSegment(t, ethtest.SegmentOptions{})
				a := newHost(t, near, 2, hostOptions{})
				out := newLink(t, far, ethtest.PortOptions{}, endpoint.Options{Clock: clock})
				r := newRouter(t, near, o, out)
				absent := (&host{net: 1, n: 99}).addr(ipv4.ProtocolNumber, 80)
				absent.NIC = 0
				st := r.stack.Stats()
				if !told {
					sendAbsent(t, a, absent, func() bool {
						clock.Advance(time.Second)
						return out.Interface().Stats().Drops[ethstack.DropTxUnresolved] >= 3
					})
					if n := st.ICMP.V4.PacketsSent.DstUnreachable.Value(); n != 0 {
						t.Errorf("%d messages, want none: how did they come about?", n)
					}
					return
				}
				for range 2 { // while the next hop has failed it goes faster
					var err error
					pass(t, clock, func() { _, err = a.dial(ipv4.ProtocolNumber, absent) })
					if err == nil || !strings.Contains(err.Error(), "no route to host") {
						t.Fatalf("dial: %v, want no route to host", err)
					}
				}
				if sent, counted := st.ICMP.V4.PacketsSent.DstUnreachable.Value(), st.IP.Forwarding.HostUnreachable.Value(); sent < 2 || sent != counted {
					t.Errorf("%d messages sent, %d counted; want as many, at least 2", sent, counted)
				}
			})
		}
	}
}

// sendAbsent sends datagrams until ok.
func sendAbsent(t *testing.T, a *host, to tcpip.FullAddress, ok func() bool) {
	t.Helper()
	c, err := gonet.DialUDP(a.stack, nil, &to, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "packets are dropped", func() bool {
		if _, err := c.Write([]byte("anybody there?")); err != nil {
			t.Fatal(err)
		}
		return ok()
	})
}
