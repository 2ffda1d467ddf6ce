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
	// EtherType is that of the payload, behind any tag or LLC header.
	EtherType EtherType
	// VLAN is the frame's; zero if it has no tag, or one of priority only.
	VLAN VLAN
	// Len is the length of the header in bytes: 14, 4 more with each tag, and
	// 8 more with LLC and SNAP. The payload starts there.
	Len int
	// PayloadLen is the length of the payload in bytes: all that follows the
	// header, padding included, or what an 802.3 length field says.
	PayloadLen int
	// Class is filled in by an [Interface], which knows its own address.
	Class Class
}

// ParseHeader reads the header of a frame of total bytes, of which b is the
// beginning: the whole header must be in it. Passed over are an 802.1Q tag with
// VLAN identifier 0, which carries only a priority, and the LLC and SNAP headers
// of RFC 1042. The reason is DropNone if the header can be used.
func ParseHeader(b []byte, total int) (Header, DropReason) {
	// IEEE 802.3 §3.1.1: without a whole header there is no frame.
	if len(b) < HeaderLen {
		return Header{}, DropRunt
	}
	h := Header{
		Destination: HardwareAddr(b[0:6]),
		Source:      HardwareAddr(b[6:12]),
		EtherType:   EtherType(binary.BigEndian.Uint16(b[12:14])),
		Len:         HeaderLen,
		PayloadLen:  total - HeaderLen,
	}
	if h.EtherType.isTag() {
		if why := h.parseTags(b); why != DropNone {
			return h, why
		}
	}
	switch {
	case h.EtherType >= minType:
	case h.EtherType <= maxLength:
		if why := h.parseLLC(b); why != DropNone {
			return h, why
		}
	default:
		return h, DropUndefinedType
	}
	if h.EtherType == EtherTypeMACControl {
		// IEEE 802.3 §31.3: MAC control frames end at the MAC.
		return h, DropMACControl
	}
	return h, DropNone
}

// parseTags reads up to two tags.
func (h *Header) parseTags(b []byte) DropReason {
	n := 0
	for range len(h.VLAN) {
		if len(b) < h.Len+tagLen {
			return DropRunt
		}
		id := binary.BigEndian.Uint16(b[h.Len:]) & maxVLAN
		switch {
		case id == maxVLAN:
			// IEEE 802.1Q §9.6: identifier 4095 is reserved.
			return DropVLAN
		case id != 0:
			h.VLAN[n] = Tag{EtherType: h.EtherType, ID: id}
			n++
		case h.EtherType == EtherTypeServiceVLAN:
			// Choice: a priority of a provider's network is of no concern here.
			return DropVLAN
		}
		// IEEE 802.1Q §9.6: with identifier 0 the frame belongs to no VLAN and
		// the tag says its priority only.
		h.EtherType = EtherType(binary.BigEndian.Uint16(b[h.Len+2:]))
		h.Len += tagLen
		h.PayloadLen -= tagLen
		if !h.EtherType.isTag() {
			return DropNone
		}
	}
	return DropVLAN
}

// llcSNAP is how LLC and SNAP say that an EtherType follows (RFC 1042).
const llcSNAP = "\xaa\xaa\x03\x00\x00\x00"

// parseLLC reads what follows when the type field is a length.
//
// RFC 1122 §2.3.3: a host SHOULD be able to receive RFC 1042 packets
// intermixed with RFC 894 packets.
func (h *Header) parseLLC(b []byte) DropReason {
	const llcLen = len(llcSNAP) + 2
	// IEEE 802.3 §3.2.6: the length counts the data, not the padding.
	length := int(h.EtherType)
	switch {
	case length > h.PayloadLen:
		return DropBadLength
	case length < llcLen || len(b) < h.Len+llcLen || string(b[h.Len:h.Len+len(llcSNAP)]) != llcSNAP:
		return DropLLC
	}
	h.EtherType = EtherType(binary.BigEndian.Uint16(b[h.Len+len(llcSNAP):]))
	h.Len += llcLen
	h.PayloadLen = length - llcLen
	if h.EtherType < minType || h.EtherType.isTag() {
		return DropLLC
	}
	return DropNone
}

// Put writes h as an untagged header.
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
