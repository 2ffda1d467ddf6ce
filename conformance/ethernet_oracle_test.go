package conformance

import (
	"bytes"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/ethstack"
)

// ethernetSeeds are the kinds of headers that there are: RFC 894, tags, RFC 1042,
// and what is dropped.
func ethernetSeeds() (all [][]byte) {
	for _, typ := range [][]byte{
		{0x08, 0x00}, {0x08, 0x06}, {0x86, 0xdd}, {0x06, 0x00}, {0x05, 0xff}, {0x88, 0x08},
		{0x81, 0x00, 0xe0, 0x00, 0x08, 0x00}, {0x81, 0x00, 0x00, 0x05, 0x86, 0xdd}, {0x81, 0x00, 0x0f, 0xff, 0x08, 0x00},
		{0x88, 0xa8, 0x00, 0x07, 0x81, 0x00, 0x00, 0x05, 0x08, 0x06}, {0x88, 0xa8, 0x00, 0x00, 0x08, 0x00},
		{0x81, 0x00, 0x00, 0x05, 0x81, 0x00, 0x00, 0x06, 0x81, 0x00},
		{0x00, 0x0a, 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x08, 0x00}, {0x00, 0x03, 0x42, 0x42, 0x03},
		{0x81, 0x00, 0x00, 0x05, 0x00, 0x08, 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x86, 0xdd},
	} {
		b := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, typ...)
		all = append(all, append(b, 0x45, 0x00, 0xee))
	}
	return all
}

// FuzzEthernetAgainstGVisor compares our codec with gVisor's. That reads three
// fields at fixed places and refuses nothing, so the comparison is of these
// fields, and each frame that ours refuses has its reason in what gVisor reads.
func FuzzEthernetAgainstGVisor(f *testing.F) {
	for _, b := range ethernetSeeds() {
		f.Add(b)
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, why := ethstack.ParseHeader(b, len(b))
		if len(b) < header.EthernetMinimumSize {
			if why != ethstack.DropRunt {
				t.Errorf("% x: %v, want %v", b, why, ethstack.DropRunt)
			}
			return
		}
		theirs := header.Ethernet(b)
		to, from := tcpip.LinkAddress(h.Destination[:]), tcpip.LinkAddress(h.Source[:])
		if theirs.DestinationAddress() != to || theirs.SourceAddress() != from {
			t.Errorf("% x is read as %v to %v", b, h.Source, h.Destination)
		}
		checkAddressKinds(t, h.Destination)
		checkAddressKinds(t, h.Source)
		if why != ethstack.DropNone {
			checkRefusal(t, b, h, why)
			return
		}
		// Deviation: gVisor's link layers know neither tags nor RFC 1042, and
		// hand such a frame up as one of protocol 0x8100, or of its length. Both
		// end with the EtherType, so that it is where gVisor would read it if
		// what precedes it were cut out.
		plain := header.Ethernet(bytes.Join([][]byte{b[:12], b[h.Len-2 : h.Len+h.PayloadLen]}, nil))
		if uint16(plain.Type()) != uint16(h.EtherType) || h.Len == header.EthernetMinimumSize && theirs.Type() != plain.Type() {
			t.Errorf("% x: EtherType %v, gVisor reads %#x", b, h.EtherType, plain.Type())
		}
		for _, tag := range h.VLAN {
			if tag != (ethstack.Tag{}) && (tag.ID == 0 || tag.ID >= 4095) {
				t.Errorf("% x is accepted as of %v", b, h.VLAN)
			}
		}
		put := header.Ethernet(make([]byte, header.EthernetMinimumSize))
		put.Encode(&header.EthernetFields{SrcAddr: from, DstAddr: to, Type: tcpip.NetworkProtocolNumber(h.EtherType)})
		var ours [ethstack.HeaderLen]byte
		if h.Put(&ours); !bytes.Equal(ours[:], put) || !bytes.Equal(ours[:], plain[:len(ours)]) {
			t.Errorf("we put % x, gVisor % x", ours, []byte(put))
		}
	})
}

// checkAddressKinds: both sides tell unicast from groups in the same way.
func checkAddressKinds(t *testing.T, a ethstack.HardwareAddr) {
	t.Helper()
	theirs := tcpip.LinkAddress(a[:])
	if a.IsGroup() != header.IsMulticastEthernetAddress(theirs) ||
		(!a.IsGroup() && !a.IsZero()) != header.IsValidUnicastEthernetAddress(theirs) ||
		a.IsBroadcast() != (theirs == header.EthernetBroadcastAddress) {
		t.Errorf("%v: group %v, zero %v, broadcast %v; gVisor differs", a, a.IsGroup(), a.IsZero(), a.IsBroadcast())
	}
}

// checkRefusal looks for the reason in the field that gVisor reads as the type.
//
// Deviation: gVisor delivers each of these as a packet of a protocol of that
// number, which nobody has registered.
func checkRefusal(t *testing.T, b []byte, h ethstack.Header, why ethstack.DropReason) {
	t.Helper()
	// Behind tags, if there are any, for those of which gVisor has one word.
	typ := header.Ethernet(b).Type()
	tags := 0
	for at := 12; (typ == 0x8100 || typ == 0x88a8) && len(b) >= at+6; tags++ {
		at += 4
		typ = header.Ethernet(b[at-12:]).Type()
	}
	ok := false
	switch why {
	case ethstack.DropVLAN:
		ok = tags > 0
	case ethstack.DropRunt:
		ok = typ == 0x8100 || typ == 0x88a8 // a tag that is cut off
	case ethstack.DropUndefinedType:
		ok = typ > 1500 && typ < 1536
	case ethstack.DropBadLength:
		ok = int(typ) > len(b)-14-4*tags
	case ethstack.DropLLC:
		ok = typ <= 1500
	case ethstack.DropMACControl:
		ok = typ == 0x8808 || h.Len > 14+4*tags // in SNAP
	}
	if !ok {
		t.Errorf("% x is refused: %v; behind %d tags gVisor reads %#x", b, why, tags, typ)
	}
}
