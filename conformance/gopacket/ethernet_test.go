package gopacket

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/ethlink/ethlink/ethstack"
)

// A reading is what gopacket makes of a frame.
type reading struct {
	layers.Ethernet
	tags    []ethstack.Tag
	typ     layers.EthernetType // of the payload
	payload []byte
	length  uint16 // in place of an EtherType
	snap    bool
	llc     layers.LLC
	code    []byte // SNAP's organization
	cut     bool   // a length promises more than is there
	err     error
}

// SetTruncated is gopacket's way to say so.
func (r *reading) SetTruncated() { r.cut = true }

// read reads a frame with gopacket's decoders, one after the other.
func read(b []byte) *reading {
	r := new(reading)
	if r.err = r.DecodeFromBytes(b, r); r.err != nil {
		return r
	}
	r.typ, r.payload, r.length = r.EthernetType, r.Payload, r.Length
	isLength := r.typ == layers.EthernetTypeLLC
	for !isLength && (r.typ == layers.EthernetTypeDot1Q || r.typ == layers.EthernetTypeQinQ) {
		var d layers.Dot1Q
		if r.err = d.DecodeFromBytes(r.payload, r); r.err != nil {
			return r
		}
		r.tags = append(r.tags, ethstack.Tag{EtherType: ethstack.EtherType(r.typ), ID: d.VLANIdentifier})
		r.typ, r.payload = d.Type, d.Payload
		if isLength = d.NextLayerType() == layers.LayerTypeLLC; isLength {
			r.length = uint16(r.typ)
		}
	}
	if isLength {
		r.readLLC()
	}
	return r
}

func (r *reading) readLLC() {
	if r.err = r.llc.DecodeFromBytes(r.payload, r); r.err != nil || r.llc.NextLayerType() != layers.LayerTypeSNAP {
		return
	}
	var s layers.SNAP
	if r.err = s.DecodeFromBytes(r.llc.Payload, r); r.err == nil {
		r.snap, r.code, r.typ, r.payload = true, s.OrganizationalCode, s.Type, s.Payload
	}
}

// vlan returns the tags that name a VLAN.
//
// Deviation: one with identifier 0 carries only a priority, and is no VLAN here;
// gopacket has a layer for it.
func (r *reading) vlan() (v ethstack.VLAN) {
	copy(v[:], slices.DeleteFunc(slices.Clone(r.tags), func(t ethstack.Tag) bool { return t.ID == 0 }))
	return v
}

// isRFC1042 reports whether the LLC and SNAP headers say that an EtherType
// follows.
//
// Deviation: gopacket takes any organization's SNAP type for an EtherType, with
// any control field, of one byte or two, and to and from groups.
func (r *reading) isRFC1042() bool {
	return r.snap && !r.llc.IG && !r.llc.CR && len(r.llc.Contents) == 3 && r.llc.Control == 3 && bytes.Equal(r.code, []byte{0, 0, 0})
}

// FuzzEthernet compares what both read in a frame, and has each write what the
// other reads.
func FuzzEthernet(f *testing.F) {
	for _, b := range ethernetSeeds() {
		f.Add(b)
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, why := ethstack.ParseHeader(b, len(b))
		r := read(b)
		if why != ethstack.DropNone {
			checkRefusal(t, b, r, why)
			return
		}
		payload := b[h.Len : h.Len+h.PayloadLen]
		if r.err != nil || r.cut || !bytes.Equal(r.DstMAC, h.Destination[:]) || !bytes.Equal(r.SrcMAC, h.Source[:]) ||
			uint16(r.typ) != uint16(h.EtherType) || r.vlan() != h.VLAN || !bytes.Equal(r.payload, payload) {
			t.Fatalf("% x is read as %+v, by gopacket as %+v", b, h, r)
		}
		if len(r.tags) > len(h.VLAN) || slices.ContainsFunc(r.tags, func(t ethstack.Tag) bool { return t.ID == 4095 }) {
			t.Errorf("% x is accepted as of %v; gopacket reads the tags %v", b, h.VLAN, r.tags)
		}
		var put [ethstack.HeaderLen]byte
		h.Put(&put)
		if p := read(put[:]); p.err != nil || uint16(p.typ) != uint16(h.EtherType) ||
			!bytes.Equal(p.DstMAC, r.DstMAC) || !bytes.Equal(p.SrcMAC, r.SrcMAC) {
			t.Errorf("% x, which we put, is read by gopacket as %+v", put, p)
		}
		checkSerialized(t, h, r)
	})
}

// checkRefusal looks for the reason in what gopacket read.
func checkRefusal(t *testing.T, b []byte, r *reading, why ethstack.DropReason) {
	t.Helper()
	last := len(r.tags) - 1
	ok := false
	switch why {
	case ethstack.DropRunt:
		ok = r.err != nil
	case ethstack.DropVLAN:
		// Deviation: gopacket reads tags of any number, with any identifier.
		ok = len(r.tags) > len(ethstack.VLAN{}) || last >= 0 && slices.ContainsFunc(r.tags, func(t ethstack.Tag) bool {
			return t.ID == 4095 || t.ID == 0 && t.EtherType == ethstack.EtherTypeServiceVLAN
		}) || last == 1 && r.err != nil // a third that is cut off
	case ethstack.DropUndefinedType:
		// Deviation: gopacket takes 1501 to 1535, which IEEE 802.3 §3.2.6 leaves
		// undefined, for lengths.
		ok = r.length > 1500 && r.length < 1536
	case ethstack.DropBadLength:
		ok = r.cut
	case ethstack.DropLLC:
		ok = r.err != nil || !r.isRFC1042() || r.typ < 1536 || r.typ == layers.EthernetTypeDot1Q || r.typ == layers.EthernetTypeQinQ
	case ethstack.DropMACControl:
		// Deviation: these are read by gopacket like any other.
		ok = r.typ == 0x8808
	}
	if !ok {
		t.Errorf("% x is refused: %v; gopacket reads %+v", b, why, r)
	}
}

// checkSerialized lets gopacket write the frame again, with its tags and with
// RFC 1042's headers: we read what we have read before, up to padding.
func checkSerialized(t *testing.T, h ethstack.Header, r *reading) {
	t.Helper()
	tagged := []gopacket.SerializableLayer{&layers.Ethernet{DstMAC: r.DstMAC, SrcMAC: r.SrcMAC}}
	next := func(typ layers.EthernetType) {
		switch l := tagged[len(tagged)-1].(type) {
		case *layers.Ethernet:
			l.EthernetType = typ
		case *layers.Dot1Q:
			l.Type = typ
		}
	}
	for _, tag := range r.tags {
		next(layers.EthernetType(tag.EtherType))
		tagged = append(tagged, &layers.Dot1Q{VLANIdentifier: tag.ID, Priority: 5, DropEligible: true})
	}
	next(r.typ)
	compare(t, h, r.payload, append(tagged, gopacket.Payload(r.payload))...)

	if len(r.payload) > 1500-8 {
		return
	}
	h.VLAN = ethstack.VLAN{}
	compare(t, h, r.payload,
		&layers.Ethernet{DstMAC: r.DstMAC, SrcMAC: r.SrcMAC, EthernetType: layers.EthernetTypeLLC},
		&layers.LLC{DSAP: 0xaa, SSAP: 0xaa, Control: 3},
		&layers.SNAP{OrganizationalCode: []byte{0, 0, 0}, Type: r.typ},
		gopacket.Payload(r.payload))
}

func compare(t *testing.T, want ethstack.Header, payload []byte, list ...gopacket.SerializableLayer) {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, list...); err != nil {
		t.Fatal(err)
	}
	b := buf.Bytes()
	got, why := ethstack.ParseHeader(b, len(b))
	want.Len, want.PayloadLen = got.Len, got.PayloadLen
	if why != ethstack.DropNone || got != want || !bytes.HasPrefix(b[got.Len:], payload) {
		t.Errorf("gopacket writes % x, which is read as %+v, %v; want %+v", b, got, why, want)
	}
}
