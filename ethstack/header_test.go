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
		typ  []byte // all behind the addresses
		want EtherType
		len  int
		why  DropReason
		vlan VLAN
	}{
		{"RFC 894: IPv4", []byte{0x08, 0x00}, EtherTypeIPv4, 14, DropNone, VLAN{}},
		{"RFC 826: ARP", []byte{0x08, 0x06}, EtherTypeARP, 14, DropNone, VLAN{}},
		{"RFC 2464: IPv6", []byte{0x86, 0xdd}, EtherTypeIPv6, 14, DropNone, VLAN{}},
		{"unknown type", []byte{0x12, 0x34}, 0x1234, 14, DropNone, VLAN{}},
		{"R15: smallest type", []byte{0x06, 0x00}, 0x600, 14, DropNone, VLAN{}},
		{"R15: undefined, high end", []byte{0x05, 0xff}, 0x5ff, 14, DropUndefinedType, VLAN{}},
		{"R15: undefined, low end", []byte{0x05, 0xdd}, 0x5dd, 14, DropUndefinedType, VLAN{}},
		{"R15: largest length", append([]byte{0x05, 0xdc}, make([]byte, 1500)...), 0x5dc, 14, DropLLC, VLAN{}},
		{"R19: priority tag", []byte{0x81, 0, 0xe0, 0, 0x08, 0}, EtherTypeIPv4, 18, DropNone, VLAN{}},
		{"R19: priority tag with DEI", []byte{0x81, 0, 0x30, 0, 0x08, 0}, EtherTypeIPv4, 18, DropNone, VLAN{}},
		{"R19: VLAN 5", []byte{0x81, 0, 0xe0, 5, 0x08, 0}, EtherTypeIPv4, 18, DropNone, VLAN{{EtherTypeVLAN, 5}}},
		{"R19: VLAN 4094", []byte{0x81, 0, 0xf, 0xfe, 0x08, 0}, EtherTypeIPv4, 18, DropNone, VLAN{{EtherTypeVLAN, 4094}}},
		{"R19: VLAN 4095", []byte{0x81, 0, 0xf, 0xff, 0x08, 0}, EtherTypeVLAN, 14, DropVLAN, VLAN{}},
		{"R19: VLAN 4095 inside", []byte{0x81, 0, 0, 5, 0x81, 0, 0xf, 0xff, 0x08, 0}, EtherTypeVLAN, 18, DropVLAN, VLAN{{EtherTypeVLAN, 5}}},
		{"R19: priority tag in VLAN 5", []byte{0x81, 0, 0, 5, 0x81, 0, 0xe0, 0, 8, 0}, EtherTypeIPv4, 22, DropNone, VLAN{{EtherTypeVLAN, 5}}},
		{"802.1ad: service tag", []byte{0x88, 0xa8, 0, 7, 0x08, 0}, EtherTypeIPv4, 18, DropNone, VLAN{{EtherTypeServiceVLAN, 7}}},
		{"802.1ad: VLAN 5 in service VLAN 7", []byte{0x88, 0xa8, 0, 7, 0x81, 0, 0, 5, 8, 0}, EtherTypeIPv4, 22, DropNone,
			VLAN{{EtherTypeServiceVLAN, 7}, {EtherTypeVLAN, 5}}},
		{"802.1ad: priority only", []byte{0x88, 0xa8, 0, 0, 0x08, 0}, EtherTypeServiceVLAN, 14, DropVLAN, VLAN{}},
		{"three tags", []byte{0x88, 0xa8, 0, 7, 0x81, 0, 0, 5, 0x81, 0, 0, 6, 8, 0}, EtherTypeVLAN, 22, DropVLAN,
			VLAN{{EtherTypeServiceVLAN, 7}, {EtherTypeVLAN, 5}}},
		{"R19: tag cut off", []byte{0x81, 0, 0, 0, 8}, EtherTypeVLAN, 14, DropRunt, VLAN{}},
		{"R20: MAC control", []byte{0x88, 0x08}, EtherTypeMACControl, 14, DropMACControl, VLAN{}},
		{"R16: length of more than there is", []byte{0, 9, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, 9, 14, DropBadLength, VLAN{}},
		{"R12: SNAP", []byte{0, 8, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, EtherTypeIPv4, 22, DropNone, VLAN{}},
		{"R12: SNAP behind a tag", []byte{0x81, 0, 0, 5, 0, 8, 0xaa, 0xaa, 3, 0, 0, 0, 8, 6}, EtherTypeARP, 26, DropNone, VLAN{{EtherTypeVLAN, 5}}},
		{"R12: SNAP of another organisation", []byte{0, 8, 0xaa, 0xaa, 3, 0, 0, 0xf8, 8, 0}, 8, 14, DropLLC, VLAN{}},
		{"R12: SNAP with a length for a type", []byte{0, 8, 0xaa, 0xaa, 3, 0, 0, 0, 5, 0}, 0x500, 22, DropLLC, VLAN{}},
		{"R12: LLC of a bridge", []byte{0, 8, 0x42, 0x42, 3, 0, 0, 0, 0, 0}, 8, 14, DropLLC, VLAN{}},
		{"R12: length too small for SNAP", []byte{0, 7, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, 7, 14, DropLLC, VLAN{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			frame := frameOf(hwA, hwB, c.typ)
			got, why := ParseHeader(frame, len(frame))
			want := Header{Destination: hwA, Source: hwB, EtherType: c.want, VLAN: c.vlan, Len: c.len, PayloadLen: len(frame) - c.len}
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
		if _, why := ParseHeader(whole[:n], len(whole)); why != DropRunt {
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
	f.Add(frameOf(hwA, hwB, []byte{0x88, 0xa8, 0, 7, 0x81, 0, 0, 5, 0, 8, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, why := ParseHeader(b, len(b))
		if why != DropNone {
			return
		}
		if h.PayloadLen < 0 || h.Len+h.PayloadLen > len(b) {
			t.Fatalf("header of %d bytes and payload of %d in a frame of %d", h.Len, h.PayloadLen, len(b))
		}
		var put [HeaderLen]byte
		h.Put(&put)
		if !bytes.Equal(put[:12], b[:12]) || !bytes.Equal(put[12:], b[h.Len-2:h.Len]) {
			t.Fatalf("put % x, parsed from % x", put, b[:h.Len])
		}
	})
}
