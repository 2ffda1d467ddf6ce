package endpoint_test

import (
	"io"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/sniffer"
	gvisorarp "gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestSetLinkAddress is R38: a connection lives on when the hardware address
// changes, and nothing is sent from the old one any more.
func TestSetLinkAddress(t *testing.T) {
	old := ethstack.HardwareAddr{2, 0, 0, 0, 0, 2}
	now := ethstack.HardwareAddr{2, 0, 0, 0, 1, 2}
	changed := make(chan struct{})
	fromOld := make(chan struct{}, 1)
	s := newSegment(t, ethtest.SegmentOptions{Capture: func(c ethtest.Capture) {
		h, _ := ethstack.ParseHeader(c.Frame, len(c.Frame))
		select {
		case <-changed:
			if h.Source == old {
				select {
				case fromOld <- struct{}{}:
				default:
				}
			}
		default:
		}
	}})
	a, b := newHost(t, s, 2, hostOptions{}), newHost(t, s, 3, hostOptions{})
	l := b.listen(ipv4.ProtocolNumber, 80)
	c, err := a.dial(ipv4.ProtocolNumber, b.addr(ipv4.ProtocolNumber, 80))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	talk := func() {
		t.Helper()
		for _, dir := range []struct {
			from io.Writer
			to   io.Reader
		}{{c, server}, {server, c}} {
			if _, err := dir.from.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(dir.to, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.SetDeadline(time.Now().Add(patience))
	server.SetDeadline(time.Now().Add(patience))
	talk()
	for _, bad := range []tcpip.LinkAddress{"", "123", "\x01\x00\x00\x00\x00\x01"} {
		a.ep.SetLinkAddress(bad)
		if got := a.ep.LinkAddress(); got != tcpip.LinkAddress(old[:]) {
			t.Fatalf("SetLinkAddress(%q) made it %v", bad, got)
		}
	}
	if err := a.stack.SetNICAddress(nicID, tcpip.LinkAddress(now[:])); err != nil {
		t.Fatal(err)
	}
	close(changed)
	if got := a.ep.LinkAddress(); got != tcpip.LinkAddress(now[:]) {
		t.Fatalf("LinkAddress is %v, want %v", got, now)
	}
	// The announcement reaches the other side, whose entry follows it.
	eventually(t, "the neighbor follows", func() bool {
		hw, ok := b.ep.Interface().Lookup(a.ip4().As4())
		return ok && hw == now
	})
	talk()
	select {
	case <-fromOld:
		t.Error("a frame was sent from the old address")
	default:
	}
}

// TestGvisorARP: with gVisor's own ARP on the stack ours steps back, so that
// there is one answer to a request.
func TestGvisorARP(t *testing.T) {
	var log arpLog
	s := newSegment(t, ethtest.SegmentOptions{Capture: log.capture})
	a := newHost(t, s, 2, hostOptions{})
	b := newHost(t, s, 3, hostOptions{stack: stack.Options{NetworkProtocols: []stack.NetworkProtocolFactory{
		ipv4.NewProtocol, ipv6.NewProtocol, gvisorarp.NewProtocol,
	}}})
	a.mustPing(ipv4.ProtocolNumber, b.addr4(), 10)
	b.mustPing(ipv4.ProtocolNumber, a.addr4(), 10)
	replies := log.count(func(p arp.Packet) bool {
		return p.Operation == arp.OperationReply && p.SenderAddr == b.ip4()
	})
	if n := log.requestsFor(3); n != 1 || replies != 1 {
		t.Errorf("%d requests and %d replies, want one of each", n, replies)
	}
	if n := b.ep.Interface().Stats().RxARP; n != 0 {
		t.Errorf("our ARP has taken in %d packets", n)
	}
	stream(t, a, b, ipv4.ProtocolNumber, 1<<20)
}

// TestSniffer: under a wrapper the NIC cannot be asked, and AddIPv4 tells.
func TestSniffer(t *testing.T) {
	sniffer.LogPackets.Store(0)
	wrap := func(ep stack.LinkEndpoint) stack.LinkEndpoint { return sniffer.New(ep) }
	s := newSegment(t, ethtest.SegmentOptions{})
	a := newHost(t, s, 2, hostOptions{wrap: wrap, port: ethtest.PortOptions{Offloads: allOffloads}})
	b := newHost(t, s, 3, hostOptions{port: ethtest.PortOptions{Offloads: allOffloads}})
	if err := a.ep.Interface().AddIPv4(a.ip4()); err != nil {
		t.Fatal(err)
	}
	for _, p := range protocols {
		a.mustPing(p.number, b.addr(p.number, 0).Addr, 10)
		stream(t, b, a, p.number, 1<<20)
	}
}

// TestOwnAddress: a packet to ourselves is neither sent nor asked for by ARP.
func TestOwnAddress(t *testing.T) {
	var log arpLog
	s := newSegment(t, ethtest.SegmentOptions{Capture: log.capture})
	a := newHost(t, s, 2, hostOptions{stack: stack.Options{HandleLocal: false}})
	from, _ := udpPair(t, a, a, ipv4.ProtocolNumber)
	if _, err := from.Write([]byte("to myself")); err != nil {
		t.Fatal(err)
	}
	if n := a.ep.Interface().Stats().Drops[ethstack.DropTxInvalid]; n != 1 {
		t.Errorf("%d packets dropped as invalid, want 1", n)
	}
	if n := log.requestsFor(2); n != 0 {
		t.Errorf("%d requests for our own address", n)
	}
}

// TestNoAnswer is R59: what is not an address of the NIC is not answered for, even
// where the NIC says it is.
func TestNoAnswer(t *testing.T) {
	for _, mode := range []string{"", "promiscuous", "spoofing"} {
		t.Run(mode, func(t *testing.T) {
			var log arpLog
			s := newSegment(t, ethtest.SegmentOptions{Capture: log.capture})
			a := newHost(t, s, 2, hostOptions{})
			a.stack.SetPromiscuousMode(nicID, mode != "")
			a.stack.SetSpoofing(nicID, mode == "spoofing")
			peer, err := s.NewPort(ethtest.PortOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			targets := [][4]byte{
				{255, 255, 255, 255}, {10, 0, 0, 255}, {0, 0, 0, 0}, {224, 0, 0, 1}, {10, 0, 0, 3}, {127, 0, 0, 1}, {8, 8, 8, 8},
				{10, 0, 0, 2}, // the last is ours
			}
			for _, target := range targets {
				if _, err := peer.Write(0, []ethstack.Frame{{Bufs: [][]byte{arpRequest(target)}}}); err != nil {
					t.Fatal(err)
				}
			}
			reply := func(p arp.Packet) bool { return p.Operation == arp.OperationReply }
			eventually(t, "the request for our address is answered", func() bool { return log.count(reply) > 0 })
			if n := log.count(reply); n != 1 {
				t.Errorf("%d replies, want 1", n)
			}
		})
	}
}
