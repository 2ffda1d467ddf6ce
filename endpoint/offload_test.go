package endpoint

import (
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

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
