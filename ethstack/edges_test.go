package ethstack

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
)

// TestDemuxMetadata lists metadata that contradicts a frame of 802.3, or would
// have its headers changed when the checksum is completed.
func TestDemuxMetadata(t *testing.T) {
	ip := ipv4Packet(ipA)
	plain := frameOf(hwA, hwB, []byte{8, 0}, ip...)
	snap := frameOf(hwA, hwB, append([]byte{0, 36, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, ip...), make([]byte, 20)...)
	ip6 := frameOf(hwA, hwB, []byte{0x86, 0xdd}, append([]byte{0x60, 7: 0}, make([]byte, 60)...)...)
	other := frameOf(hwA, hwB, []byte{0x12, 0x34}, make([]byte, 20)...)
	for _, c := range []struct {
		name          string
		frame         []byte
		start, offset uint16
		want          DropReason
	}{
		{"behind the IPv4 header", plain, 34, 6, DropNone},
		{"in the IPv4 header", plain, 33, 6, DropBadOffload},
		{"in the Ethernet header", plain, 13, 6, DropBadOffload},
		{"up to the end", plain, 34, 6, DropNone},
		{"beyond the end", plain, 34, 7, DropBadOffload},
		{"behind RFC 1042's header", snap, 42, 6, DropNone},
		{"in RFC 1042's header", snap, 20, 0, DropBadOffload},
		{"in the padding", snap, 52, 6, DropBadOffload},
		{"behind the IPv6 header", ip6, 54, 6, DropNone},
		{"in the IPv6 header", ip6, 53, 6, DropBadOffload},
		{"another protocol's", other, 14, 0, DropNone},
	} {
		s, _ := newTestStack(t, Options{})
		f := received(Frame{Bufs: [][]byte{c.frame}, Offload: Offload{Flags: NeedsChecksum, ChecksumStart: c.start, ChecksumOffset: c.offset}})
		take := func([]byte) {}
		h := &Handlers{IPv4: take, IPv6: take, Other: func(Header, []byte) {}}
		var sums batch
		s.link.input(&listenReceiver{handlers: h}, f, 1500, &sums)
		sums.flush()
		st := s.i.Stats()
		if c.want == DropNone && st.RxDelivered != 1 || c.want != DropNone && st.Drops[c.want] != 1 {
			t.Errorf("%s: %d delivered, dropped %v; want %v", c.name, st.RxDelivered, st.Drops, c.want)
		}
	}
}

// TestDemuxShortIP: what is too short to say where it goes is not judged by it,
// and what is for another host neither.
func TestDemuxShortIP(t *testing.T) {
	whole := ipv4Packet(ipA)
	for _, f := range [][]byte{frameOf(hwBcast, hwB, []byte{8, 0}, whole[:19]...), frameOf(hwC, hwB, []byte{8, 0}, whole...)} {
		s, _ := newTestStack(t, Options{OpenFilter: true})
		s.Input(f, Handlers{IPv4: func([]byte) {}})
		if st := s.i.Stats(); st.RxDelivered != 1 {
			t.Errorf("% x: dropped %v", f, st.Drops)
		}
	}
}

// TestVLANMTU: beyond its MTU a device has room for one 802.1Q tag, and no other.
func TestVLANMTU(t *testing.T) {
	l, err := NewLink(newMemDevice(), LinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		vlan VLAN
		want int
	}{
		{VLAN{}, 1500}, {VLAN{{ID: 5}}, 1500}, {VLAN{{ID: 5}, {ID: 6}}, 1496},
		{VLAN{{EtherTypeServiceVLAN, 5}}, 1496}, {VLAN{{EtherTypeServiceVLAN, 5}, {ID: 6}}, 1492},
	} {
		i, err := l.NewInterface(Options{VLAN: c.vlan})
		if err != nil {
			t.Fatal(err)
		}
		if got := i.MTU(); got != c.want {
			t.Errorf("%v: the MTU is %d, want %d", c.vlan, got, c.want)
		}
	}
}

// TestWriteBadMetadata: what contradicts its frame is refused, with tags and
// without, and the frames around it are sent.
func TestWriteBadMetadata(t *testing.T) {
	for _, v := range []VLAN{{}, {{ID: 5}}} {
		dev := newMemDevice()
		l, err := NewLink(dev, LinkOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		i, err := l.NewInterface(Options{VLAN: v})
		if err != nil {
			t.Fatal(err)
		}
		good := frameOf(hwB, hwA, []byte{8, 0}, 1)
		bad := Offload{Flags: NeedsChecksum, ChecksumStart: 999}
		frames := []Frame{{Bufs: [][]byte{good}}, {Bufs: [][]byte{good}, Offload: bad}, {Bufs: [][]byte{good}}}
		n, err := i.Write(0, frames)
		if n != 2 || !errors.Is(err, ErrUnsupportedOffload) || !errors.Is(frames[1].Err, ErrUnsupportedOffload) || len(dev.written) != 2 {
			t.Errorf("%v: %d taken, %d written, %v; want 2, and %v", v, n, len(dev.written), err, ErrUnsupportedOffload)
		}
		if st := i.Stats(); st.TxFrames != 2 || st.Drops[DropTxOffload] != 1 {
			t.Errorf("%v: %d sent, dropped %v", v, st.TxFrames, st.Drops)
		}
	}
}

// TestWriteLargerThanDevice: a super-frame made for a device that took more is
// taken apart for one with the same offloads that takes less.
func TestWriteLargerThanDevice(t *testing.T) {
	f := testPacket{payload: 3000}.build(1).partial()
	for _, c := range []struct{ maxFrame, want int }{{len(f.bytes), 1}, {len(f.bytes) - 1, 3}} {
		dev := newMemDevice()
		dev.info.Offloads = OffloadChecksum | OffloadTCPv4
		dev.info.MaxFrame = c.maxFrame
		s, err := Connect(dev, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Disconnect()
		n, err := s.i.Write(0, []Frame{{Bufs: [][]byte{f.bytes}, Offload: f.offload(1000)}})
		if n != 1 || err != nil || len(dev.written) != c.want {
			t.Errorf("with frames of up to %d: %d taken in %d, %v; want %d", c.maxFrame, n, len(dev.written), err, c.want)
		}
	}
}

// TestCloseManyNeighbors: closing forgets them all, however many there are.
func TestCloseManyNeighbors(t *testing.T) {
	const many = 5000
	s, err := ConnectLink(newMemDevice(), Options{ARP: arp.Config{MaxEntries: many}}, LinkOptions{Clock: &stepClock{now: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range many {
		if err := s.i.AddStaticNeighbor(netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), hwB); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Disconnect(); err != nil {
		t.Fatal(err)
	}
	for e := range s.i.Neighbors() {
		t.Fatalf("%v is known still", e)
	}
}
