package ethstack

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/google/go-cmp/cmp"
)

var (
	vlan5   = VLAN{{EtherTypeVLAN, 5}}
	vlan7   = VLAN{{EtherTypeServiceVLAN, 7}}
	vlan7_5 = VLAN{{EtherTypeServiceVLAN, 7}, {EtherTypeVLAN, 5}}

	tags = map[VLAN][]byte{
		{}:      nil,
		vlan5:   {0x81, 0, 0, 5},
		vlan7:   {0x88, 0xa8, 0, 7},
		vlan7_5: {0x88, 0xa8, 0, 7, 0x81, 0, 0, 5},
	}
)

// keeper is a receiver that keeps what it is given, with the interface's VLAN
// before it.
type keeper struct{ got []string }

func (*keeper) Prepare(f *Frame) { f.Bufs = append(f.Bufs, make([]byte, MaxSuperFrame)) }
func (*keeper) Release(*Frame)   {}
func (*keeper) Flush()           {}

func (k *keeper) Deliver(i *Interface, f *Frame, h Header) DropReason {
	b := f.head()
	k.got = append(k.got, i.VLAN().String()+": "+string(b[:12])+string(b[h.Len-2:]))
	return DropNone
}

// trunk is a link with an interface in each VLAN, hwA and ipA in all of them.
func trunk(t *testing.T) (*Link, *memDevice, map[VLAN]*Interface) {
	t.Helper()
	dev := newMemDevice()
	l, err := NewLink(dev, LinkOptions{Clock: &stepClock{now: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	all := map[VLAN]*Interface{}
	for v := range tags {
		i, err := l.NewInterface(Options{VLAN: v})
		if err != nil {
			t.Fatal(err)
		}
		if err := i.AddIPv4(ipA); err != nil {
			t.Fatal(err)
		}
		i.res.run() // the announcement
		all[v] = i
	}
	dev.written = nil
	return l, dev, all
}

func receive(l *Link, rcv Receiver, frame []byte) {
	f := Frame{Bufs: [][]byte{bytes.Clone(frame)}, Len: len(frame)}
	var sums batch
	l.input(rcv, &f, 1500, &sums)
	sums.flush()
}

func tagged(v VLAN, frame []byte) []byte {
	return slices.Concat(frame[:12], tags[v], frame[12:])
}

// TestVLANReceive: a frame reaches the interface of its VLAN, and no other.
func TestVLANReceive(t *testing.T) {
	l, _, all := trunk(t)
	plain := frameOf(hwA, hwB, []byte{0x12, 0x34}, 'x')
	for v, i := range all {
		var k keeper
		receive(l, &k, tagged(v, plain))
		if diff := cmp.Diff([]string{v.String() + ": " + string(plain)}, k.got); diff != "" {
			t.Errorf("%v: delivered (-want +got):\n%s", v, diff)
		}
		if s := i.Stats(); s.RxFrames != 1 || s.RxDelivered != 1 {
			t.Errorf("%v: %d frames counted, %d delivered, want 1 and 1", v, s.RxFrames, s.RxDelivered)
		}
	}
	var k keeper
	receive(l, &k, slices.Concat(plain[:12], []byte{0x81, 0, 0, 9}, plain[12:]))
	if s := all[VLAN{}].Stats(); len(k.got) != 0 || s.Drops[DropVLAN] != 1 {
		t.Errorf("a frame of another VLAN: delivered %q, %d counted as %v; want none and 1", k.got, s.Drops[DropVLAN], DropVLAN)
	}
}

// TestVLANARP: a request is answered with the tags that it came with.
func TestVLANARP(t *testing.T) {
	l, dev, all := trunk(t)
	request := frameOf(hwBcast, hwB, []byte{8, 6}, arpBytes(arp.Packet{
		Operation: arp.OperationRequest, SenderHardwareAddr: hwB, SenderAddr: ipB, TargetAddr: ipA,
	})...)
	reply := frameOf(hwB, hwA, []byte{8, 6}, arpBytes(arp.Packet{
		Operation: arp.OperationReply, SenderHardwareAddr: hwA, SenderAddr: ipA, TargetHardwareAddr: hwB, TargetAddr: ipB,
	})...)
	reply = append(reply, make([]byte, minFrameLen-len(reply))...)
	for v := range all {
		dev.written = nil
		receive(l, &keeper{}, tagged(v, request))
		if diff := cmp.Diff([][]byte{tagged(v, reply)}, dev.written); diff != "" {
			t.Errorf("%v: answers (-want +got):\n%s", v, diff)
		}
	}
	for v, i := range all {
		if hw, ok := i.Lookup(ipB.As4()); !ok || hw != hwB {
			t.Errorf("%v: the neighbor is %v, %v; want %v", v, hw, ok, hwB)
		}
	}
	all[vlan5].Close()
	dev.written = nil
	receive(l, &keeper{}, tagged(vlan5, request))
	receive(l, &keeper{}, tagged(vlan7, request))
	if len(dev.written) != 1 {
		t.Errorf("%d answers with one of two interfaces closed, want 1", len(dev.written))
	}
}

// TestVLANWrite: plain frames, frames in pieces, and what is too short, in one
// batch.
func TestVLANWrite(t *testing.T) {
	for v := range tags {
		_, dev, all := trunk(t)
		one := frameOf(hwB, hwA, []byte{8, 0}, bytes.Repeat([]byte{7}, 1500)...)
		two := frameOf(hwB, hwA, []byte{0x86, 0xdd}, 1, 2, 3)
		frames := []Frame{
			{Bufs: [][]byte{one}},
			{Bufs: [][]byte{two[:13]}},
			{Bufs: [][]byte{two[:1], two[1:13], two[13:]}},
		}
		before := all[v].Stats().TxFrames
		n, err := all[v].Write(0, frames)
		want, wantN := [][]byte{tagged(v, one), tagged(v, two)}, 2
		if v == (VLAN{}) {
			// Untagged frames are the device's business as they are.
			want, wantN = [][]byte{one, two[:13], two}, 3
		}
		if diff := cmp.Diff(want, dev.written); diff != "" || n != wantN || (err != nil) != (wantN == 2) {
			t.Errorf("%v: Write: %d, %v; want %d; written (-want +got):\n%s", v, n, err, wantN, diff)
		}
		if wantN == 2 && (!errors.Is(frames[1].Err, errTooShort) || frames[0].Err != nil || frames[2].Err != nil) {
			t.Errorf("%v: errors of the frames: %v, %v, %v", v, frames[0].Err, frames[1].Err, frames[2].Err)
		}
		dev.fail = ErrNoBufferSpace
		if n, err := all[v].Write(0, []Frame{{Bufs: [][]byte{two}}}); n != 0 || !errors.Is(err, ErrNoBufferSpace) {
			t.Errorf("%v: Write to a full device: %d, %v; want 0, %v", v, n, err, ErrNoBufferSpace)
		}
		if s := all[v].Stats(); s.Drops[DropTxFull] != 1 || s.TxFrames-before != uint64(wantN) {
			t.Errorf("%v: %d frames sent and %d refused are counted, want %d and 1", v, s.TxFrames-before, s.Drops[DropTxFull], wantN)
		}
	}
}

// TestVLANSuperFrame: what goes out in a VLAN is segmented before it is tagged,
// also for a device that could do it.
func TestVLANSuperFrame(t *testing.T) {
	_, dev, all := trunk(t)
	dev.info.Offloads = ^Offloads(0)
	b := testPacket{payload: 2500}.build(1).partial()
	super := Frame{Bufs: [][]byte{b.bytes}, Offload: b.offload(1000)}
	var s Segmenter
	parts, err := s.Segment(&super, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want [][]byte
	for k := range parts {
		want = append(want, tagged(vlan5, flatten(parts[k].Bufs, parts[k].WireLen())))
	}
	if n, err := all[vlan5].Write(0, []Frame{super}); n != 1 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	if diff := cmp.Diff(want, dev.written); diff != "" || len(want) != 3 {
		t.Errorf("%d frames wanted; written (-want +got):\n%s", len(want), diff)
	}
}

// TestVLANOptions lists what NewInterface refuses.
func TestVLANOptions(t *testing.T) {
	l, _, _ := trunk(t)
	for _, c := range []struct {
		v    VLAN
		want string
	}{
		{VLAN{{ID: 5}}, "VLAN 5 already"},
		{VLAN{}, "untagged already"},
		{VLAN{{EtherTypeVLAN, 0}}, "identifier 0: want 1 to 4094"},
		{VLAN{{ID: 4095}}, "identifier 4095: want 1 to 4094"},
		{VLAN{{EtherTypeIPv4, 5}}, "EtherType IPv4: want 0x8100"},
		{VLAN{{}, {ID: 5}}, "inner tag only"},
	} {
		if _, err := l.NewInterface(Options{VLAN: c.v}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("NewInterface with VLAN %+v: %v; want an error with %q", c.v, err, c.want)
		}
	}
	i, err := l.NewInterface(Options{VLAN: VLAN{{ID: 6}}})
	if err != nil {
		t.Fatal(err)
	}
	i.Close()
	i.Close()
	if i, err = l.NewInterface(Options{VLAN: VLAN{{ID: 6}}}); err != nil {
		t.Errorf("NewInterface where one was closed: %v", err)
	}
	if err := i.AddIPv4(netip.MustParseAddr("10.0.0.77")); err != nil {
		t.Error(err)
	}
}

// TestTrunkWithoutUntagged: frames that are no interface's are the link's.
func TestTrunkWithoutUntagged(t *testing.T) {
	l, _, all := trunk(t)
	all[VLAN{}].Close()
	var k keeper
	receive(l, &k, frameOf(hwA, hwB, []byte{8, 0}, 1))
	receive(l, &k, frameOf(hwA, hwB, []byte{0x81, 0, 0, 9, 8, 0}, 1))
	receive(l, &k, []byte{1})
	s := l.Stats()
	if len(k.got) != 0 || s.RxFrames != 3 || s.Drops[DropNoReceiver] != 1 || s.Drops[DropVLAN] != 1 || s.Drops[DropRunt] != 1 {
		t.Errorf("delivered %q; counted %d frames, %d without receiver, %d of other VLANs, %d runts; want none, 3, 1, 1, 1",
			k.got, s.RxFrames, s.Drops[DropNoReceiver], s.Drops[DropVLAN], s.Drops[DropRunt])
	}
}
