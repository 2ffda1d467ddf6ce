package arp

import "errors"

// HardwareAddr is a 48-bit Ethernet hardware address.
type HardwareAddr [6]byte

// Broadcast is the hardware address of every station on the link.
var Broadcast = HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// HardwareAddrFrom returns the address in b, which must be 6 bytes long; a
// net.HardwareAddr of Ethernet is.
func HardwareAddrFrom(b []byte) (HardwareAddr, error) {
	if len(b) != len(HardwareAddr{}) {
		return HardwareAddr{}, errHardwareAddrLen
	}
	return HardwareAddr(b), nil
}

var errHardwareAddrLen = errors.New("arp: a hardware address has 6 bytes")

// IsZero reports whether all bits are zero; no station has that address.
func (a HardwareAddr) IsZero() bool { return a == HardwareAddr{} }

// IsBroadcast reports whether a is ff:ff:ff:ff:ff:ff.
func (a HardwareAddr) IsBroadcast() bool { return a == Broadcast }

// IsGroup reports whether a names a group of stations, broadcast included
// (the I/G bit, IEEE 802 §8.2.2). Such an address is never a source.
func (a HardwareAddr) IsGroup() bool { return a[0]&1 != 0 }

// String returns the six bytes in hexadecimal, joined by colons.
func (a HardwareAddr) String() string {
	const digits = "0123456789abcdef"
	var b [17]byte
	for i, x := range a {
		if i > 0 {
			b[3*i-1] = ':'
		}
		b[3*i], b[3*i+1] = digits[x>>4], digits[x&15]
	}
	return string(b[:])
}
