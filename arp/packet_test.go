package arp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wire is a request of host 1 for 10.0.0.2, as RFC 826 lays it out.
const wire = "0001 0800 06 04 0001  020000000001 0a000001  000000000000 0a000002"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var packetOptions = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestParseAndPut(t *testing.T) {
	for _, tt := range []struct {
		name, wire string
		want       Packet
	}{
		{"R9 request", wire,
			Packet{OperationRequest, hwOf(1), ip(1), HardwareAddr{}, ip(2)}},
		{"R8 reply", "0001 0800 06 04 0002 020000000002 0a000002 020000000001 0a000001",
			Packet{OperationReply, hwOf(2), ip(2), hwOf(1), ip(1)}},
		{"R39 probe", "0001 0800 06 04 0001 020000000003 00000000 000000000000 a9fe0102",
			Packet{OperationRequest, hwOf(3), netip.IPv4Unspecified(), HardwareAddr{}, netip.MustParseAddr("169.254.1.2")}},
		{"R43 announcement", "0001 0800 06 04 0001 020000000003 0a000003 000000000000 0a000003",
			Packet{OperationRequest, hwOf(3), ip(3), HardwareAddr{}, ip(3)}},
		{"R51 any operation parses", "0001 0800 06 04 ffff ffffffffffff ffffffff ffffffffffff ffffffff",
			Packet{Operation(65535), Broadcast, netip.MustParseAddr("255.255.255.255"), Broadcast, netip.MustParseAddr("255.255.255.255")}},
		{"all zero", "0001 0800 06 04 0000 000000000000 00000000 000000000000 00000000",
			Packet{Operation(0), HardwareAddr{}, netip.IPv4Unspecified(), HardwareAddr{}, netip.IPv4Unspecified()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.wire)
			got, err := ParsePacket(b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, packetOptions); diff != "" {
				t.Errorf("ParsePacket (-want +got):\n%s", diff)
			}
			// R17: bytes that follow are padding.
			if padded, err := ParsePacket(append(bytes.Clone(b), 0xa5, 0xa5)); err != nil || padded != got {
				t.Errorf("with padding: %v, %v; want %v", padded, err, got)
			}
			var out [PacketLen]byte
			for i := range out {
				out[i] = 0xa5 // so that a byte not written shows
			}
			tt.want.Put(&out)
			if diff := cmp.Diff(b, out[:]); diff != "" {
				t.Errorf("Put (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		at   int
		b    []byte
		want error
	}{
		{"R1 hardware type 0", 0, []byte{0, 0}, ErrNotEthernet},
		{"R1 hardware type 2", 0, []byte{0, 2}, ErrNotEthernet},
		{"R1 hardware type IEEE 802", 0, []byte{0, 6}, ErrNotEthernet},
		{"R1 hardware type 256", 0, []byte{1, 0}, ErrNotEthernet},
		{"R1 before R3", 0, []byte{0, 2, 0x86, 0xdd}, ErrNotEthernet},
		{"R3 protocol IPv6", 2, []byte{0x86, 0xdd}, ErrNotIPv4},
		{"R3 protocol 0", 2, []byte{0, 0}, ErrNotIPv4},
		{"R3 before R2", 2, []byte{0, 8, 8, 16}, ErrNotIPv4},
		{"R2 hardware length 0", 4, []byte{0}, ErrLengths},
		{"R2 hardware length 8", 4, []byte{8}, ErrLengths},
		{"R2 hardware length 255", 4, []byte{255}, ErrLengths},
		{"R4 protocol length 0", 5, []byte{0}, ErrLengths},
		{"R4 protocol length 16", 5, []byte{16}, ErrLengths},
		{"R4 protocol length 255", 5, []byte{255}, ErrLengths},
	} {
		b := unhex(t, wire)
		copy(b[tt.at:], tt.b)
		if p, err := ParsePacket(b); !errors.Is(err, tt.want) || p != (Packet{}) {
			t.Errorf("%s: %v, %v; want the zero Packet, %v", tt.name, p, err, tt.want)
		}
	}
	b := unhex(t, wire)
	for n := range PacketLen {
		if p, err := ParsePacket(b[:n:n]); !errors.Is(err, ErrTooShort) || p != (Packet{}) {
			t.Errorf("prefix of %d bytes: %v, %v; want the zero Packet, %v", n, p, err, ErrTooShort)
		}
	}
}

// TestPutOtherAddresses: what is no IPv4 address becomes 0.0.0.0.
func TestPutOtherAddresses(t *testing.T) {
	for _, s := range []string{"", "::1", "fe80::1%eth0", "::ffff:10.0.0.2"} {
		var a netip.Addr
		if s != "" {
			a = netip.MustParseAddr(s)
		}
		var b [PacketLen]byte
		for i := range b {
			b[i] = 0xa5
		}
		Packet{Operation: OperationRequest, SenderAddr: a, TargetAddr: a}.Put(&b)
		if [4]byte(b[14:18]) != [4]byte{} || [4]byte(b[24:28]) != [4]byte{} {
			t.Errorf("address %q is written as % x and % x, want zeros", s, b[14:18], b[24:28])
		}
	}
}

func TestPredicates(t *testing.T) {
	none := netip.IPv4Unspecified()
	for _, tt := range []struct {
		name                string
		p                   Packet
		probe, announcement bool
	}{
		{"RFC 5227 §1.1 probe", Packet{Operation: OperationRequest, SenderAddr: none, TargetAddr: ip(2)}, true, false},
		{"no sender address at all", Packet{Operation: OperationRequest, TargetAddr: ip(2)}, true, false},
		{"reply from 0.0.0.0", Packet{Operation: OperationReply, SenderAddr: none, TargetAddr: ip(2)}, false, false},
		{"RFC 5227 §3 announcement", Packet{Operation: OperationRequest, SenderAddr: ip(2), TargetAddr: ip(2)}, false, true},
		{"older announcement", Packet{Operation: OperationReply, SenderAddr: ip(2), TargetAddr: ip(2)}, false, true},
		{"other operation", Packet{Operation: 9, SenderAddr: ip(2), TargetAddr: ip(2)}, false, false},
		{"0.0.0.0 for 0.0.0.0", Packet{Operation: OperationRequest, SenderAddr: none, TargetAddr: none}, true, false},
		{"request", Packet{Operation: OperationRequest, SenderAddr: ip(1), TargetAddr: ip(2)}, false, false},
		{"zero Packet", Packet{}, false, false},
	} {
		if got := tt.p.IsProbe(); got != tt.probe {
			t.Errorf("%s: IsProbe() = %v", tt.name, got)
		}
		if got := tt.p.IsAnnouncement(); got != tt.announcement {
			t.Errorf("%s: IsAnnouncement() = %v", tt.name, got)
		}
	}
}

func TestHardwareAddr(t *testing.T) {
	for _, tt := range []struct {
		text                   string
		zero, broadcast, group bool
	}{
		{"00:00:00:00:00:00", true, false, false},
		{"ff:ff:ff:ff:ff:ff", false, true, true},
		{"01:00:5e:00:00:01", false, false, true},
		{"02:1b:c3:d4:e5:f6", false, false, false},
		{"fe:ff:ff:ff:ff:ff", false, false, false},
	} {
		a, err := HardwareAddrFrom(unhex(t, strings.ReplaceAll(tt.text, ":", "")))
		if err != nil {
			t.Fatal(err)
		}
		if a.String() != tt.text || a.IsZero() != tt.zero || a.IsBroadcast() != tt.broadcast || a.IsGroup() != tt.group {
			t.Errorf("%s: prints as %v, zero %v, broadcast %v, group %v", tt.text, a, a.IsZero(), a.IsBroadcast(), a.IsGroup())
		}
	}
	for _, n := range []int{0, 5, 7, 8, 20} {
		if a, err := HardwareAddrFrom(make([]byte, n)); err == nil {
			t.Errorf("%d bytes are the address %v, want an error", n, a)
		}
	}
}

// TestNames: every value has a name of its own, and so has one that is none.
func TestNames(t *testing.T) {
	seen := map[string]string{}
	check := func(kind string, v fmt.Stringer) {
		t.Helper()
		name := kind + " " + v.String()
		if v.String() == "" || seen[name] != "" {
			t.Errorf("%#v has the name %q, as %s has", v, v.String(), seen[name])
		}
		seen[name] = fmt.Sprintf("%#v", v)
	}
	for s := range NumStates + 1 {
		check("state", s)
	}
	for r := range NumDropReasons + 1 {
		check("reason", r)
	}
	for r := range NumInputResults + 1 {
		check("input", r)
	}
	for k := range EventConflict + 2 {
		check("event", k)
	}
	for r := range Rejected + 2 {
		check("result", r)
	}
	for o := range Operation(4) {
		check("operation", o)
	}
}

// FuzzParsePacket compares with the bytes read one by one.
func FuzzParsePacket(f *testing.F) {
	b := unhex(f, wire)
	f.Add(b)
	f.Add(append(bytes.Clone(b), make([]byte, 18)...))
	for n := range b {
		f.Add(b[:n])
		for _, x := range []byte{0, 255} {
			c := bytes.Clone(b)
			c[n] = x
			f.Add(c)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePacket(b)
		valid := len(b) >= 28 && b[0] == 0 && b[1] == 1 && b[2] == 8 && b[3] == 0 && b[4] == 6 && b[5] == 4
		if (err == nil) != valid {
			t.Fatalf("% x: %v, want accepted: %v", b, err, valid)
		}
		if !valid {
			return
		}
		var out [PacketLen]byte
		p.Put(&out)
		if !bytes.Equal(out[:], b[:28]) {
			t.Errorf("% x is put as % x", b[:28], out)
		}
		if q, err := ParsePacket(out[:]); err != nil || q != p {
			t.Errorf("%v comes back as %v, %v", p, q, err)
		}
		if int(p.Operation) != int(b[6])<<8|int(b[7]) || p.SenderHardwareAddr[5] != b[13] || p.TargetHardwareAddr[0] != b[18] ||
			p.SenderAddr.As4()[0] != b[14] || p.TargetAddr.As4()[3] != b[27] {
			t.Errorf("% x is read as %v", b[:28], p)
		}
	})
}
