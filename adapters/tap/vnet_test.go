package tap

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ethlink/ethlink/ethstack"
)

const allOffloads = ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6 | ethstack.OffloadECN | ethstack.OffloadUDP

// vnet makes a header as linux/virtio_net.h lays it out.
func vnet(flags, kind byte, rest ...uint16) []byte {
	b := []byte{flags, kind}
	for _, v := range rest {
		b = binary.NativeEndian.AppendUint16(b, v)
	}
	return b
}

// vnetCases are headers with the one metadata that they stand for.
var vnetCases = []struct {
	name   string
	header []byte
	want   ethstack.Offload
}{
	{"plain", vnet(0, 0, 0, 0, 0, 0), ethstack.Offload{}},
	{"partial checksum", vnet(1, 0, 0, 0, 34, 6), ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 34, ChecksumOffset: 6}},
	{"TCP over IPv4", vnet(1, 1, 66, 1448, 34, 16), ethstack.Offload{
		Flags: ethstack.NeedsChecksum, Segment: ethstack.SegmentTCPv4, HeaderLen: 66, SegmentSize: 1448, ChecksumStart: 34, ChecksumOffset: 16,
	}},
	{"TCP over IPv6 with ECN", vnet(1, 4|0x80, 86, 1428, 54, 16), ethstack.Offload{
		Flags: ethstack.NeedsChecksum | ethstack.ECN, Segment: ethstack.SegmentTCPv6, HeaderLen: 86, SegmentSize: 1428, ChecksumStart: 54, ChecksumOffset: 16,
	}},
	{"UDP", vnet(1, 5, 42, 1000, 34, 6), ethstack.Offload{
		Flags: ethstack.NeedsChecksum, Segment: ethstack.SegmentUDP, HeaderLen: 42, SegmentSize: 1000, ChecksumStart: 34, ChecksumOffset: 6,
	}},
}

func TestVnetHeader(t *testing.T) {
	for _, tt := range vnetCases {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := getVnet(tt.header)
			if diff := cmp.Diff(tt.want, got); diff != "" || !ok {
				t.Errorf("getVnet: ok %v (-want +got):\n%s", ok, diff)
			}
			dirty := slices.Repeat([]byte{0xa5}, vnetLen)
			if !putVnet(dirty, tt.want, allOffloads) {
				t.Error("putVnet refuses it")
			}
			if diff := cmp.Diff(tt.header, dirty); diff != "" {
				t.Errorf("putVnet (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVnetHeaderRead(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header []byte
		want   ethstack.Offload
		ok     bool
	}{
		{"verified", vnet(2, 0, 0, 0, 0, 0), ethstack.Offload{Flags: ethstack.DataValid}, true},
		{"flags of the future", vnet(0xfc, 0, 0, 0, 0, 0), ethstack.Offload{}, true},
		{"offsets without a flag", vnet(0, 0, 1, 2, 3, 4), ethstack.Offload{}, true},
		{"IP fragments", vnet(0, 3, 42, 1480, 0, 0), ethstack.Offload{}, false},
		{"ECN without TCP", vnet(0, 0x80, 0, 0, 0, 0), ethstack.Offload{}, false},
		{"tunnelled", vnet(1, 0x20|1, 116, 1448, 84, 16), ethstack.Offload{}, false},
		{"type of the future", vnet(1, 6, 66, 1448, 34, 16), ethstack.Offload{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := getVnet(tt.header)
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
				t.Errorf("getVnet: ok %v, want %v (-want +got):\n%s", ok, tt.ok, diff)
			}
		})
	}
}

func TestVnetHeaderWriteRefusals(t *testing.T) {
	super := ethstack.Offload{Flags: ethstack.NeedsChecksum, Segment: ethstack.SegmentTCPv4, HeaderLen: 54, SegmentSize: 100}
	for _, tt := range []struct {
		name string
		o    ethstack.Offload
		have ethstack.Offloads
		want bool
	}{
		{"verified", ethstack.Offload{Flags: ethstack.DataValid}, 0, true},
		{"no checksum offload", ethstack.Offload{Flags: ethstack.NeedsChecksum}, allOffloads &^ ethstack.OffloadChecksum, false},
		{"no TCP offload", super, ethstack.OffloadChecksum | ethstack.OffloadTCPv6, false},
		{"TCP offload", super, ethstack.OffloadChecksum | ethstack.OffloadTCPv4, true},
		{"ECN without a super-frame", ethstack.Offload{Flags: ethstack.ECN}, allOffloads, false},
		{"ECN on UDP", ethstack.Offload{Flags: ethstack.ECN, Segment: ethstack.SegmentUDP, SegmentSize: 100}, allOffloads, false},
		{"flag of the future", ethstack.Offload{Flags: 0x40}, allOffloads, false},
		{"segment type of the future", ethstack.Offload{Segment: ethstack.SegmentUDP + 1}, allOffloads, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := putVnet(make([]byte, vnetLen), tt.o, tt.have); got != tt.want {
				t.Errorf("putVnet(%+v) with offloads %v: %v, want %v", tt.o, tt.have, got, tt.want)
			}
		})
	}
}

// FuzzVnetHeader: whatever the kernel hands over is understood or refused, and
// what was understood can be handed back with the same meaning.
func FuzzVnetHeader(f *testing.F) {
	for _, c := range vnetCases {
		f.Add(c.header)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < vnetLen {
			t.Skip("shorter than a header")
		}
		first, ok := getVnet(b)
		if !ok {
			return
		}
		again := make([]byte, vnetLen)
		if !putVnet(again, first, allOffloads) {
			if first.Segment == ethstack.SegmentUDP && first.Flags&ethstack.ECN != 0 {
				return
			}
			t.Fatalf("putVnet refuses %+v, which getVnet made of %x", first, b[:vnetLen])
		}
		first.Flags &^= ethstack.DataValid // not for this direction
		if second, ok := getVnet(again); !ok || second != first {
			t.Errorf("%+v becomes %x, which is %+v", first, again, second)
		}
	})
}
