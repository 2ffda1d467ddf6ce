package endpoint

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// newOutgoing makes a packet as the IP layer does, with its payload in a view
// of its own.
func newOutgoing(r stack.RouteInfo, payload int) *stack.PacketBuffer {
	p := stack.PacketBufferOptions{ReserveHeaderBytes: ethstack.HeaderLen + header.IPv4MinimumSize}
	if payload > 0 {
		v := buffer.NewViewSize(payload)
		for k := range v.AsSlice() {
			v.AsSlice()[k] = byte(k)
		}
		p.Payload = buffer.MakeWithView(v)
	}
	pkt := stack.NewPacketBuffer(p)
	pkt.EgressRoute = r
	pkt.NetworkProtocolNumber = header.IPv4ProtocolNumber
	ip := header.IPv4(pkt.NetworkHeader().Push(header.IPv4MinimumSize))
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(header.IPv4MinimumSize + payload), TTL: 64, Protocol: 99, SrcAddr: r.LocalAddress, DstAddr: r.RemoteAddress,
	})
	return pkt
}

// routeTo is the route of an IPv4 packet as netstack fills it in.
func routeTo(remote string) (r stack.RouteInfo) {
	r.NetProto = header.IPv4ProtocolNumber
	r.LocalAddress = addrA
	r.LocalLinkAddress = tcpip.LinkAddress(hwA[:])
	r.RemoteAddress = address(remote)
	r.Loop = stack.PacketOut
	return r
}

func address(s string) tcpip.Address { return tcpip.AddrFromSlice(netip.MustParseAddr(s).AsSlice()) }

func via(r stack.RouteInfo, gateway string) stack.RouteInfo {
	r.NextHop = address(gateway)
	return r
}

func looped(r stack.RouteInfo) stack.RouteInfo {
	r.Loop |= stack.PacketLoop
	return r
}

func linked(r stack.RouteInfo, a tcpip.LinkAddress) stack.RouteInfo {
	r.RemoteLinkAddress = a
	return r
}

// TestClassify: where a packet goes follows from its route alone.
func TestClassify(t *testing.T) {
	ipv6 := stack.RouteInfo{}
	ipv6.NetProto = header.IPv6ProtocolNumber
	ipv6.RemoteAddress = address("fd00::2")
	cooked := stack.RouteInfo{}
	cooked.NetProto = header.IPv4ProtocolNumber
	broadcast := arp.Broadcast
	for _, tt := range []struct {
		name string
		r    stack.RouteInfo
		how  routing
		to   ethstack.HardwareAddr
		hop  [4]byte
	}{
		{"on-link", routeTo("10.0.0.5"), routeResolve, ethstack.HardwareAddr{}, [4]byte{10, 0, 0, 5}},
		{"gateway", via(routeTo("8.8.8.8"), "10.0.0.254"), routeResolve, ethstack.HardwareAddr{}, [4]byte{10, 0, 0, 254}},
		{"resolved by netstack", linked(routeTo("10.0.0.5"), "\x02\x00\x00\x00\x00\x05"), routeReady, ethstack.HardwareAddr{2, 0, 0, 0, 0, 5}, [4]byte{}},
		{"RFC 1122 §3.3.6, limited broadcast", looped(routeTo("255.255.255.255")), routeReady, broadcast, [4]byte{}},
		{"RFC 1122 §3.3.6, subnet broadcast", looped(routeTo("10.0.0.255")), routeReady, broadcast, [4]byte{}},
		{"looped by way of a gateway", looped(via(routeTo("10.1.0.255"), "10.0.0.254")), routeResolve, ethstack.HardwareAddr{}, [4]byte{10, 0, 0, 254}},
		{"RFC 1112 §6.4, multicast", looped(routeTo("224.128.64.32")), routeReady, ethstack.HardwareAddr{1, 0, 0x5e, 0, 0x40, 0x20}, [4]byte{}},
		{"multicast, not looped", routeTo("239.255.1.2"), routeReady, ethstack.HardwareAddr{1, 0, 0x5e, 0x7f, 1, 2}, [4]byte{}},
		{"multicast with a gateway", via(routeTo("239.1.2.3"), "10.0.0.254"), routeReady, ethstack.HardwareAddr{1, 0, 0x5e, 1, 2, 3}, [4]byte{}},
		{"ourselves", routeTo("10.0.0.1"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{10, 0, 0, 1}},
		{"0/8", routeTo("0.1.2.3"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{0, 1, 2, 3}},
		{"127/8", routeTo("127.0.0.1"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{127, 0, 0, 1}},
		{"class E", routeTo("240.0.0.1"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{240, 0, 0, 1}},
		{"multicast gateway", via(routeTo("8.8.8.8"), "224.0.0.1"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{224, 0, 0, 1}},
		{"raw packet socket", stack.RouteInfo{}, routeReady, ethstack.HardwareAddr{}, [4]byte{}},
		{"packet socket without a destination", cooked, routeInvalid, ethstack.HardwareAddr{}, [4]byte{}},
		{"IPv6 unresolved", ipv6, routeInvalid, ethstack.HardwareAddr{}, [4]byte{}},
		{"link address that is not Ethernet's", linked(cooked, "123"), routeInvalid, ethstack.HardwareAddr{}, [4]byte{}},
	} {
		if how, to, hop := classify(&tt.r); how != tt.how || to != tt.to || hop != tt.hop {
			t.Errorf("%s: %d, %v, %v; want %d, %v, %v", tt.name, how, to, hop, tt.how, tt.to, tt.hop)
		}
	}
}

func list(pkts ...*stack.PacketBuffer) (l stack.PacketBufferList) {
	for _, p := range pkts {
		l.PushBack(p)
	}
	return l
}

// learn makes a neighbor known.
func learn(t testing.TB, e *Endpoint, addr string, hw ethstack.HardwareAddr) {
	t.Helper()
	if err := e.i.AddStaticNeighbor(netip.MustParseAddr(addr), hw); err != nil {
		t.Fatal(err)
	}
}

// TestShapes: each of the four shapes in which packets come is sent right.
func TestShapes(t *testing.T) {
	d := newTape(0)
	e := newTest(t, d)
	learn(t, e, "10.0.0.5", hwB)
	whole := tcpFrame(100, false)
	inPayload := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: ethstack.HeaderLen, Payload: buffer.MakeWithData(whole),
	})
	raw := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(whole)})
	if !e.ParseHeader(raw) {
		t.Fatal("ParseHeader refuses a whole frame")
	}
	ready := newOutgoing(linked(routeTo("10.0.0.9"), tcpip.LinkAddress(hwB[:])), 50)
	e.AddHeader(ready)
	unresolved := newOutgoing(routeTo("10.0.0.5"), 50)
	e.AddHeader(unresolved)
	short := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(whole[:13])})
	if e.ParseHeader(short) {
		t.Error("ParseHeader takes 13 bytes for a header")
	}
	pkts := list(inPayload, raw, ready, unresolved, short)
	defer pkts.DecRef()
	n, err := e.WritePackets(pkts)
	if n != 4 || err != nil {
		t.Errorf("WritePackets: %d, %v; want 4", n, err)
	}
	writes := d.take()
	if len(writes) != 1 || len(writes[0].frames) != 4 {
		t.Fatalf("%d calls of Write, want one with 4 frames", len(writes))
	}
	for k, f := range writes[0].frames {
		h, why := ethstack.ParseHeader(f, len(f))
		want := hwB
		if k < 2 {
			want = hwA // whole is from B to A
			if !bytes.Equal(f, whole) {
				t.Errorf("frame %d is not as it was given", k)
			}
		}
		if why != ethstack.DropNone || h.Destination != want || h.EtherType != ethstack.EtherTypeIPv4 {
			t.Errorf("frame %d: %+v, %v", k, h, why)
		}
		if k >= 2 && (len(f) != 14+20+50 || f[14+20+49] != 49 || h.Source != hwA) {
			t.Errorf("frame %d: %x", k, f)
		}
	}
	if n := e.i.Stats().Drops[ethstack.DropTxInvalid]; n != 1 {
		t.Errorf("%d packets dropped as invalid, want the short one", n)
	}
}

// TestResolvedInBetween: a packet that got its header before its next hop was
// known is sent right, and netstack's own copy stays as it is.
func TestResolvedInBetween(t *testing.T) {
	d := newTape(0)
	e := newTest(t, d)
	pkt := newOutgoing(routeTo("10.0.0.5"), 50)
	defer pkt.DecRef()
	e.AddHeader(pkt)
	learn(t, e, "10.0.0.5", hwB)
	if _, err := e.WritePackets(list(pkt)); err != nil {
		t.Fatal(err)
	}
	f := d.take()[0].frames[0]
	if h, _ := ethstack.ParseHeader(f, len(f)); h.Destination != hwB || h.Source != hwA {
		t.Errorf("sent to %v from %v", h.Destination, h.Source)
	}
	if got := pkt.LinkHeader().Slice(); !bytes.Equal(got[:6], make([]byte, 6)) {
		t.Errorf("netstack's packet was changed: %x", got)
	}
}

// TestSource: the source address is the present one, for routes that are older,
// too; only a bridge's is left as it is.
func TestSource(t *testing.T) {
	e := newTest(t, newTape(0))
	second, third, foreign := ethstack.HardwareAddr{2, 2}, ethstack.HardwareAddr{2, 3}, ethstack.HardwareAddr{2, 9}
	check := func(want ethstack.HardwareAddr, from ...ethstack.HardwareAddr) {
		t.Helper()
		for _, a := range from {
			if got := e.source(tcpip.LinkAddress(a[:])); got != want {
				t.Errorf("source(%v) = %v, want %v", a, got, want)
			}
		}
		if got := e.source(""); got != want {
			t.Errorf("source of no address = %v, want %v", got, want)
		}
		if got := e.source(tcpip.LinkAddress(foreign[:])); got != foreign {
			t.Errorf("source of a bridge's = %v, want it as it is", got)
		}
	}
	check(hwA, hwA)
	e.SetLinkAddress(tcpip.LinkAddress(second[:]))
	check(second, hwA, second)
	if err := e.i.SetHardwareAddr(third); err != nil { // by another way
		t.Fatal(err)
	}
	check(third, hwA, second, third)
	e.SetLinkAddress(tcpip.LinkAddress(hwA[:]))
	check(hwA, hwA, second, third)
	for k := range byte(2 * maxFormer) {
		e.SetLinkAddress(tcpip.LinkAddress([]byte{2, 0xff, 0, 0, 0, k}))
	}
	if n := len(e.identity().former); n != maxFormer {
		t.Errorf("%d former addresses, want %d", n, maxFormer)
	}
}

// TestListOrder: of one list, what waits for a next hop does not hold up the
// rest, and what is sent to one next hop keeps its order.
func TestListOrder(t *testing.T) {
	d := newTape(0)
	e := newTest(t, d)
	if err := e.i.AddIPv4(netip.MustParseAddr("10.0.0.1")); err != nil {
		t.Fatal(err)
	}
	learn(t, e, "10.0.0.5", hwB)
	var pkts []*stack.PacketBuffer
	for k := range 30 {
		to := "10.0.0.5"
		if k%3 == 1 {
			to = "10.0.0.6"
		}
		pkt := newOutgoing(routeTo(to), 10+k)
		e.AddHeader(pkt)
		pkts = append(pkts, pkt)
	}
	pl := list(pkts...)
	defer pl.DecRef()
	if n, err := e.WritePackets(pl); n != 20 || err != nil {
		t.Errorf("WritePackets: %d, %v; want 20", n, err)
	}
	learn(t, e, "10.0.0.6", hwA)
	final := newOutgoing(routeTo("10.0.0.6"), 100)
	defer final.DecRef()
	e.AddHeader(final)
	if _, err := e.WritePackets(list(final)); err != nil {
		t.Fatal(err)
	}
	sizes := map[ethstack.HardwareAddr][]int{}
	for deadline := time.Now().Add(10 * time.Second); len(sizes[hwA]) < 11; {
		if time.Now().After(deadline) {
			t.Fatalf("sent so far: %v", sizes)
		}
		for _, w := range d.take() {
			for _, f := range w.frames {
				h, _ := ethstack.ParseHeader(f, len(f))
				sizes[h.Destination] = append(sizes[h.Destination], len(f)-34)
			}
		}
	}
	for hw, s := range sizes {
		if !slices.IsSorted(s) {
			t.Errorf("to %v in the order of sizes %v", hw, s)
		}
	}
	if n := len(sizes[hwB]); n != 20 {
		t.Errorf("%d packets to the known next hop, want 20", n)
	}
}

// typeOf tells netstack's errors apart: they are pointers to nothing.
func typeOf(err tcpip.Error) string { return fmt.Sprintf("%T", err) }

// TestErrors: netstack is given no error that it panics on for a forwarded
// packet.
func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		fail error
		want tcpip.Error
	}{
		{nil, nil},
		{ethstack.ErrNoBufferSpace, &tcpip.ErrNoBufferSpace{}},
		{fmt.Errorf("device: %w", ethstack.ErrNoBufferSpace), &tcpip.ErrNoBufferSpace{}},
		{ethstack.ErrMessageTooLong, &tcpip.ErrMessageTooLong{}},
		{ethstack.ErrDisconnected, &tcpip.ErrClosedForSend{}},
		{ethstack.ErrUnsupportedOffload, &tcpip.ErrNoBufferSpace{}},
		{errors.New("input/output error"), &tcpip.ErrNoBufferSpace{}},
	} {
		d := newTape(0)
		d.fail = tt.fail
		e := newTest(t, d)
		pkt := newOutgoing(linked(routeTo("10.0.0.5"), tcpip.LinkAddress(hwB[:])), 10)
		e.AddHeader(pkt)
		want := 1
		if tt.fail != nil {
			want = 0
		}
		if n, err := e.WritePackets(list(pkt)); typeOf(err) != typeOf(tt.want) || n != want {
			t.Errorf("the device says %v: %d, %v; want %d, %v", tt.fail, n, err, want, tt.want)
		}
		pkt.DecRef()
	}
}

// TestUnreachableForwarded: of a next hop that has failed, only who sends
// packets of its own is told.
func TestUnreachableForwarded(t *testing.T) {
	d := newTape(0)
	clock := new(ethtest.ManualClock)
	e, err := New(d, Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	up := &dispatcher{e: e}
	e.Attach(up)
	send := func(forwarded bool) tcpip.Error {
		pkt := newOutgoing(routeTo("10.0.0.5"), 10)
		defer pkt.DecRef()
		pkt.NetworkPacketInfo.IsForwardedPacket = forwarded
		e.AddHeader(pkt)
		_, err := e.WritePackets(list(pkt))
		return err
	}
	for _, forwarded := range []bool{true, false} {
		if err := send(forwarded); err != nil {
			t.Errorf("forwarded %v, next hop not known: %v", forwarded, err)
		}
	}
	clock.Advance(10 * time.Second)
	if err := send(true); err != nil {
		t.Errorf("forwarded, next hop has failed: %v: netstack panics on it", err)
	}
	if err := send(false); typeOf(err) != typeOf(&tcpip.ErrHostUnreachable{}) {
		t.Errorf("our own, next hop has failed: %v", err)
	}
	clock.Advance(time.Millisecond)
	if n := e.i.Stats().Drops[ethstack.DropTxUnresolved]; n != 4 {
		t.Errorf("%d packets dropped as unresolved, want 4", n)
	}
	if up.delivered != 2 {
		t.Errorf("netstack was told of %d packets, want its own 2", up.delivered)
	}
}

// TestGSO: super-frames have the metadata that devices want.
func TestGSO(t *testing.T) {
	d := newTape(^ethstack.Offloads(0))
	e := newTest(t, d)
	for _, tt := range []struct {
		name    string
		gso     stack.GSO
		payload int
		want    ethstack.Offload
	}{
		{"none", stack.GSO{}, 1000, ethstack.Offload{}},
		{"one segment", stack.GSO{Type: stack.GSOTCPv4, NeedsCsum: true, CsumOffset: 16, MSS: 1460, L3HdrLen: 20}, 1460, partialTCP},
		{"super-frame", stack.GSO{Type: stack.GSOTCPv4, NeedsCsum: true, CsumOffset: 16, MSS: 1460, L3HdrLen: 20}, 1461,
			ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 34, ChecksumOffset: 16, Segment: ethstack.SegmentTCPv4, SegmentSize: 1460, HeaderLen: 34}},
		{"IPv6, the largest", stack.GSO{Type: stack.GSOTCPv6, NeedsCsum: true, CsumOffset: 16, MSS: 1440, L3HdrLen: 40}, 65376,
			ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 54, ChecksumOffset: 16, Segment: ethstack.SegmentTCPv6, SegmentSize: 1440, HeaderLen: 34}},
	} {
		pkt := newOutgoing(linked(routeTo("10.0.0.5"), tcpip.LinkAddress(hwB[:])), tt.payload)
		pkt.GSOOptions = tt.gso
		e.AddHeader(pkt)
		if _, err := e.WritePackets(list(pkt)); err != nil {
			t.Fatal(err)
		}
		pkt.DecRef()
		if w := d.take(); w[0].offloads[0] != tt.want || len(w[0].frames[0]) != 34+tt.payload {
			t.Errorf("%s: %+v with %d bytes, want %+v", tt.name, w[0].offloads[0], len(w[0].frames[0]), tt.want)
		}
	}
}

// TestGSOMaxSize: no super-frame is larger than the device or IP takes.
func TestGSOMaxSize(t *testing.T) {
	for _, tt := range []struct {
		offloads ethstack.Offloads
		maxFrame int
		want     uint32
	}{
		{0, 1518, 65536},
		{ethstack.OffloadTCPv4, ethstack.MaxSuperFrame, 65536},
		{ethstack.OffloadTCPv6, 32768, 32754},
	} {
		d := newTape(tt.offloads)
		d.info.MaxFrame = tt.maxFrame
		if got := newTest(t, d).GSOMaxSize(); got != tt.want {
			t.Errorf("offloads %v, MaxFrame %d: %d, want %d", tt.offloads, tt.maxFrame, got, tt.want)
		}
	}
}

// TestQueues: a flow stays on one queue.
func TestQueues(t *testing.T) {
	d := newTape(0)
	d.queues = 4
	e := newTest(t, d)
	var pkts []*stack.PacketBuffer
	for k := range uint32(40) {
		pkt := newOutgoing(linked(routeTo("10.0.0.5"), tcpip.LinkAddress(hwB[:])), int(k))
		pkt.Hash = k % 10
		e.AddHeader(pkt)
		pkts = append(pkts, pkt)
	}
	pl := list(pkts...)
	defer pl.DecRef()
	if n, err := e.WritePackets(pl); n != 40 || err != nil {
		t.Fatalf("WritePackets: %d, %v", n, err)
	}
	next := 0
	for _, w := range d.take() {
		for _, f := range w.frames {
			if size := len(f) - 34; size != next || w.queue != size%10%4 {
				t.Errorf("packet %d on queue %d, want packet %d on queue %d", size, w.queue, next, next%10%4)
			}
			next++
		}
	}
}

// TestSendAllocations: a packet to a known neighbor allocates nothing, alone or
// in a list.
func TestSendAllocations(t *testing.T) {
	withoutLeakCheck(t, func(t *testing.T) {
		d := newTape(^ethstack.Offloads(0))
		d.forget = true
		e := newTest(t, d)
		learn(t, e, "10.0.0.5", hwB)
		for _, n := range []int{1, 40} {
			var pkts []*stack.PacketBuffer
			for range n {
				pkt := newOutgoing(routeTo("10.0.0.5"), 1000)
				e.AddHeader(pkt)
				pkts = append(pkts, pkt)
			}
			pl := list(pkts...)
			if a := testing.AllocsPerRun(200, func() { e.WritePackets(pl) }); a != 0 {
				t.Errorf("%v allocations for %d packets", a, n)
			}
			pl.DecRef()
		}
		r := routeTo("10.0.0.5")
		a := testing.AllocsPerRun(200, func() {
			pkt := newOutgoing(r, 0)
			e.AddHeader(pkt)
			pkt.DecRef()
		})
		if a != 0 {
			t.Errorf("AddHeader: %v allocations", a)
		}
	})
}
