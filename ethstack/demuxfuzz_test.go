package ethstack

import (
	"bytes"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
)

// A metadata is the fuzzer's word for an [Offload].
type metadata struct {
	flags, segment              byte
	size, header, start, offset uint16
}

func (m metadata) offload() Offload {
	return Offload{
		Flags: OffloadFlags(m.flags), Segment: SegmentType(m.segment), SegmentSize: m.size, HeaderLen: m.header,
		ChecksumStart: m.start, ChecksumOffset: m.offset,
	}
}

// Options of a fuzzed link, as bits.
const (
	withoutUntagged = 1 << iota // no interface for untagged frames
	withOpenFilter
	withPassARP
	withRefusal // the receiver drops what is delivered
)

var fuzzVLANs = []VLAN{{}, {{EtherTypeVLAN, 5}}, {{EtherTypeServiceVLAN, 7}, {EtherTypeVLAN, 5}}}

// A checkingReceiver checks everything about a frame that is delivered that a
// receiver may rely on, and does with it what receivers do.
type checkingReceiver struct {
	t         *testing.T
	bits      byte
	frame     []byte // as the device gave it
	delivered int
}

func (r *checkingReceiver) Prepare(*Frame) {}
func (r *checkingReceiver) Release(*Frame) {}
func (r *checkingReceiver) Flush()         {}

func (r *checkingReceiver) Deliver(i *Interface, f *Frame, h Header) DropReason {
	r.delivered++
	whole := flatten(f.Bufs, f.WireLen())
	switch {
	case i.vlan != h.VLAN:
		r.t.Errorf("a frame of %v was delivered to %v", h.VLAN, i.vlan)
	case h.PayloadLen < 0 || h.Len+h.PayloadLen != f.Len || f.Len > len(r.frame):
		r.t.Fatalf("header of %d bytes and payload of %d in a frame of %d, of %d read", h.Len, h.PayloadLen, f.Len, len(r.frame))
	case len(f.head()) < h.Len:
		r.t.Errorf("the header's %d bytes do not lie in one piece of %d", h.Len, len(f.head()))
	case !bytes.Equal(whole[:f.Len], r.frame[:f.Len]):
		r.t.Error("the frame was written to")
	case f.Offload.Segment == SegmentNone && h.PayloadLen > 1500:
		r.t.Errorf("a payload of %d bytes, with an MTU of 1500", h.PayloadLen)
	case h.EtherType < minType || h.EtherType.isTag() || h.EtherType == EtherTypeMACControl,
		h.EtherType == EtherTypeARP && r.bits&withPassARP == 0:
		r.t.Errorf("EtherType %v was delivered", h.EtherType)
	case h.Source.IsGroup() || h.Source.IsZero() || h.Source == i.HardwareAddr():
		r.t.Errorf("a frame from %v was delivered", h.Source)
	}
	r.checkClass(h)
	r.checkMetadata(f)
	if r.bits&withRefusal != 0 {
		return DropNotJoined
	}
	return DropNone
}

func (r *checkingReceiver) checkClass(h Header) {
	want := ToMulticast
	switch {
	case h.Destination == hwA:
		want = ToUs
	case h.Destination == hwBcast:
		want = ToBroadcast
	case h.Destination[0]&1 == 0:
		want = ToOther
	}
	if h.Class != want || want == ToOther && r.bits&withOpenFilter == 0 {
		r.t.Errorf("a frame to %v was delivered as %v", h.Destination, h.Class)
	}
}

// checkMetadata: what has passed the demux does not contradict the frame, so
// that a checksum can be completed and a super-frame be taken apart.
func (r *checkingReceiver) checkMetadata(f *Frame) {
	var l layers
	if err := f.validate(&l, f.Len); err != nil {
		r.t.Errorf("delivered with %+v, of %d bytes: %v", f.Offload, f.Len, err)
	}
	cut := Frame{Bufs: [][]byte{flatten(f.Bufs, f.WireLen())[:f.Len]}, Len: f.Len, Offload: f.Offload}
	VerifyChecksums(&cut)
	if f.Offload.Segment == SegmentNone {
		if CompleteChecksum(&cut); cut.Offload.Flags&NeedsChecksum != 0 {
			r.t.Errorf("delivered with %+v, which cannot be completed in %d bytes", f.Offload, f.Len)
		}
		return
	}
	var s Segmenter
	if parts, err := s.Segment(&cut, 0); err == nil && len(parts) == 0 {
		r.t.Error("a super-frame of no frames")
	}
}

func fuzzedLink(t *testing.T, bits byte) (*Link, []*Interface) {
	l, err := NewLink(newMemDevice(), LinkOptions{Clock: &stepClock{now: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	var all []*Interface
	for _, v := range fuzzVLANs {
		if v == (VLAN{}) && bits&withoutUntagged != 0 {
			continue
		}
		i, err := l.NewInterface(Options{VLAN: v, OpenFilter: bits&withOpenFilter != 0})
		if err != nil {
			t.Fatal(err)
		}
		i.SetPassARP(bits&withPassARP != 0)
		if err := i.AddIPv4(ipA); err != nil {
			t.Fatal(err)
		}
		all = append(all, i)
	}
	return l, all
}

// FuzzDemux lets a link with two VLANs read two frames in one batch, with any
// metadata and cut anywhere. Each is counted as read once, and once as delivered
// or taken by ARP or dropped; what is delivered is what [Receiver] promises.
func FuzzDemux(f *testing.F) {
	addDemuxSeeds(f)
	f.Fuzz(func(t *testing.T, first, second []byte, at uint16, flags, segment byte, size, header, start, offset uint16, bits byte) {
		l, all := fuzzedLink(t, bits)
		defer l.Close()
		o := metadata{flags, segment, size, header, start, offset}.offload()
		r := &checkingReceiver{t: t, bits: bits}
		var sums batch
		for _, b := range [][]byte{first, second} {
			r.frame = bytes.Clone(b)
			// Never cut before HeadLen: that is what Receiver.Prepare is asked for.
			head := min(len(b), HeadLen+int(at))
			in := received(Frame{Bufs: append(cut(b, head), make([]byte, 7)), Offload: o})
			in.Len = len(b)
			l.input(r, in, 1500, &sums)
		}
		sums.flush()
		checkCounted(t, l, all, r, len(first)+len(second))
	})
}

// checkCounted adds up the counters of a link that has read two frames.
func checkCounted(t *testing.T, l *Link, all []*Interface, r *checkingReceiver, size int) {
	t.Helper()
	stats := []Stats{l.Stats()}
	for _, i := range all {
		stats = append(stats, i.Stats())
	}
	var total Stats
	var dropped, refused uint64
	for k := range stats {
		total.RxFrames += stats[k].RxFrames
		total.RxBytes += stats[k].RxBytes
		total.RxDelivered += stats[k].RxDelivered
		total.RxARP += stats[k].RxARP
		dropped += stats[k].RxDropped()
		refused += stats[k].Drops[DropNotJoined]
		if n := stats[k].Drops[DropNone]; n != 0 {
			t.Errorf("%d frames dropped for no reason", n)
		}
	}
	if total.RxFrames != 2 || total.RxBytes != uint64(size) || total.RxDelivered+total.RxARP+dropped != 2 {
		t.Errorf("2 frames of %d bytes: %d of %d read, %d delivered, %d for ARP, %d dropped",
			size, total.RxFrames, total.RxBytes, total.RxDelivered, total.RxARP, dropped)
	}
	if got := total.RxDelivered + refused; got != uint64(r.delivered) {
		t.Errorf("%d frames delivered, counted %d", r.delivered, got)
	}
}

// addDemuxSeeds has one frame for each place that a frame can end at.
func addDemuxSeeds(f *testing.F) {
	add := func(b []byte, o Offload, bits byte) {
		f.Add(b, b, uint16(0), byte(o.Flags), byte(o.Segment), o.SegmentSize, o.HeaderLen, o.ChecksumStart, o.ChecksumOffset, bits)
	}
	for _, p := range []testPacket{{payload: 200}, {udp: true, payload: 200}, {tag: true, v6: true, extra: 24, payload: 200}} {
		b := p.build(1).partial()
		copy(b.bytes, hwA[:])
		copy(b.bytes[6:], hwB[:])
		add(b.bytes, b.offload(50), 0)
		add(b.bytes, b.offload(0), withRefusal)
	}
	request := arpBytes(arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: hwB, SenderAddr: ipB, TargetAddr: ipA})
	for _, typ := range [][]byte{
		{8, 6}, {0x81, 0, 0, 5, 8, 6}, {0x88, 0xa8, 0, 7, 0x81, 0, 0, 5, 8, 6}, {0x81, 0, 0, 9, 8, 6}, {0x81, 0, 0xe0, 0, 8, 6},
		{0, 36, 0xaa, 0xaa, 3, 0, 0, 0, 8, 6}, {0x88, 8},
	} {
		add(frameOf(hwBcast, hwB, typ, append(request, 1, 2, 3)...), Offload{}, 0)
	}
	snap := frameOf(hwA, hwB, append([]byte{0, 36, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, ipv4Packet(ipA)...), make([]byte, 20)...)
	add(snap, Offload{Flags: NeedsChecksum, ChecksumStart: 22, ChecksumOffset: 10}, 0)
	add(snap, Offload{Flags: NeedsChecksum, ChecksumStart: 52, ChecksumOffset: 6}, 0) // in the padding
	add(frameOf(hwC, hwB, []byte{0x12, 0x34}, 1), Offload{Flags: DataValid}, withOpenFilter|withoutUntagged)
	add(frameOf(hwBcast, hwB, []byte{8, 0}, ipv4Packet(ipA)...), Offload{}, withPassARP)
	add([]byte{1, 2, 3}, Offload{}, withoutUntagged)
	add(frameOf(hwBcast, hwA, []byte{0x12, 0x34}, 1), Offload{}, 0)
	add(frameOf(hwA, hwB, []byte{0x12, 0x34}, make([]byte, 1501)...), Offload{}, 0)
}
