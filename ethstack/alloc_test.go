package ethstack

import (
	"net/netip"
	"testing"

	"github.com/ethlink/ethlink/arp"
)

// nowhere is a receiver that takes every frame and keeps none.
type nowhere struct{ n int }

func (*nowhere) Prepare(f *Frame) { f.Bufs = append(f.Bufs, make([]byte, MaxSuperFrame)) }
func (*nowhere) Release(*Frame)   {}
func (*nowhere) Flush()           {}

func (r *nowhere) Deliver(*Interface, *Frame, Header) DropReason {
	r.n++
	return DropNone
}

// TestDataPathAllocatesNothing: looking up, sending and receiving, in the cases
// of every day.
func TestDataPathAllocatesNothing(t *testing.T) {
	s, dev := newTestStack(t, Options{})
	s.link.port.Load().dev = discard{dev}
	i := s.Interface()
	request := frameOf(hwBcast, hwB, []byte{8, 6}, arpBytes(arp.Packet{
		Operation: arp.OperationRequest, SenderHardwareAddr: hwB, SenderAddr: ipB, TargetAddr: ipA,
	})...)
	s.Input(request, Handlers{}) // now B is known
	rcv := &nowhere{}
	receive := func(b []byte) func() {
		f := Frame{Bufs: [][]byte{b}}
		var sums batch
		return func() {
			f.Len = len(b)
			s.link.input(rcv, &f, 1500, &sums)
			sums.flush()
		}
	}
	frames := []Frame{{Bufs: [][]byte{make([]byte, 1500)}}, {Bufs: [][]byte{make([]byte, 54), make([]byte, 1000)}}}
	p := Pending(&waiter{})
	for name, f := range map[string]func(){
		"Lookup, known":   func() { i.Lookup(ipB.As4()) },
		"Lookup, unknown": func() { i.Lookup([4]byte{10, 9, 9, 9}) },
		"Resolve, known":  func() { i.Resolve(ipB, ipA, 100, p) },
		"Write": func() {
			if n, err := i.Write(0, frames); n != 2 || err != nil {
				t.Fatal(n, err)
			}
		},
		"receive IPv4":         receive(frameOf(hwA, hwB, []byte{8, 0}, ipv4Packet(ipA)...)),
		"receive IPv6":         receive(frameOf(hwA, hwB, []byte{0x86, 0xdd}, make([]byte, 40)...)),
		"receive a broadcast":  receive(frameOf(hwBcast, hwB, []byte{8, 0}, ipv4Packet(netip.MustParseAddr("10.0.0.255"))...)),
		"drop for another":     receive(frameOf(hwC, hwB, []byte{8, 0}, 1)),
		"drop a runt":          receive([]byte{1, 2, 3}),
		"drop with a VLAN tag": receive(frameOf(hwA, hwB, []byte{0x81, 0, 0, 9, 8, 0}, 1)),
		"drop bad ARP":         receive(frameOf(hwA, hwB, []byte{8, 6}, 1)),
		"answer ARP":           receive(request),
	} {
		f() // pools fill
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
	if rcv.n != 3*1002 {
		t.Errorf("%d frames were delivered, want %d", rcv.n, 3*1002)
	}
}
