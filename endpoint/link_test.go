package endpoint_test

import (
	"bytes"
	"io"
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/qdisc/fifo"
	"gvisor.dev/gvisor/pkg/tcpip/link/sniffer"
	gvisorarp "gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestLossy: TCP gets through a segment on which everything goes wrong.
func TestLossy(t *testing.T) {
	for _, o := range []ethstack.Offloads{0, allOffloads} {
		t.Run(o.String(), func(t *testing.T) {
			s := newSegment(t, ethtest.SegmentOptions{
				Seed: 1, MaxDelay: 200 * time.Microsecond, Loss: 0.01, Duplicate: 0.02, Reorder: 0.02, ReorderDelay: time.Millisecond, Trailing: 30,
			})
			a := newHost(t, s, 2, hostOptions{port: ethtest.PortOptions{Offloads: o}})
			b := newHost(t, s, 3, hostOptions{port: ethtest.PortOptions{Offloads: o}})
			for _, p := range protocols {
				t.Run(p.name, func(t *testing.T) { stream(t, a, b, p.number, size(512<<10, 64<<10)) })
			}
		})
	}
}

// TestUDP: datagrams of many sizes arrive as they were sent, both ways.
func TestUDP(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	a := newHost(t, s, 2, hostOptions{port: ethtest.PortOptions{Offloads: allOffloads}})
	b := newHost(t, s, 3, hostOptions{})
	for _, p := range protocols {
		for _, dir := range []struct{ from, to *host }{{a, b}, {b, a}} {
			from, to := udpPair(t, dir.from, dir.to, p.number)
			got := make([]byte, 65536)
			for _, n := range []int{0, 1, 17, 18, 100, 1472, 1473, 9000, 65000} {
				sent := bytes.Repeat([]byte{byte(n), 0xa5, byte(n >> 8)}, n/3+1)[:n]
				if _, err := from.Write(sent); err != nil {
					t.Fatal(err)
				}
				k, _, err := to.ReadFrom(got)
				if err != nil || !bytes.Equal(got[:k], sent) {
					t.Fatalf("%s, %d bytes: got %d (%v)", p.name, n, k, err)
				}
			}
			to.Close()
		}
	}
}

// TestQDisc: with a queue before the endpoint, lists are sent by a goroutine of
// its own.
func TestQDisc(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{MinDelay: 100 * time.Microsecond})
	a := newHost(t, s, 2, hostOptions{qdisc: func(ep stack.LinkWriter) stack.QueueingDiscipline { return fifo.New(ep, 2, 1000) }})
	b := newHost(t, s, 3, hostOptions{})
	for _, p := range protocols {
		stream(t, a, b, p.number, 1<<20)
	}
}

// TestSetLinkAddress: a connection lives on when the hardware address changes,
// and nothing is sent from the old one any more.
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

// TestNoAnswer: what is not an address of the NIC is not answered for, even
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
				b := make([]byte, ethstack.HeaderLen+arp.PacketLen)
				ethstack.Header{Destination: arp.Broadcast, Source: peerHardware, EtherType: ethstack.EtherTypeARP}.Put((*[ethstack.HeaderLen]byte)(b))
				arp.Packet{
					Operation: arp.OperationRequest, SenderHardwareAddr: peerHardware, SenderAddr: netip.AddrFrom4(peerAddr.As4()), TargetAddr: netip.AddrFrom4(target),
				}.Put((*[arp.PacketLen]byte)(b[ethstack.HeaderLen:]))
				if _, err := peer.Write(0, []ethstack.Frame{{Bufs: [][]byte{b}}}); err != nil {
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

// packetSocket opens a raw packet socket for all protocols.
func packetSocket(t *testing.T, h *host, cooked bool) tcpip.Endpoint {
	t.Helper()
	var wq waiter.Queue
	ep, err := h.stack.NewPacketEndpoint(cooked, header.EthernetProtocolAll, &wq)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ep.Close)
	if err := ep.Bind(tcpip.FullAddress{NIC: nicID, Port: 3}); err != nil {
		t.Fatal(err)
	}
	return ep
}

// TestPacketSocket: packet sockets see whole frames in both directions, with
// the addresses that are on the wire, and send frames as they are.
func TestPacketSocket(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	o := hostOptions{nic: stack.NICOptions{DeliverLinkPackets: true}}
	a, b := newHost(t, s, 2, o), newHost(t, s, 3, hostOptions{})
	a.mustPing(ipv4.ProtocolNumber, b.addr4(), 10)
	sock := packetSocket(t, a, false)
	a.mustPing(ipv4.ProtocolNumber, b.addr4(), 10)
	var got []ethstack.Header
	eventually(t, "request and reply", func() bool {
		var w sliceWriter
		if _, err := sock.Read(&w, tcpip.ReadOptions{}); err != nil {
			return false
		}
		h, _ := ethstack.ParseHeader(w, len(w))
		got = append(got, h)
		return len(got) == 2
	})
	hwA, hwB := a.ep.Interface().HardwareAddr(), b.ep.Interface().HardwareAddr()
	for k, want := range [][2]ethstack.HardwareAddr{{hwA, hwB}, {hwB, hwA}} {
		if h := got[k]; h.Source != want[0] || h.Destination != want[1] || h.EtherType != ethstack.EtherTypeIPv4 {
			t.Errorf("packet %d: %v, want from %v to %v", k, h, want[0], want[1])
		}
	}

	// A raw socket's frame goes out as it is.
	f := frame(b, hwB, header.IPv4Fields{Protocol: uint8(header.UDPProtocolNumber)}, datagram(b, 10, true))
	_, to := udpPair(t, a, b, ipv4.ProtocolNumber)
	if _, err := sock.Write(newPayload(f), tcpip.WriteOptions{To: &tcpip.FullAddress{NIC: nicID}}); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, from, err := to.ReadFrom(buf)
	if err != nil || n != 10 || from.String() != "10.0.0.77:1234" {
		t.Errorf("got %d bytes from %v (%v), want the 10 that were sent raw", n, from, err)
	}
}

// TestOpenFilter: frames for other hosts reach packet sockets, and nobody else.
func TestOpenFilter(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	h := newHost(t, s, 2, hostOptions{
		endpoint: endpoint.Options{OpenFilter: true},
		nic:      stack.NICOptions{DeliverLinkPackets: true},
	})
	peer, err := s.NewPort(ethtest.PortOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	sock := packetSocket(t, h, false)
	_, to := udpPair(t, h, h, ipv4.ProtocolNumber)
	foreign := ethstack.HardwareAddr{2, 9, 9, 9, 9, 9}
	f := frame(h, foreign, header.IPv4Fields{Protocol: uint8(header.UDPProtocolNumber)}, datagram(h, 10, true))
	if _, err := peer.Write(0, []ethstack.Frame{{Bufs: [][]byte{f}}}); err != nil {
		t.Fatal(err)
	}
	var w sliceWriter
	var res tcpip.ReadResult
	eventually(t, "the packet socket has the frame", func() bool {
		var err tcpip.Error
		res, err = sock.Read(&w, tcpip.ReadOptions{NeedLinkPacketInfo: true})
		return err == nil
	})
	if !bytes.Equal(w, f) || res.LinkPacketInfo.PktType != tcpip.PacketOtherHost {
		t.Errorf("got type %v and %d bytes, want another host's and %d", res.LinkPacketInfo.PktType, len(w), len(f))
	}
	to.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if n, _, err := to.ReadFrom(make([]byte, 100)); !isTimeout(err) {
		t.Errorf("a socket got %d bytes (%v) that were for another host", n, err)
	}
}
