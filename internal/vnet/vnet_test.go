package vnet

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ethlink/ethlink/ethstack"
)

const allOffloads = ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6 | ethstack.OffloadECN | ethstack.OffloadUDP

// header makes a header as linux/virtio_net.h lays it out.
func header(flags, kind byte, rest ...uint16) []byte {
	b := []byte{flags, kind}
	for _, v := range rest {
		b = binary.NativeEndian.AppendUint16(b, v)
	}
	return b
}

// cases are headers with the one metadata that they stand for.
var cases = []struct {
	name   string
	header []byte
	want   ethstack.Offload
}{
	{"plain", header(0, 0, 0, 0, 0, 0), ethstack.Offload{}},
	{"partial checksum", header(1, 0, 0, 0, 34, 6), ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 34, ChecksumOffset: 6}},
	{"TCP over IPv4", header(1, 1, 66, 1448, 34, 16), ethstack.Offload{
		Flags: ethstack.NeedsChecksum, Segment: ethstack.SegmentTCPv4, HeaderLen: 66, SegmentSize: 1448, ChecksumStart: 34, ChecksumOffset: 16,
	}},
	{"TCP over IPv6 with ECN", header(1, 4|0x80, 86, 1428, 54, 16), ethstack.Offload{
		Flags: ethstack.NeedsChecksum | ethstack.ECN, Segment: ethstack.SegmentTCPv6, HeaderLen: 86, SegmentSize: 1428, ChecksumStart: 54, ChecksumOffset: 16,
	}},
	{"UDP", header(1, 5, 42, 1000, 34, 6), ethstack.Offload{
		Flags: ethstack.NeedsChecksum, Segment: ethstack.SegmentUDP, HeaderLen: 42, SegmentSize: 1000, ChecksumStart: 34, ChecksumOffset: 6,
	}},
}

func TestHeader(t *testing.T) {
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Get(tt.header)
			if diff := cmp.Diff(tt.want, got); diff != "" || !ok {
				t.Errorf("Get: ok %v (-want +got):\n%s", ok, diff)
			}
			dirty := slices.Repeat([]byte{0xa5}, Len)
			if !Put(dirty, tt.want, allOffloads) {
				t.Error("Put refuses it")
			}
			if diff := cmp.Diff(tt.header, dirty); diff != "" {
				t.Errorf("Put (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeaderRead(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header []byte
		want   ethstack.Offload
		ok     bool
	}{
		{"verified", header(2, 0, 0, 0, 0, 0), ethstack.Offload{Flags: ethstack.DataValid}, true},
		{"flags of the future", header(0xfc, 0, 0, 0, 0, 0), ethstack.Offload{}, true},
		{"offsets without a flag", header(0, 0, 1, 2, 3, 4), ethstack.Offload{}, true},
		{"IP fragments", header(0, 3, 42, 1480, 0, 0), ethstack.Offload{}, false},
		{"ECN without TCP", header(0, 0x80, 0, 0, 0, 0), ethstack.Offload{}, false},
		{"tunnelled", header(1, 0x20|1, 116, 1448, 84, 16), ethstack.Offload{}, false},
		{"type of the future", header(1, 6, 66, 1448, 34, 16), ethstack.Offload{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Get(tt.header)
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
				t.Errorf("Get: ok %v, want %v (-want +got):\n%s", ok, tt.ok, diff)
			}
		})
	}
}

func TestHeaderWriteRefusals(t *testing.T) {
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
			if got := Put(make([]byte, Len), tt.o, tt.have); got != tt.want {
				t.Errorf("Put(%+v) with offloads %v: %v, want %v", tt.o, tt.have, got, tt.want)
			}
		})
	}
}

// FuzzHeader: whatever the kernel hands over is understood or refused, and
// what was understood can be handed back with the same meaning.
func FuzzHeader(f *testing.F) {
	for _, c := range cases {
		f.Add(c.header)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < Len {
			t.Skip("shorter than a header")
		}
		first, ok := Get(b)
		if !ok {
			return
		}
		again := make([]byte, Len)
		if !Put(again, first, allOffloads) {
			if first.Segment == ethstack.SegmentUDP && first.Flags&ethstack.ECN != 0 {
				return
			}
			t.Fatalf("Put refuses %+v, which Get made of %x", first, b[:Len])
		}
		first.Flags &^= ethstack.DataValid // not for this direction
		if second, ok := Get(again); !ok || second != first {
			t.Errorf("%+v becomes %x, which is %+v", first, again, second)
		}
	})
}
