package endpoint

import (
	"bytes"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/frameio"
)

// A feeder is a device that reads what a test feeds it, one frame at a time.
type feeder struct {
	*tape
	fed  chan func(*ethstack.Frame)
	idle chan struct{} // told when all that was read has been dealt with
}

func (d *feeder) Read(_ int, frames []ethstack.Frame) (int, error) {
	select {
	case d.idle <- struct{}{}:
	case <-d.closed:
		return 0, ethstack.ErrDisconnected
	}
	select {
	case fill := <-d.fed:
		fill(&frames[0])
		return 1, nil
	case <-d.closed:
		return 0, ethstack.ErrDisconnected
	}
}

// feed returns when the frame has been dealt with.
func (d *feeder) feed(b []byte, o ethstack.Offload) {
	<-d.idle
	d.fed <- func(f *ethstack.Frame) {
		frameio.Scatter(f.Bufs, 0, b)
		f.Len, f.Offload = len(b), o
	}
	<-d.idle
}

// A checkedLink is an endpoint whose NIC sees only packets that were checked.
type checkedLink struct {
	*Endpoint
	in *fedFrame
}

func (l checkedLink) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		l.Endpoint.Attach(nil)
		return
	}
	l.Endpoint.Attach(checkedNIC{NetworkInterface: d.(stack.NetworkInterface), up: d, e: l.Endpoint, in: l.in})
}

type checkedNIC struct {
	stack.NetworkInterface
	up stack.NetworkDispatcher
	e  *Endpoint
	in *fedFrame
}

func (n checkedNIC) DeliverNetworkPacket(p tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	n.in.check(p, pkt, n.e.Capabilities()&stack.CapabilityRXChecksumOffload != 0)
	if pkt.PktType == tcpip.PacketOtherHost {
		n.in.t.Error("a packet for another host was delivered to IP")
	}
	n.up.DeliverNetworkPacket(p, pkt)
}

func (n checkedNIC) DeliverLinkPacket(p tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	n.in.check(p, pkt, false)
	n.up.DeliverLinkPacket(p, pkt)
}

// A fedFrame is the frame that is on its way up.
type fedFrame struct {
	t       *testing.T
	bytes   []byte
	offload ethstack.Offload
}

// check looks at a packet as netstack does, with gVisor's parsers, and compares
// it with the frame that it came in.
func (in *fedFrame) check(p tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer, verified bool) {
	h, why := ethstack.ParseHeader(in.bytes, len(in.bytes))
	link := header.Ethernet(pkt.LinkHeader().Slice())
	got := content(pkt)
	want := append(bytes.Clone(in.bytes[:12]), in.bytes[h.Len-2:h.Len+h.PayloadLen]...)
	if h.EtherType == ethstack.EtherTypeARP {
		want = want[:min(len(want), len(got))] // ours shows what it has taken in, maybe without the end
	}
	switch {
	case why != ethstack.DropNone:
		in.t.Errorf("delivered a frame to be dropped: %v", why)
	case len(link) != ethstack.HeaderLen || !bytes.Equal(link, want[:ethstack.HeaderLen]):
		in.t.Errorf("the link header is % x, want % x", []byte(link), want[:ethstack.HeaderLen])
	case p != pkt.NetworkProtocolNumber || p != tcpip.NetworkProtocolNumber(h.EtherType):
		in.t.Errorf("protocols %#x and %#x, of EtherType %v", p, pkt.NetworkProtocolNumber, h.EtherType)
	case in.offload.Segment == ethstack.SegmentNone && len(got) != len(want):
		in.t.Errorf("%d bytes, want %d", len(got), len(want))
	case in.offload.Segment == ethstack.SegmentNone && in.offload.Flags&ethstack.NeedsChecksum == 0 && !bytes.Equal(got, want):
		in.t.Errorf("the packet is % x, want % x", got, want)
	case verified && in.offload.Segment == ethstack.SegmentNone:
		in.checkSums(got[ethstack.HeaderLen:], p)
	}
}

// checkSums looks if what netstack is told that it need not verify is right.
func (in *fedFrame) checkSums(packet []byte, p tcpip.NetworkProtocolNumber) {
	vouched := in.offload.Flags&(ethstack.NeedsChecksum|ethstack.DataValid) != 0
	switch p {
	case ipv4.ProtocolNumber:
		ip := header.IPv4(packet)
		if !ip.IsValid(len(packet)) || !ip.IsChecksumValid() {
			in.t.Errorf("% x was delivered as verified", packet)
		} else if ip.More() || ip.FragmentOffset() != 0 {
			in.t.Error("a fragment was delivered as verified")
		} else if !vouched && !sumIsRight(ip.TransportProtocol(), ip.SourceAddress(), ip.DestinationAddress(), ip.Payload()) {
			in.t.Errorf("% x was delivered as verified, its transport checksum is wrong", packet)
		}
	case ipv6.ProtocolNumber:
		ip := header.IPv6(packet)
		if !ip.IsValid(len(packet)) {
			in.t.Errorf("% x was delivered as verified", packet)
		} else if next := tcpip.TransportProtocolNumber(ip.NextHeader()); next == tcp.ProtocolNumber || next == udp.ProtocolNumber {
			if !vouched && !sumIsRight(next, ip.SourceAddress(), ip.DestinationAddress(), ip.Payload()) {
				in.t.Errorf("% x was delivered as verified, its transport checksum is wrong", packet)
			}
		}
	}
}

// sumIsRight verifies a transport checksum with gVisor's code.
func sumIsRight(p tcpip.TransportProtocolNumber, from, to tcpip.Address, payload []byte) bool {
	switch p {
	case tcp.ProtocolNumber:
		x := header.TCP(payload)
		data := x[min(int(x.DataOffset()), len(x)):]
		return x.IsChecksumValid(from, to, checksum.Checksum(data, 0), uint16(len(data)))
	case udp.ProtocolNumber:
		x := header.UDP(payload)
		x = x[:min(int(x.Length()), len(x))]
		return x.Checksum() == 0 && from.Len() == header.IPv4AddressSize || x.IsChecksumValid(from, to, checksum.Checksum(x.Payload(), 0))
	}
	return false
}

// Options of a fuzzed host, as bits.
const (
	repaired    = 1 << iota // the IPv4 header checksum and the transport's are made right
	openHost                // frames for others are let in
	promiscuous             // the NIC takes every address for its own
	companioned             // with NewProtocol
)

// A fedHost is a netstack with NIC 1 for untagged frames and 2 and 3 for VLANs'.
type fedHost struct {
	dev   *feeder
	in    *fedFrame
	eps   []*Endpoint
	stack *stack.Stack
}

func newFedHost(t *testing.T, bits byte) *fedHost {
	h := &fedHost{
		dev: &feeder{tape: newTape(0), fed: make(chan func(*ethstack.Frame)), idle: make(chan struct{})},
		in:  &fedFrame{t: t},
	}
	protocols := []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol}
	if bits&companioned != 0 {
		protocols = append(protocols, NewProtocol)
	}
	h.stack = stack.New(stack.Options{
		NetworkProtocols:   protocols,
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})
	o := Options{Clock: new(ethtest.ManualClock), OpenFilter: bits&openHost != 0}
	main, err := New(h.dev, o)
	if err != nil {
		t.Fatal(err)
	}
	h.eps = append(h.eps, main)
	for _, v := range []ethstack.VLAN{{{ID: 5}}, {{EtherType: ethstack.EtherTypeServiceVLAN, ID: 7}, {ID: 5}}} {
		e, err := main.VLAN(v, o)
		if err != nil {
			t.Fatal(err)
		}
		h.eps = append(h.eps, e)
	}
	for k, e := range h.eps {
		h.addNIC(t, tcpip.NICID(k+1), e, bits)
	}
	return h
}

func (h *fedHost) addNIC(t *testing.T, id tcpip.NICID, e *Endpoint, bits byte) {
	if err := h.stack.CreateNIC(id, checkedLink{e, h.in}); err != nil {
		t.Fatal(err)
	}
	a := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: addrA.WithPrefix()}
	if err := h.stack.AddProtocolAddress(id, a, stack.AddressProperties{}); err != nil {
		t.Fatal(err)
	}
	h.stack.SetPromiscuousMode(id, bits&promiscuous != 0)
	h.stack.AddRoute(tcpip.Route{Destination: header.IPv4EmptySubnet, NIC: id})
}

func (h *fedHost) close() {
	h.stack.Destroy()
	for k := len(h.eps) - 1; k >= 0; k-- {
		h.eps[k].Close()
	}
}

// repair makes the checksums of an IPv4 packet right, as far as there are any.
func repair(b []byte) {
	h, why := ethstack.ParseHeader(b, len(b))
	if why != ethstack.DropNone || h.EtherType != ethstack.EtherTypeIPv4 {
		return
	}
	ip := header.IPv4(b[h.Len : h.Len+h.PayloadLen])
	if !ip.IsValid(len(ip)) {
		return
	}
	ip.SetChecksum(0)
	ip.SetChecksum(^ip.CalculateChecksum())
	x := ip.Payload()
	sum := header.PseudoHeaderChecksum(ip.TransportProtocol(), ip.SourceAddress(), ip.DestinationAddress(), uint16(len(x)))
	switch p := ip.TransportProtocol(); {
	case p == tcp.ProtocolNumber && len(x) >= header.TCPMinimumSize:
		header.TCP(x).SetChecksum(0)
		header.TCP(x).SetChecksum(^checksum.Checksum(x, sum))
	case p == udp.ProtocolNumber && len(x) >= header.UDPMinimumSize:
		header.UDP(x).SetLength(uint16(len(x)))
		header.UDP(x).SetChecksum(0)
		header.UDP(x).SetChecksum(^checksum.Checksum(x, sum))
	case p == icmp.ProtocolNumber4 && len(x) >= header.ICMPv4MinimumSize:
		header.ICMPv4(x).SetChecksum(0)
		header.ICMPv4(x).SetChecksum(header.ICMPv4Checksum(x, 0))
	}
}

// FuzzDeliver feeds a netstack on a device that lies frames with any metadata.
// Each is counted once, as delivered or taken by ARP or dropped; what is
// delivered is the frame, cut and marked as netstack expects it; what it is told
// that it need not verify is right; netstack survives it; and every reference is
// given back.
func FuzzDeliver(f *testing.F) {
	for _, s := range inboundSeeds() {
		o := s.offload
		f.Add(s.frame, byte(o.Flags), byte(o.Segment), o.SegmentSize, o.HeaderLen, o.ChecksumStart, o.ChecksumOffset, s.bits)
	}
	f.Fuzz(func(t *testing.T, b []byte, flags, segment byte, size, headers, start, offset uint16, bits byte) {
		if len(b) > ethstack.MaxSuperFrame {
			return // no device has room for it
		}
		b = bytes.Clone(b)
		if bits&repaired != 0 {
			repair(b)
		}
		h := newFedHost(t, bits)
		h.in.bytes, h.in.offload = b, ethstack.Offload{
			Flags: ethstack.OffloadFlags(flags), Segment: ethstack.SegmentType(segment), SegmentSize: size, HeaderLen: headers,
			ChecksumStart: start, ChecksumOffset: offset,
		}
		h.dev.feed(b, h.in.offload)
		st := h.eps[0].link.Stats()
		frames, ended := st.RxFrames, st.RxDropped()
		for _, e := range h.eps {
			st := e.i.Stats()
			frames, ended = frames+st.RxFrames, ended+st.RxDelivered+st.RxARP+st.RxDropped()
		}
		if frames != 1 || ended != 1 {
			t.Errorf("one frame was counted as %d read and %d delivered or dropped", frames, ended)
		}
		h.close()
		if !referencesReturned() {
			t.Error("a reference was not given back")
		}
	})
}
