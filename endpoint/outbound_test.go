package endpoint

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
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

// TestSource is R38: the source address is the present one, for routes that are older,
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

// TestSentBeforeWaiting: what comes in a list before a packet that has to wait
// is sent before that one can be released.
func TestSentBeforeWaiting(t *testing.T) {
	d := newTape(0)
	e := newTest(t, d)
	learn(t, e, "10.0.0.5", hwB)
	var pkts stack.PacketBufferList
	for _, to := range []string{"10.0.0.5", "10.0.0.5", "10.0.0.6", "10.0.0.5"} {
		pkt := newOutgoing(routeTo(to), 10)
		e.AddHeader(pkt)
		pkts.PushBack(pkt)
	}
	defer pkts.DecRef()
	if n, err := e.WritePackets(pkts); n != 3 || err != nil {
		t.Errorf("WritePackets: %d, %v; want 3", n, err)
	}
	if w := d.take(); len(w) != 2 || len(w[0].frames) != 2 || len(w[1].frames) != 1 {
		t.Errorf("%d calls of Write, want one with 2 frames before the packet waits and one with 1 after", len(w))
	}
}
