package conformance

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// What is wrong with a frame that was seen on a wire.
var (
	errTooLong   = errors.New("longer than the MTU allows")
	errLength    = errors.New("the lengths do not agree with the frame's")
	errHeaderSum = errors.New("the IPv4 header's checksum is wrong")
	errSum       = errors.New("the transport checksum is wrong")
	errNoSum     = errors.New("there is no UDP checksum")
)

// inspect reads a frame as a network card on a cable would: whatever is not as
// long as it says, or has a wrong checksum, is an error. It has nothing in common
// with the code that makes checksums in this module. The kind is IP's version
// and protocol, or empty if it is another.
func inspect(f frame, mtu int) (kind string, err error) {
	if len(f) < headerLen {
		return "", errLength
	}
	for f.typ() == typeVLAN || f.typ() == typeService {
		if f = append(f[:12:12], f[16:]...); len(f) < headerLen {
			return "", errLength
		}
	}
	b := f.payload()
	switch {
	case len(b) > mtu:
		return "", errTooLong
	case f.typ() == typeIPv4:
		return inspectIPv4(b)
	case f.typ() == typeIPv6:
		return inspectIPv6(b)
	}
	return "", nil
}

func inspectIPv4(b []byte) (kind string, err error) {
	h := header.IPv4(b)
	if !h.IsValid(len(b)) {
		return "IPv4", errLength
	}
	switch {
	case !h.IsChecksumValid():
		return "IPv4", errHeaderSum
	case h.More() || h.FragmentOffset() != 0:
		return "IPv4 fragment", nil // who reassembles sees the rest
	}
	kind, err = inspectTransport(h.TransportProtocol(), h.SourceAddress(), h.DestinationAddress(), h.Payload())
	return "IPv4 " + kind, err
}

func inspectIPv6(b []byte) (kind string, err error) {
	h := header.IPv6(b)
	if len(b) < header.IPv6MinimumSize || !h.IsValid(len(b)) {
		return "IPv6", errLength
	}
	kind, err = inspectTransport(tcpip.TransportProtocolNumber(h.NextHeader()), h.SourceAddress(), h.DestinationAddress(), h.Payload())
	return "IPv6 " + kind, err
}

func inspectTransport(p tcpip.TransportProtocolNumber, from, to tcpip.Address, b []byte) (kind string, err error) {
	sum := header.PseudoHeaderChecksum(p, from, to, uint16(len(b)))
	switch p {
	case header.TCPProtocolNumber:
		kind = "TCP"
		if len(b) < header.TCPMinimumSize || int(header.TCP(b).DataOffset()) > len(b) {
			return kind, errLength
		}
	case header.UDPProtocolNumber:
		kind = "UDP"
		if len(b) < header.UDPMinimumSize || int(header.UDP(b).Length()) != len(b) {
			return kind, errLength
		}
		if header.UDP(b).Checksum() == 0 {
			return kind, errNoSum
		}
	case header.ICMPv4ProtocolNumber:
		kind, sum = "ICMP", 0 // RFC 792: there is no pseudo-header
	case header.ICMPv6ProtocolNumber:
		kind = "ICMP"
	default:
		return fmt.Sprintf("protocol %d", p), nil
	}
	if checksum.Checksum(b, sum) != 0xffff {
		return kind, errSum
	}
	return kind, nil
}

// TestInspect: the reader that other tests trust finds each bit that is wrong
// under a checksum, and lengths that do not agree.
func TestInspect(t *testing.T) {
	type4 := ether(everybody, alice.hw, typeIPv4, udp4(alice.ipv4, ownIPv4, 7, data(301)))
	type6 := ether(everybody, alice.hw, typeIPv6, echo6(alice.ipv6, ownIPv6, data(300)))
	ping := ether(everybody, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, data(77)))
	for _, tt := range []struct {
		f    frame
		kind string
		from int // the first byte under a checksum
	}{{type4, "IPv4 UDP", headerLen}, {type6, "IPv6 ICMP", headerLen + 8}, {ping, "IPv4 ICMP", headerLen}} {
		for _, f := range []frame{tt.f, tt.f.tagged(typeVLAN, 5), tt.f.tagged(typeService, 6, typeVLAN, 5)} {
			if kind, err := inspect(f, 1500); kind != tt.kind || err != nil {
				t.Errorf("%v: %q, %v; want %q", f, kind, err, tt.kind)
			}
			if _, err := inspect(f[:len(f)-1], 1500); !errors.Is(err, errLength) {
				t.Errorf("%v, cut short: %v, want %v", f, err, errLength)
			}
			if _, err := inspect(f, len(tt.f)-headerLen-1); !errors.Is(err, errTooLong) {
				t.Errorf("%v, longer than the MTU: %v, want %v", f, err, errTooLong)
			}
		}
		for at := tt.from; at < len(tt.f); at++ {
			for bit := range 8 {
				f := slices.Clone(tt.f)
				f[at] ^= 1 << bit
				if kind, err := inspect(f, 1500); err == nil && !hidesChecksum(tt.kind, kind) {
					t.Errorf("%s with bit %d of byte %d wrong is nothing amiss: %q", tt.kind, bit, at, kind)
				}
			}
		}
	}
	none := slices.Clone(type4)
	binary.BigEndian.PutUint16(none[headerLen+header.IPv4MinimumSize+6:], 0)
	if _, err := inspect(none, 1500); !errors.Is(err, errNoSum) {
		t.Errorf("without a checksum: %v, want %v", err, errNoSum)
	}
}

// hidesChecksum reports whether a packet became one of a kind without a checksum
// that is known here.
func hidesChecksum(was, is string) bool { return was != is }
