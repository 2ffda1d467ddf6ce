package ethstack

import (
	"encoding/binary"
	"fmt"
)

// EtherType says what a frame carries (IEEE 802.3 §3.2.6; numbers are IANA's).
type EtherType uint16

// The EtherTypes that this module knows.
const (
	EtherTypeIPv4 EtherType = 0x0800
	EtherTypeARP  EtherType = 0x0806
	EtherTypeIPv6 EtherType = 0x86dd
	// EtherTypeVLAN starts an 802.1Q tag.
	EtherTypeVLAN EtherType = 0x8100
	// EtherTypeServiceVLAN starts an 802.1ad service tag.
	EtherTypeServiceVLAN EtherType = 0x88a8
	// EtherTypeMACControl is for pause frames and their like.
	EtherTypeMACControl EtherType = 0x8808
)

func (t EtherType) String() string {
	switch t {
	case EtherTypeIPv4:
		return "IPv4"
	case EtherTypeARP:
		return "ARP"
	case EtherTypeIPv6:
		return "IPv6"
	}
	return fmt.Sprintf("0x%04x", uint16(t))
}

const (
	// HeaderLen is the length of an untagged Ethernet header.
	HeaderLen = 14
	// tagLen is what an 802.1Q tag adds to it.
	tagLen = 4
	// minFrameLen is the shortest frame without its check sequence
	// (IEEE 802.3 §4.2.3.3: 64 bytes with it).
	minFrameLen = 60
	// maxLength is the largest value of the length/type field that is a
	// length, minType the smallest that is a type (IEEE 802.3 §3.2.6); what
	// lies between is undefined.
	maxLength = 1500
	minType   = 1536
)

// Class says whom a frame's destination address names.
type Class uint8

const (
	// ToUs: the interface's own address.
	ToUs Class = iota
	// ToBroadcast: everybody.
	ToBroadcast
	// ToMulticast: a group other than everybody.
	ToMulticast
	// ToOther: somebody else; only an open filter lets it pass.
	ToOther
)

func (c Class) String() string {
	switch c {
	case ToUs:
		return "to us"
	case ToBroadcast:
		return "broadcast"
	case ToMulticast:
		return "multicast"
	case ToOther:
		return "to other"
	}
	return fmt.Sprintf("Class(%d)", uint8(c))
}

// Header is a parsed Ethernet header, as a comparable value.
type Header struct {
	Destination HardwareAddr
	Source      HardwareAddr
	// EtherType is that of the payload, behind any tag.
	EtherType EtherType
	// Len is the length of the header in bytes, 18 with a tag: the payload
	// starts there.
	Len int
	// Class is filled in by an [Interface], which knows its own address.
	Class Class
}

// ParseHeader reads the header at the start of b. An 802.1Q tag with VLAN
// identifier 0 carries only a priority and is passed over. The reason is
// DropNone if the header can be used; nothing else of b needs to be there.
func ParseHeader(b []byte) (Header, DropReason) {
	// IEEE 802.3 §3.1.1: without a whole header there is no frame.
	if len(b) < HeaderLen {
		return Header{}, DropRunt
	}
	h := Header{
		Destination: HardwareAddr(b[0:6]),
		Source:      HardwareAddr(b[6:12]),
		EtherType:   EtherType(binary.BigEndian.Uint16(b[12:14])),
		Len:         HeaderLen,
	}
	if h.EtherType == EtherTypeVLAN {
		if len(b) < HeaderLen+tagLen {
			return h, DropRunt
		}
		// IEEE 802.1Q §9.6: identifier 0 means the frame belongs to no VLAN and
		// the tag says its priority only.
		if vid := binary.BigEndian.Uint16(b[14:16]) & 0x0fff; vid != 0 {
			return h, DropVLAN
		}
		h.EtherType = EtherType(binary.BigEndian.Uint16(b[16:18]))
		h.Len += tagLen
	}
	switch {
	case h.EtherType >= minType:
	case h.EtherType <= maxLength:
		return h, DropLLC
	default:
		return h, DropUndefinedType
	}
	switch h.EtherType {
	case EtherTypeVLAN, EtherTypeServiceVLAN:
		return h, DropVLAN
	case EtherTypeMACControl:
		// IEEE 802.3 §31.3: MAC control frames end at the MAC.
		return h, DropMACControl
	}
	return h, DropNone
}

// Put writes h without a tag.
func (h Header) Put(b *[HeaderLen]byte) {
	*(*HardwareAddr)(b[0:6]) = h.Destination
	*(*HardwareAddr)(b[6:12]) = h.Source
	binary.BigEndian.PutUint16(b[12:14], uint16(h.EtherType))
}

// isReservedGroup reports whether a is one of 01:80:c2:00:00:00 to 0f, which
// no bridge forwards (IEEE 802.1D §7.12.6).
func isReservedGroup(a HardwareAddr) bool {
	return a[0] == 0x01 && a[1] == 0x80 && a[2] == 0xc2 && a[3] == 0 && a[4] == 0 && a[5] <= 0x0f
}
