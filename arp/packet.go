package arp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Operation says what an ARP packet is (RFC 826 "ar$op").
type Operation uint16

// The two operations of RFC 826. All others (IANA lists reverse and inverse
// ARP and some experiments, RFC 5494 §4) are ignored on reception.
const (
	OperationRequest Operation = 1
	OperationReply   Operation = 2
)

func (o Operation) String() string {
	switch o {
	case OperationRequest:
		return "request"
	case OperationReply:
		return "reply"
	}
	return fmt.Sprintf("Operation(%d)", uint16(o))
}

// PacketLen is the length in bytes of an ARP packet for IPv4 over Ethernet.
const PacketLen = 28

// Packet is an ARP packet for IPv4 over Ethernet, as a comparable value.
type Packet struct {
	Operation          Operation
	SenderHardwareAddr HardwareAddr
	SenderAddr         netip.Addr
	TargetHardwareAddr HardwareAddr
	TargetAddr         netip.Addr
}

// Why ParsePacket refused a packet. None of these is worth a retry.
var (
	ErrTooShort    = errors.New("arp: packet shorter than 28 bytes")
	ErrNotEthernet = errors.New("arp: hardware type is not Ethernet")
	ErrNotIPv4     = errors.New("arp: protocol type is not IPv4")
	ErrLengths     = errors.New("arp: address lengths are not 6 and 4")
)

const (
	hardwareEthernet = 1      // RFC 826, IANA
	protocolIPv4     = 0x0800 // the EtherType of IPv4, RFC 894
)

// ParsePacket reads the packet at the start of b: the one way in, after which
// nothing needs to be checked again. Bytes after the 28th are padding and
// ignored. Any operation parses, because RFC 826 looks at it last.
func ParsePacket(b []byte) (Packet, error) {
	if len(b) < PacketLen {
		return Packet{}, ErrTooShort
	}
	switch {
	case binary.BigEndian.Uint16(b[0:2]) != hardwareEthernet: // RFC 826: "Do I have the hardware type in ar$hrd?"
		return Packet{}, ErrNotEthernet
	case binary.BigEndian.Uint16(b[2:4]) != protocolIPv4: // RFC 826: "Do I speak the protocol in ar$pro?"
		return Packet{}, ErrNotIPv4
	case b[4] != 6 || b[5] != 4: // RFC 826: "[optionally check the ... length]"
		return Packet{}, ErrLengths
	}
	return Packet{
		Operation:          Operation(binary.BigEndian.Uint16(b[6:8])),
		SenderHardwareAddr: HardwareAddr(b[8:14]),
		SenderAddr:         netip.AddrFrom4([4]byte(b[14:18])),
		TargetHardwareAddr: HardwareAddr(b[18:24]),
		TargetAddr:         netip.AddrFrom4([4]byte(b[24:28])),
	}, nil
}

// Put writes p. An address that is not IPv4, the zero Addr among them, is
// written as 0.0.0.0.
func (p Packet) Put(b *[PacketLen]byte) {
	binary.BigEndian.PutUint16(b[0:2], hardwareEthernet)
	binary.BigEndian.PutUint16(b[2:4], protocolIPv4)
	b[4], b[5] = 6, 4
	binary.BigEndian.PutUint16(b[6:8], uint16(p.Operation))
	*(*HardwareAddr)(b[8:14]) = p.SenderHardwareAddr
	*(*[4]byte)(b[14:18]) = as4(p.SenderAddr)
	*(*HardwareAddr)(b[18:24]) = p.TargetHardwareAddr
	*(*[4]byte)(b[24:28]) = as4(p.TargetAddr)
}

// IsProbe reports whether p asks if somebody uses an address, without telling
// one of its own (RFC 5227 §1.1).
func (p Packet) IsProbe() bool {
	return p.Operation == OperationRequest && as4(p.SenderAddr) == [4]byte{}
}

// IsAnnouncement reports whether p tells everybody the sender's address, in
// the form of RFC 5227 §3 (a request) or in the older one (a reply).
func (p Packet) IsAnnouncement() bool {
	return (p.Operation == OperationRequest || p.Operation == OperationReply) &&
		p.SenderAddr == p.TargetAddr && as4(p.SenderAddr) != [4]byte{}
}

func as4(a netip.Addr) [4]byte {
	if !a.Is4() {
		return [4]byte{}
	}
	return a.As4()
}
