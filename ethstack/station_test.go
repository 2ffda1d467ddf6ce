package ethstack_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// patience bounds how long a goroutine is waited for.
const patience = time.Minute

// until waits for what another goroutine does.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

// A station is a stack on a manual clock, alone on its segment, fed by hand:
// what it sends is kept.
type station struct {
	*ethstack.Stack
	i     *ethstack.Interface
	t     *testing.T
	clock *ethtest.ManualClock
	port  *ethtest.Port
	sent  []string // the ARP packets, see describe
	other int      // other frames
}

var (
	ours   = netip.MustParseAddr("10.0.0.1")
	peer   = netip.MustParseAddr("10.0.0.2")
	nobody = netip.MustParseAddr("10.0.0.9")
	hw1    = ethstack.HardwareAddr{2, 0, 0, 0, 0, 1} // of the station
	hw2    = ethstack.HardwareAddr{2, 0, 0, 0, 0, 2} // of the peer
	hwAll  = ethstack.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

func newStation(t *testing.T, o ethstack.Options, lo ethstack.LinkOptions) *station {
	t.Helper()
	s := &station{t: t, clock: new(ethtest.ManualClock)}
	segment, err := ethtest.NewSegment(ethtest.SegmentOptions{Clock: s.clock, Capture: s.capture})
	if err != nil {
		t.Fatal(err)
	}
	if s.port, err = segment.NewPort(ethtest.PortOptions{HardwareAddr: hw1}); err != nil {
		t.Fatal(err)
	}
	lo.Clock = s.clock
	if s.Stack, err = ethstack.ConnectLink(s.port, o, lo); err != nil {
		t.Fatal(err)
	}
	s.i = s.Interface()
	t.Cleanup(func() { s.Disconnect() })
	return s
}

// withAddress adds an address and lets its announcements pass.
func (s *station) withAddress() *station {
	s.t.Helper()
	if err := s.AddIPv4(ours); err != nil {
		s.t.Fatal(err)
	}
	s.clock.Advance(time.Minute)
	s.sent = nil
	return s
}

func (s *station) capture(c ethtest.Capture) {
	h, why := ethstack.ParseHeader(c.Frame, len(c.Frame))
	if why != ethstack.DropNone || h.EtherType != ethstack.EtherTypeARP {
		s.other++
		return
	}
	p, err := arp.ParsePacket(c.Frame[h.Len:])
	if err != nil {
		s.t.Errorf("sent a bad ARP packet: %v", err)
	}
	s.sent = append(s.sent, describe(p))
}

func describe(p arp.Packet) string {
	switch {
	case p.IsAnnouncement():
		return fmt.Sprintf("announce %v at %v", p.SenderAddr, p.SenderHardwareAddr)
	case p.Operation == arp.OperationRequest:
		return fmt.Sprintf("who has %v? tell %v", p.TargetAddr, p.SenderAddr)
	}
	return fmt.Sprintf("%v is at %v", p.SenderAddr, p.SenderHardwareAddr)
}

// take returns the ARP packets that were sent since the last call.
func (s *station) take() []string {
	sent := s.sent
	s.sent = nil
	return sent
}

// hears lets the station receive an ARP packet.
func (s *station) hears(p arp.Packet) {
	to := s.i.HardwareAddr()
	if p.Operation == arp.OperationRequest {
		to = hwAll
	}
	s.Input(arpFrame(to, p), ethstack.Handlers{})
}

func arpFrame(to ethstack.HardwareAddr, p arp.Packet) []byte {
	b := make([]byte, ethstack.HeaderLen+arp.PacketLen)
	ethstack.Header{Destination: to, Source: p.SenderHardwareAddr, EtherType: ethstack.EtherTypeARP}.
		Put((*[ethstack.HeaderLen]byte)(b))
	p.Put((*[arp.PacketLen]byte)(b[ethstack.HeaderLen:]))
	return b
}

// asked is a request of the peer's.
func asked(target netip.Addr) arp.Packet {
	return arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: hw2, SenderAddr: peer, TargetAddr: target}
}

// answers is the peer's reply.
func answers() arp.Packet {
	return arp.Packet{
		Operation: arp.OperationReply, SenderHardwareAddr: hw2, SenderAddr: peer, TargetHardwareAddr: hw1, TargetAddr: ours,
	}
}

// A packet is something that waits, and knows what came of it.
type packet struct {
	resolved func(ethstack.HardwareAddr) // if not nil: called by Resolved
	told     atomic.Int32                // calls of both methods
	to       ethstack.HardwareAddr
	reason   arp.DropReason
}

func (p *packet) Resolved(to ethstack.HardwareAddr) {
	p.to = to
	if p.resolved != nil {
		p.resolved(to)
	}
	p.told.Add(1)
}

func (p *packet) Dropped(reason arp.DropReason) {
	p.reason = reason
	p.told.Add(1)
}

// outcome is what came of it, in words.
func (p *packet) outcome() string {
	switch {
	case p.told.Load() == 0:
		return "waits"
	case p.told.Load() > 1:
		return "told more than once"
	case p.to.IsZero():
		return p.reason.String()
	}
	return "sent"
}

// resolve lets a new packet wait for an address.
func (s *station) resolve(to netip.Addr) (*packet, arp.Result) {
	p := new(packet)
	_, result := s.i.Resolve(to, netip.Addr{}, 100, p)
	return p, result
}

// numbered is a frame with a sender and a number as its payload.
func numbered(to, from ethstack.HardwareAddr, sender, number uint32) []byte {
	b := make([]byte, 60)
	ethstack.Header{Destination: to, Source: from, EtherType: 0x88b5}.Put((*[ethstack.HeaderLen]byte)(b))
	binary.BigEndian.PutUint32(b[ethstack.HeaderLen:], sender)
	binary.BigEndian.PutUint32(b[ethstack.HeaderLen+4:], number)
	return b
}

func plain(frames ...[]byte) (all []ethstack.Frame) {
	for _, b := range frames {
		all = append(all, ethstack.Frame{Bufs: [][]byte{b}})
	}
	return all
}
