package conformance

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// membership reads what a frame says of a group: that its sender joins it or
// leaves it. A bridge asks by IGMPv2 and MLDv1, so these may be spoken, too.
func (f frame) membership() (group netip.Addr, joins, ok bool) {
	if h, is := f.ipv4(); is && h.TransportProtocol() == header.IGMPProtocolNumber && len(h.Payload()) >= header.IGMPMinimumSize {
		b := h.Payload()
		switch header.IGMPType(b[0]) {
		case header.IGMPv2MembershipReport, header.IGMPLeaveGroup: // RFC 2236 §2
			return netip.AddrFrom4([4]byte(b[4:])), b[0] == byte(header.IGMPv2MembershipReport), true
		case header.IGMPv3MembershipReport:
			return firstRecord(b, 4)
		}
	}
	// Behind an extension header of 8 bytes with the router alert.
	const alert = 8
	h, is := f.ipv6()
	if !is || h.NextHeader() != uint8(header.IPv6HopByHopOptionsExtHdrIdentifier) || len(h.Payload()) < alert+24 {
		return group, false, false
	}
	b := h.Payload()[alert:]
	switch typ := header.ICMPv6Type(b[0]); typ {
	case header.ICMPv6MulticastListenerReport, header.ICMPv6MulticastListenerDone: // RFC 2710 §3
		return netip.AddrFrom16([16]byte(b[8:])), typ == header.ICMPv6MulticastListenerReport, true
	case header.ICMPv6MulticastListenerV2Report:
		return firstRecord(b, 16)
	}
	return group, false, false
}

// firstRecord reads the first record of an IGMPv3 or MLDv2 report, for an address
// of so many bytes: RFC 3376 §4.2, RFC 3810 §5.2.
func firstRecord(b []byte, size int) (group netip.Addr, joins, ok bool) {
	const at, address = 8, 12
	// Sources of a group that is joined are none that are excluded; of one that
	// is left, none that are included.
	const toInclude, toExclude = 3, 4
	if len(b) < address+size || b[at] != toInclude && b[at] != toExclude {
		return group, false, false
	}
	group, ok = netip.AddrFromSlice(b[address : address+size])
	return group, b[at] == toExclude, ok
}

// isReport matches the report that a group is joined, or left.
func isReport(group netip.Addr, joins bool) func(frame) bool {
	return func(f frame) bool {
		about, joined, ok := f.membership()
		return ok && about == group && joined == joins
	}
}
