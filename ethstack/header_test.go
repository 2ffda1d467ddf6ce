package ethstack

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	hwA     = HardwareAddr{2, 0, 0, 0, 0, 0xa}
	hwB     = HardwareAddr{2, 0, 0, 0, 0, 0xb}
	hwC     = HardwareAddr{2, 0, 0, 0, 0, 0xc}
	hwBcast = HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

// frameOf joins a header of destination, source and type fields with a
// payload.
func frameOf(dst, src HardwareAddr, typ []byte, payload ...byte) []byte {
	b := append(dst[:], src[:]...)
	return append(append(b, typ...), payload...)
}

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		name string
		typ  []byte
		want EtherType
		len  int
		why  DropReason
	}{
		{"RFC 894: IPv4", []byte{0x08, 0x00}, EtherTypeIPv4, 14, DropNone},
		{"RFC 826: ARP", []byte{0x08, 0x06}, EtherTypeARP, 14, DropNone},
		{"RFC 2464: IPv6", []byte{0x86, 0xdd}, EtherTypeIPv6, 14, DropNone},
		{"unknown type", []byte{0x12, 0x34}, 0x1234, 14, DropNone},
		{"R15: smallest type", []byte{0x06, 0x00}, 0x600, 14, DropNone},
		{"R15: undefined, high end", []byte{0x05, 0xff}, 0x5ff, 14, DropUndefinedType},
		{"R15: undefined, low end", []byte{0x05, 0xdd}, 0x5dd, 14, DropUndefinedType},
		{"R15: largest length", []byte{0x05, 0xdc}, 0x5dc, 14, DropLLC},
		{"R19: priority tag", []byte{0x81, 0, 0xe0, 0, 0x08, 0}, EtherTypeIPv4, 18, DropNone},
		{"R19: priority tag with DEI", []byte{0x81, 0, 0x30, 0, 0x08, 0}, EtherTypeIPv4, 18, DropNone},
		{"R19: VLAN 5", []byte{0x81, 0, 0, 5, 0x08, 0}, EtherTypeVLAN, 14, DropVLAN},
		{"R19: VLAN 4095", []byte{0x81, 0, 0xf, 0xff, 0x08, 0}, EtherTypeVLAN, 14, DropVLAN},
		{"R19: tag in tag", []byte{0x81, 0, 0, 0, 0x81, 0, 0, 0, 8, 0}, EtherTypeVLAN, 18, DropVLAN},
		{"R19: service tag", []byte{0x88, 0xa8, 0, 0, 0x08, 0}, EtherTypeServiceVLAN, 14, DropVLAN},
		{"R19: tag cut off", []byte{0x81, 0, 0, 0, 8}, EtherTypeVLAN, 14, DropRunt},
		{"R20: MAC control", []byte{0x88, 0x08}, EtherTypeMACControl, 14, DropMACControl},
		{"length behind a tag", []byte{0x81, 0, 0, 0, 0, 46}, 46, 18, DropLLC},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, why := ParseHeader(frameOf(hwA, hwB, c.typ))
			want := Header{Destination: hwA, Source: hwB, EtherType: c.want, Len: c.len}
			if diff := cmp.Diff(want, got); diff != "" || why != c.why {
				t.Errorf("reason %v, want %v; header (-want +got):\n%s", why, c.why, diff)
			}
		})
	}
}

func TestParseHeaderRunts(t *testing.T) {
	// R18: frames under 14 bytes are dropped and counted.
	whole := frameOf(hwA, hwB, []byte{8, 0})
	for n := range len(whole) {
		if _, why := ParseHeader(whole[:n]); why != DropRunt {
			t.Errorf("%d bytes: %v, want %v", n, why, DropRunt)
		}
	}
}

func TestHeaderPut(t *testing.T) {
	b := [HeaderLen]byte(bytes.Repeat([]byte{0xa5}, HeaderLen))
	Header{Destination: hwA, Source: hwB, EtherType: EtherTypeIPv6}.Put(&b)
	if want := frameOf(hwA, hwB, []byte{0x86, 0xdd}); !bytes.Equal(b[:], want) {
		t.Errorf("put % x, want % x", b, want)
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(frameOf(hwA, hwB, []byte{8, 0}, 1, 2, 3))
	f.Add(frameOf(hwBcast, hwB, []byte{0x81, 0, 0xe0, 0, 8, 6}))
	f.Add(frameOf(hwBcast, hwB, []byte{0x81, 0, 0xe0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, why := ParseHeader(b)
		if why != DropNone {
			return
		}
		if h.Len > len(b) {
			t.Fatalf("header of %d bytes in a frame of %d", h.Len, len(b))
		}
		var put [HeaderLen]byte
		h.Put(&put)
		if !bytes.Equal(put[:12], b[:12]) || !bytes.Equal(put[12:], b[h.Len-2:h.Len]) {
			t.Fatalf("put % x, parsed from % x", put, b[:h.Len])
		}
	})
}
