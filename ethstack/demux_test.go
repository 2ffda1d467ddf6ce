package ethstack

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/google/go-cmp/cmp"
)

// memDevice is a device that keeps what is written and has nothing to read.
type memDevice struct {
	info    DeviceInfo
	written [][]byte
	fail    error
	closed  chan struct{}
}

func newMemDevice() *memDevice {
	return &memDevice{
		info:   DeviceInfo{Name: "mem", HardwareAddr: hwA, MTU: 1500, MaxFrame: MaxSuperFrame},
		closed: make(chan struct{}),
	}
}

func (d *memDevice) Info() DeviceInfo               { return d.info }
func (d *memDevice) Queues() int                    { return 1 }
func (d *memDevice) Notify(func(LinkState))         {}
func (d *memDevice) Read(int, []Frame) (int, error) { <-d.closed; return 0, ErrDisconnected }

func (d *memDevice) Write(_ int, frames []Frame) (int, error) {
	for k := range frames {
		frames[k].Err = d.fail
		if d.fail == nil {
			d.written = append(d.written, flatten(frames[k].Bufs, frames[k].WireLen()))
		}
	}
	if d.fail != nil {
		return 0, d.fail
	}
	return len(frames), nil
}

func (d *memDevice) Close() error {
	select {
	case <-d.closed:
	default:
		close(d.closed)
	}
	return nil
}

// stepClock stands still but for what a test adds; its timers never fire.
type stepClock struct{ now time.Duration }

func (c *stepClock) Now() time.Duration                    { return c.now }
func (c *stepClock) AfterFunc(time.Duration, func()) Timer { return stillTimer{} }

type stillTimer struct{}

func (stillTimer) Stop() bool               { return true }
func (stillTimer) Reset(time.Duration) bool { return true }

var (
	ipA = netip.MustParseAddr("10.0.0.1")
	ipB = netip.MustParseAddr("10.0.0.2")
)

// newTestStack returns a stack with hardware address hwA and address ipA
// whose clock stands still: what an ARP packet causes is done at once all the
// same, what a query causes is not.
func newTestStack(t *testing.T, o Options) (*Stack, *memDevice) {
	t.Helper()
	dev := newMemDevice()
	s, err := ConnectLink(dev, o, LinkOptions{Clock: &stepClock{now: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Disconnect() })
	if err := s.AddIPv4(ipA); err != nil {
		t.Fatal(err)
	}
	s.i.res.run() // the announcement
	dev.written = nil
	return s, dev
}

func ipv4Packet(dst netip.Addr) []byte {
	b := make([]byte, 28)
	b[0] = 0x45
	binary.BigEndian.PutUint16(b[2:4], 28)
	copy(b[12:16], ipB.AsSlice())
	copy(b[16:20], dst.AsSlice())
	return b
}

// TestDemux sends each frame into a fresh stack and looks where it ends: with
// a handler, with ARP, or under a reason.
func TestDemux(t *testing.T) {
	ipv4, ipv6, other := []byte{8, 0}, []byte{0x86, 0xdd}, []byte{0x12, 0x34}
	group := HardwareAddr{1, 0, 0x5e, 0, 0, 1}
	for _, c := range []struct {
		name  string
		frame []byte
		open  bool
		want  string
	}{
		{"R23: IPv4 to us", frameOf(hwA, hwB, ipv4, 1, 2), false, "IPv4 0102"},
		{"R23: IPv6 to us", frameOf(hwA, hwB, ipv6, 1, 2), false, "IPv6 0102"},
		{"R23: other type to us", frameOf(hwA, hwB, other, 1), false, "0x1234 01 to us"},
		{"R23: broadcast", frameOf(hwBcast, hwB, other, 1), false, "0x1234 01 broadcast"},
		{"R23: multicast", frameOf(group, hwB, other, 1), false, "0x1234 01 multicast"},
		{"R23: for another host", frameOf(hwC, hwB, other, 1), false, "drop: for another host"},
		{"open filter", frameOf(hwC, hwB, other, 1), true, "0x1234 01 to other"},
		{"R19: priority tag", frameOf(hwA, hwB, []byte{0x81, 0, 0x20, 0, 8, 0}, 7), false, "IPv4 07"},
		{"R19: VLAN", frameOf(hwA, hwB, []byte{0x81, 0, 0, 9, 8, 0}, 7), false, "drop: other VLAN"},
		{"R19: VLAN of another host", frameOf(hwC, hwB, []byte{0x81, 0, 0, 9, 8, 0}, 7), false, "drop: for another host"},
		{"R20: reserved group", frameOf(HardwareAddr{1, 0x80, 0xc2, 0, 0, 0xe}, hwB, other), false, "drop: reserved group"},
		{"R20: group behind the reserved ones", frameOf(HardwareAddr{1, 0x80, 0xc2, 0, 0, 0x10}, hwB, other), false, "0x1234  multicast"},
		{"R20: MAC control", frameOf(hwA, hwB, []byte{0x88, 8}), false, "drop: MAC control"},
		{"R21: group as source", frameOf(hwA, group, ipv4), false, "drop: source is a group"},
		{"R21: zero as source", frameOf(hwA, HardwareAddr{}, ipv4), false, "drop: source is zero"},
		{"R22: reflected", frameOf(hwBcast, hwA, other), false, "drop: reflected"},
		{"R18: runt", frameOf(hwA, hwB, nil), false, "drop: runt"},
		{"R15: length", frameOf(hwA, hwB, []byte{0, 3}, 1, 2, 3), false, "drop: 802.3 without SNAP"},
		{"R16: length beyond the frame", frameOf(hwA, hwB, []byte{0, 4}, 1, 2, 3), false, "drop: 802.3 length"},
		{"R12: SNAP, padding taken off", frameOf(hwA, hwB, []byte{0, 10}, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0, 1, 2, 0xee, 0xee), false, "IPv4 0102"},
		{"R12: SNAP behind a priority tag", frameOf(hwA, hwB, []byte{0x81, 0, 0x20, 0, 0, 10}, 0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd, 1, 2), false, "IPv6 0102"},
		{"R15: undefined", frameOf(hwA, hwB, []byte{5, 0xff}), false, "drop: undefined type"},
		{"R24: as long as allowed", frameOf(hwA, hwB, other, make([]byte, 1500)...), false, fmt.Sprintf("0x1234 %x to us", make([]byte, 1500))},
		{"R24: oversize", frameOf(hwA, hwB, other, make([]byte, 1501)...), false, "drop: oversize"},
		{"R30: our IPv4 in a broadcast", frameOf(hwBcast, hwB, ipv4, ipv4Packet(ipA)...), false, "drop: unicast packet in group frame"},
		{"R30: unicast IPv4 in a multicast", frameOf(group, hwB, ipv4, ipv4Packet(ipB)...), false, "drop: unicast packet in group frame"},
		{"R30: broadcast IPv4 in a broadcast", frameOf(hwBcast, hwB, ipv4, ipv4Packet(netip.MustParseAddr("255.255.255.255"))...), false,
			fmt.Sprintf("IPv4 %x", ipv4Packet(netip.MustParseAddr("255.255.255.255")))},
		{"R30: multicast IPv4 in a multicast", frameOf(group, hwB, ipv4, ipv4Packet(netip.MustParseAddr("224.0.0.1"))...), false,
			fmt.Sprintf("IPv4 %x", ipv4Packet(netip.MustParseAddr("224.0.0.1")))},
		{"ARP that is cut off", frameOf(hwBcast, hwB, []byte{8, 6}, 0, 1, 8, 0), false, "drop: bad ARP"},
		{"ARP for another host", frameOf(hwC, hwB, []byte{8, 6}, arpBytes(arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: hwB, SenderAddr: ipB, TargetAddr: ipA})...), true, "drop: for another host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := newTestStack(t, Options{OpenFilter: c.open})
			got := ""
			before := s.Interface().Stats()
			s.Input(c.frame, Handlers{
				IPv4:  func(p []byte) { got = fmt.Sprintf("IPv4 %x", p) },
				IPv6:  func(p []byte) { got = fmt.Sprintf("IPv6 %x", p) },
				Other: func(h Header, p []byte) { got = fmt.Sprintf("%v %x %v", h.EtherType, p, h.Class) },
			})
			after := s.Interface().Stats()
			for r := range NumDropReasons {
				if after.Drops[r] != before.Drops[r] {
					got += "drop: " + r.String()
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if n := after.RxDelivered + after.RxARP + after.RxDropped(); after.RxFrames != 1 || n != 1 {
				t.Errorf("read %d frames, accounted for %d, want 1 and 1", after.RxFrames, n)
			}
		})
	}
}

func arpBytes(p arp.Packet) []byte {
	var b [arp.PacketLen]byte
	p.Put(&b)
	return b[:]
}

// TestARPRequestForms shows that one request in each of the lengths it comes
// in is answered once, by 60 bytes whose padding is zero (R8, R17).
func TestARPRequestForms(t *testing.T) {
	request := frameOf(hwBcast, hwB, []byte{8, 6}, arpBytes(arp.Packet{
		Operation: arp.OperationRequest, SenderHardwareAddr: hwB, SenderAddr: ipB, TargetAddr: ipA,
	})...)
	want := frameOf(hwB, hwA, []byte{8, 6}, arpBytes(arp.Packet{
		Operation: arp.OperationReply, SenderHardwareAddr: hwA, SenderAddr: ipA, TargetHardwareAddr: hwB, TargetAddr: ipB,
	})...)
	want = append(want, make([]byte, 60-len(want))...)
	for _, size := range []int{42, 60, 1514} {
		s, dev := newTestStack(t, Options{})
		for i := range s.i.res.packet {
			s.i.res.packet[i] = 0xa5 // so that a byte left unwritten shows
		}
		frame := append([]byte(nil), request...)
		for len(frame) < size {
			frame = append(frame, 0xee)
		}
		s.Input(frame, Handlers{})
		if diff := cmp.Diff([][]byte{want}, dev.written); diff != "" {
			t.Errorf("request of %d bytes: answers (-want +got):\n%s", size, diff)
		}
	}
}

// TestARPNotAnswered lists requests that get no answer.
func TestARPNotAnswered(t *testing.T) {
	for _, target := range []string{"255.255.255.255", "0.0.0.0", "224.0.0.1", "239.1.2.3", "127.0.0.1", "10.0.0.255", "10.0.0.9", "240.0.0.1"} {
		s, dev := newTestStack(t, Options{})
		s.Input(frameOf(hwBcast, hwB, []byte{8, 6}, arpBytes(arp.Packet{
			Operation: arp.OperationRequest, SenderHardwareAddr: hwB, SenderAddr: ipB, TargetAddr: netip.MustParseAddr(target),
		})...), Handlers{})
		if len(dev.written) != 0 {
			t.Errorf("a request for %s was answered: % x", target, dev.written)
		}
	}
}

// TestARPUnusable lists ARP packets that are neither answered nor learnt from.
func TestARPUnusable(t *testing.T) {
	good := arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: hwB, SenderAddr: ipB, TargetAddr: ipA}
	type change func([]byte)
	at := func(i int, v byte) change { return func(b []byte) { b[i] = v } }
	for name, c := range map[string]change{
		"R1: hardware type 2": at(1, 2), "R51: hardware type 0": at(1, 0),
		"R3: protocol type":     at(2, 0x86),
		"R2: hardware length 8": at(4, 8), "R2: hardware length 0": at(4, 0), "R2: hardware length 255": at(4, 255),
		"R4: protocol length 16": at(5, 16), "R4: protocol length 0": at(5, 0),
		"R7: opcode 0": at(7, 0), "R7: opcode 3": at(7, 3), "R7: opcode 8": at(7, 8), "R7: opcode 25": at(7, 25),
		"R7: opcode 65535": func(b []byte) { b[6], b[7] = 255, 255 },
	} {
		s, dev := newTestStack(t, Options{})
		b := arpBytes(good)
		c(b)
		s.Input(frameOf(hwBcast, hwB, []byte{8, 6}, b...), Handlers{})
		n := 0
		for range s.Interface().Neighbors() {
			n++
		}
		if len(dev.written) != 0 || n != 0 {
			t.Errorf("%s: %d answers, %d neighbors learnt, want none", name, len(dev.written), n)
		}
	}
}

// TestDemuxSurvivesNoise sends random frames, and frames that are random
// behind a good header, and expects each to be accounted for and ARP to
// answer afterwards.
func TestDemuxSurvivesNoise(t *testing.T) {
	const seed, frames = 7, 100_000
	rnd := rand.New(rand.NewPCG(seed, 0))
	s, dev := newTestStack(t, Options{})
	handled := uint64(0)
	h := Handlers{
		IPv4: func([]byte) { handled++ }, IPv6: func([]byte) { handled++ }, Other: func(Header, []byte) { handled++ },
	}
	buf := make([]byte, 1600)
	types := [][]byte{{8, 0}, {8, 6}, {0x86, 0xdd}, {0x81, 0}, {0, 40}}
	for range frames {
		b := buf[:rnd.IntN(200)]
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		if rnd.IntN(2) == 0 && len(b) >= HeaderLen {
			copy(b, frameOf(hwA, hwB, types[rnd.IntN(len(types))]))
		}
		s.Input(b, h)
	}
	st := s.Interface().Stats()
	if sum := st.RxDelivered + st.RxARP + st.RxDropped(); st.RxFrames != frames || sum != frames || st.RxDelivered != handled {
		t.Errorf("seed %d: sent %d, read %d, accounted for %d; %d delivered, %d handled", seed, frames, st.RxFrames, sum, st.RxDelivered, handled)
	}
	dev.written = nil
	s.Input(frameOf(hwBcast, hwB, []byte{8, 6}, arpBytes(arp.Packet{
		Operation: arp.OperationRequest, SenderHardwareAddr: hwB, SenderAddr: ipB, TargetAddr: ipA,
	})...), Handlers{})
	if len(dev.written) != 1 {
		t.Errorf("seed %d: %d answers after the noise, want 1", seed, len(dev.written))
	}
}

// TestARPFloodAllocatesNothing answers requests without allocating.
func TestARPFloodAllocatesNothing(t *testing.T) {
	s, dev := newTestStack(t, Options{})
	s.link.port.Load().dev = discard{dev}
	frame := frameOf(hwBcast, hwB, []byte{8, 6}, arpBytes(arp.Packet{
		Operation: arp.OperationRequest, SenderHardwareAddr: hwB, SenderAddr: ipB, TargetAddr: ipA,
	})...)
	f := Frame{Bufs: [][]byte{frame}, Len: len(frame)}
	var b batch
	rcv := &listenReceiver{handlers: &Handlers{}}
	run := func() { s.link.input(rcv, &f, 1500, &b) }
	run()
	before := s.Interface().Stats().ARPReplies
	if n := testing.AllocsPerRun(1000, run); n != 0 {
		t.Errorf("%v allocations a request, want 0", n)
	}
	if n := s.Interface().Stats().ARPReplies - before; n != 1001 {
		t.Errorf("%d replies to 1001 requests", n)
	}
}

// discard is a device that takes every frame and keeps none.
type discard struct{ *memDevice }

func (discard) Write(_ int, frames []Frame) (int, error) { return len(frames), nil }
