package conformance

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// patience bounds how long a goroutine is waited for.
const patience = 10 * time.Second

// A lan is a segment of Ethernet stacks on one manual clock. Nothing moves but
// when time is let pass, and then on the goroutine that does so.
type lan struct {
	t       *testing.T
	clock   ethtest.ManualClock
	segment *ethtest.Segment
	hosts   []*lanHost
	// arp is the ARP packets that were sent, each with its time and sender.
	arp []string
	// watch, if not nil, is shown every frame.
	watch func(ethtest.Capture)
}

// A lanHost is a stack on a lan, and what it has received.
type lanHost struct {
	*ethstack.Stack
	port *ethtest.Port
	hw   ethstack.HardwareAddr
	got  []string
}

func newLAN(t *testing.T) *lan { return newLANOf(t, ethtest.SegmentOptions{}) }

// newLANOf makes one whose segment has other options than none.
func newLANOf(t *testing.T, o ethtest.SegmentOptions) *lan {
	t.Helper()
	l := &lan{t: t}
	o.Clock, o.Capture = &l.clock, l.capture
	var err error
	if l.segment, err = ethtest.NewSegment(o); err != nil {
		t.Fatal(err)
	}
	return l
}

// host adds a host without an address of IP. Its hardware address ends in its
// number, which counts from 1.
func (l *lan) host() *lanHost { return l.hostOf(ethstack.Options{}) }

// hostOf is host with other options than none.
func (l *lan) hostOf(o ethstack.Options) *lanHost {
	l.t.Helper()
	h := &lanHost{hw: ethstack.HardwareAddr{2, 0, 0, 0, 0, byte(len(l.hosts) + 1)}}
	var err error
	if h.port, err = l.segment.NewPort(ethtest.PortOptions{HardwareAddr: h.hw}); err != nil {
		l.t.Fatal(err)
	}
	h.Stack, err = ethstack.ConnectLink(h.port, o, ethstack.LinkOptions{Clock: &l.clock})
	if err != nil {
		l.t.Fatal(err)
	}
	h.port.OnFrame(func(f *ethstack.Frame) { h.Input(f.Bufs[0], h.handlers()) })
	l.t.Cleanup(func() { h.Disconnect() })
	l.hosts = append(l.hosts, h)
	return h
}

// hostAt adds a host with an address, and lets its announcements pass.
func (l *lan) hostAt(addr string) *lanHost {
	l.t.Helper()
	h := l.host()
	if err := h.AddIPv4(netip.MustParseAddr(addr)); err != nil {
		l.t.Fatal(err)
	}
	l.clock.Advance(time.Minute)
	l.arp = nil
	return h
}

func (h *lanHost) handlers() ethstack.Handlers {
	return ethstack.Handlers{
		IPv4:  func(p []byte) { h.got = append(h.got, fmt.Sprintf("IPv4 %x", p)) },
		IPv6:  func(p []byte) { h.got = append(h.got, fmt.Sprintf("IPv6 %x", p)) },
		Other: func(e ethstack.Header, p []byte) { h.got = append(h.got, fmt.Sprintf("%v %x", e.EtherType, p)) },
	}
}

func (l *lan) capture(c ethtest.Capture) {
	if l.watch != nil {
		l.watch(c)
	}
	p, h, ok := arpIn(c.Frame)
	if !ok {
		return
	}
	to := "all"
	if !h.Destination.IsGroup() {
		to = fmt.Sprint(h.Destination[5])
	}
	text := fmt.Sprintf("%v is at %d", p.SenderAddr, p.SenderHardwareAddr[5])
	switch {
	case p.IsAnnouncement():
		text = "announce " + text
	case p.Operation == arp.OperationRequest:
		text = fmt.Sprintf("who has %v? tell %v", p.TargetAddr, p.SenderAddr)
	}
	l.arp = append(l.arp, fmt.Sprintf("%v %d>%s %s", l.clock.Now(), h.Source[5], to, text))
}

// arpIn returns the ARP packet that a frame carries.
func arpIn(frame []byte) (arp.Packet, ethstack.Header, bool) {
	h, why := ethstack.ParseHeader(frame, len(frame))
	if why != ethstack.DropNone || h.EtherType != ethstack.EtherTypeARP {
		return arp.Packet{}, h, false
	}
	p, err := arp.ParsePacket(frame[h.Len:])
	return p, h, err == nil
}

// An answer is the result of a query.
type answer struct {
	hw  net.HardwareAddr
	err error
}

// ask starts a query, and returns when it waits for an answer.
func (l *lan) ask(ctx context.Context, h *lanHost, addr string) <-chan answer {
	l.t.Helper()
	a := netip.MustParseAddr(addr)
	before, _ := h.Interface().Neighbor(a)
	got := make(chan answer, 1)
	go func() {
		hw, err := h.QueryARPv4(ctx, a)
		got <- answer{hw, err}
	}()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Microsecond) {
		if e, _ := h.Interface().Neighbor(a); e.Pending > before.Pending {
			return got
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("the query of %s does not wait", addr)
		}
	}
}

// answered returns what a query got.
func (l *lan) answered(got <-chan answer) answer {
	l.t.Helper()
	select {
	case a := <-got:
		return a
	case <-time.After(patience):
		l.t.Fatal("the query does not end")
		panic("unreachable")
	}
}

// frameTo makes an untagged frame.
func frameTo(to, from ethstack.HardwareAddr, typ ethstack.EtherType, payload ...byte) []byte {
	b := make([]byte, ethstack.HeaderLen, ethstack.HeaderLen+len(payload))
	ethstack.Header{Destination: to, Source: from, EtherType: typ}.Put((*[ethstack.HeaderLen]byte)(b))
	return append(b, payload...)
}
