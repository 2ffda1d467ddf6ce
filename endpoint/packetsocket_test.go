package endpoint_test

import (
	"bytes"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

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
