package gopacket

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/ethlink/ethlink/arp"
)

// FuzzARP compares what both read in an ARP packet, and has each write what the
// other reads.
func FuzzARP(f *testing.F) {
	var b [arp.PacketLen]byte
	arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: arp.HardwareAddr{2, 0, 0, 0, 0, 1}}.Put(&b)
	f.Add(append(b[:], 0xee))
	for _, at := range []int{0, 3, 4, 5, 7} {
		c := bytes.Clone(b[:])
		c[at]++
		f.Add(append(c, make([]byte, 4)...)) // room for longer addresses
		f.Add(b[:at])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := arp.ParsePacket(b)
		var theirs layers.ARP
		theirErr := theirs.DecodeFromBytes(b, gopacket.NilDecodeFeedback)
		// Deviation: gopacket reads addresses of any kind and length, and packets
		// of any operation as we do.
		ours := theirErr == nil && theirs.AddrType == layers.LinkTypeEthernet && theirs.Protocol == layers.EthernetTypeIPv4 &&
			theirs.HwAddressSize == 6 && theirs.ProtAddressSize == 4
		if ours != (err == nil) {
			t.Fatalf("% x: %v; gopacket reads %+v, %v", b, err, theirs, theirErr)
		}
		if err != nil {
			return
		}
		if theirs.Operation != uint16(p.Operation) ||
			!bytes.Equal(theirs.SourceHwAddress, p.SenderHardwareAddr[:]) || !bytes.Equal(theirs.SourceProtAddress, p.SenderAddr.AsSlice()) ||
			!bytes.Equal(theirs.DstHwAddress, p.TargetHardwareAddr[:]) || !bytes.Equal(theirs.DstProtAddress, p.TargetAddr.AsSlice()) {
			t.Errorf("% x is read as %+v, by gopacket as %+v", b, p, theirs)
		}
		var put [arp.PacketLen]byte
		p.Put(&put)
		buf := gopacket.NewSerializeBuffer()
		if err := theirs.SerializeTo(buf, gopacket.SerializeOptions{FixLengths: true}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(put[:], buf.Bytes()) {
			t.Errorf("we put % x, gopacket % x", put, buf.Bytes())
		}
	})
}

// ethernetSeeds are the kinds of headers that there are: RFC 894, tags, RFC 1042,
// and what is dropped.
func ethernetSeeds() (all [][]byte) {
	for _, typ := range [][]byte{
		{0x08, 0x00}, {0x08, 0x06}, {0x06, 0x00}, {0x05, 0xff}, {0x88, 0x08},
		{0x81, 0x00, 0xe0, 0x00, 0x08, 0x00}, {0x81, 0x00, 0x0f, 0xff, 0x08, 0x00}, {0x88, 0xa8, 0x00, 0x00, 0x08, 0x00},
		{0x88, 0xa8, 0x00, 0x07, 0x81, 0x00, 0x00, 0x05, 0x08, 0x06}, {0x81, 0x00, 0x00, 0x05, 0x81, 0x00, 0x00, 0x06, 0x81, 0x00},
		{0x00, 0x0a, 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x08, 0x00}, {0x00, 0x03, 0x42, 0x42, 0x03},
		{0x81, 0x00, 0x00, 0x05, 0x00, 0x0a, 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x86, 0xdd},
	} {
		b := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, typ...)
		all = append(all, append(b, 0x45, 0x00, 0xee))
	}
	return all
}
