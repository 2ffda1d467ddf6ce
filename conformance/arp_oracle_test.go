package conformance

import (
	"bytes"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/arp"
)

// FuzzARPAgainstGVisor compares our codec with gVisor's, which looks at the
// same bytes in its own way: both accept the same packets, read the same fields,
// and write the same bytes.
func FuzzARPAgainstGVisor(f *testing.F) {
	var b [arp.PacketLen]byte
	arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: arp.HardwareAddr{2, 0, 0, 0, 0, 1}}.Put(&b)
	f.Add(b[:])
	f.Add(append(bytes.Clone(b[:]), make([]byte, 18)...))
	for n := range b {
		f.Add(b[:n])
		for _, x := range []byte{0, 3, 255} {
			c := bytes.Clone(b[:])
			c[n] = x
			f.Add(c)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := arp.ParsePacket(b)
		theirs := header.ARP(b)
		if theirs.IsValid() != (err == nil) {
			t.Fatalf("% x: gVisor says %v, we %v, %v", b, theirs.IsValid(), p, err)
		}
		if err != nil {
			return
		}
		if uint16(theirs.Op()) != uint16(p.Operation) ||
			!bytes.Equal(theirs.HardwareAddressSender(), p.SenderHardwareAddr[:]) ||
			!bytes.Equal(theirs.ProtocolAddressSender(), p.SenderAddr.AsSlice()) ||
			!bytes.Equal(theirs.HardwareAddressTarget(), p.TargetHardwareAddr[:]) ||
			!bytes.Equal(theirs.ProtocolAddressTarget(), p.TargetAddr.AsSlice()) {
			t.Errorf("% x is read as %+v", b[:arp.PacketLen], p)
		}
		put := header.ARP(make([]byte, header.ARPSize))
		put.SetIPv4OverEthernet()
		put.SetOp(header.ARPOp(p.Operation))
		copy(put.HardwareAddressSender(), p.SenderHardwareAddr[:])
		copy(put.ProtocolAddressSender(), p.SenderAddr.AsSlice())
		copy(put.HardwareAddressTarget(), p.TargetHardwareAddr[:])
		copy(put.ProtocolAddressTarget(), p.TargetAddr.AsSlice())
		var ours [arp.PacketLen]byte
		p.Put(&ours)
		if !bytes.Equal(put, ours[:]) {
			t.Errorf("we put % x, gVisor % x", ours, []byte(put))
		}
	})
}
