package conformance

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// A scene is a typical exchange, whose transcript is a file of
// testdata/transcripts: who sends what when, and what becomes of the neighbors.
type scene struct {
	file string
	// says is what is to be seen, for the head of the file.
	says string
	play func(*stage)
}

// TestTranscripts plays each scene on a segment on which a frame takes a
// millisecond, and compares what happened with the transcript. With -update the
// transcripts are rewritten: read the difference.
func TestTranscripts(t *testing.T) {
	for _, x := range append(neighborScenes, addressScenes...) {
		t.Run(x.file, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				x.play(s)
				Golden(t, "transcripts/"+x.file+".txt", s.text(x.says))
			})
		})
	}
}

// A stage is a lan whose events are written down. Hosts are called A, B, C in
// the order in which they come; their hardware addresses end in 1, 2, 3.
type stage struct {
	*lan
	names names
	who   []string
	begin time.Duration // when the last host was there
	lines strings.Builder
}

func newStage(t *testing.T) *stage {
	s := &stage{lan: newLANOf(t, ethtest.SegmentOptions{MinDelay: time.Millisecond}), names: names{}}
	s.watch = func(c ethtest.Capture) { s.write("%s", s.names.frame(c.Frame)) }
	return s
}

// text returns the transcript.
func (s *stage) text(says string) string {
	return fmt.Sprintf("%s\n\n%s\n\n%s", says, strings.Join(s.who, "\n"), s.lines.String())
}

// write adds a line, with its time in seconds.
func (s *stage) write(format string, args ...any) {
	fmt.Fprintf(&s.lines, "%9.3f  %s\n", (s.clock.Now() - s.begin).Seconds(), fmt.Sprintf(format, args...))
}

// enter adds a host with an address, or none if addr is empty.
func (s *stage) enter(addr string, o ethstack.Options) *lanHost {
	s.t.Helper()
	name := string(rune('A' + len(s.hosts)))
	o.OnEvent = func(e arp.Event) { s.write("  %s: %s", name, s.event(e)) }
	h := s.hostOf(o)
	s.names[h.hw] = name
	s.who = append(s.who, strings.TrimRight(fmt.Sprintf("%s is %v %s", name, h.hw, addr), " "))
	if addr != "" {
		// The announcements are another scene's.
		watch := s.watch
		s.watch = nil
		if err := h.AddIPv4(netip.MustParseAddr(addr)); err != nil {
			s.t.Fatal(err)
		}
		s.clock.Advance(10 * time.Second)
		s.watch = watch
	}
	if s.lines.Len() == 0 {
		s.begin = s.clock.Now()
	}
	return h
}

// event puts an event in words.
func (s *stage) event(e arp.Event) string {
	switch at := s.names.of(e.HardwareAddr); e.Kind {
	case arp.EventRemoved:
		return fmt.Sprintf("%v removed", e.Addr)
	case arp.EventMoved:
		return fmt.Sprintf("%v moved from %s to %s, %v", e.Addr, s.names.of(e.Old), at, e.State)
	case arp.EventRejected:
		return fmt.Sprintf("%v is at %s still; that it is at %s is rejected", e.Addr, s.names.of(e.Old), at)
	case arp.EventConflict:
		return fmt.Sprintf("conflict: %s uses %v", at, e.Addr)
	case arp.EventClaimed, arp.EventFree, arp.EventLost:
		return fmt.Sprintf("%v %v", e.Addr, e.Kind)
	default:
		if !e.State.HasAddr() {
			return fmt.Sprintf("%v %v", e.Addr, e.State)
		}
		return fmt.Sprintf("%v %v at %s", e.Addr, e.State, at)
	}
}

// says writes what a host is made to do.
func (s *stage) says(h *lanHost, format string, args ...any) {
	s.write("%s %s", s.names.of(h.hw), fmt.Sprintf(format, args...))
}

// send has a host send packets, numbered from first on.
func (s *stage) send(h *lanHost, to string, first, last int) {
	for n := first; n <= last; n++ {
		p := &scenePacket{s: s, h: h, to: netip.MustParseAddr(to), number: n}
		hw, ok := h.Interface().Lookup(p.to.As4())
		if ok {
			p.write(hw)
			continue
		}
		var result arp.Result
		if hw, result = h.Interface().Resolve(p.to, netip.Addr{}, header.IPv4MinimumSize, p); result == arp.Resolved {
			p.write(hw)
		} else {
			s.says(h, "has packet %d for %s: %v", n, to, result)
		}
	}
}

// A scenePacket is an IPv4 packet without a payload, whose identification is its
// number.
type scenePacket struct {
	s      *stage
	h      *lanHost
	to     netip.Addr
	number int
}

func (p *scenePacket) Dropped(why arp.DropReason) {
	p.s.write("  %s: packet %d for %v dropped, %v", p.s.names.of(p.h.hw), p.number, p.to, why)
}

func (p *scenePacket) Resolved(hw ethstack.HardwareAddr) { p.write(hw) }

func (p *scenePacket) write(hw ethstack.HardwareAddr) {
	b := make([]byte, header.IPv4MinimumSize)
	header.IPv4(b).Encode(&header.IPv4Fields{
		TotalLength: uint16(len(b)), ID: uint16(p.number), TTL: 64, Protocol: 253, // RFC 3692: for experiments
		SrcAddr: tcpip.AddrFrom4(p.h.IPv4s()[0].As4()), DstAddr: tcpip.AddrFrom4(p.to.As4()),
	})
	if err := p.h.Write(frameTo(hw, p.h.hw, ethstack.EtherTypeIPv4, b...)); err != nil {
		p.s.t.Error(err)
	}
}

// forge sends an ARP packet of a host's making, to everybody or to one.
func (s *stage) forge(h *lanHost, to ethstack.HardwareAddr, p arp.Packet) {
	var b [arp.PacketLen]byte
	p.Put(&b)
	if err := h.Write(frameTo(to, h.hw, ethstack.EtherTypeARP, b[:]...)); err != nil {
		s.t.Error(err)
	}
}

// announcement says that an address is at a host.
func announcement(addr string, h *lanHost) arp.Packet {
	a := netip.MustParseAddr(addr)
	return arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: h.hw, SenderAddr: a, TargetAddr: a}
}

// pass lets time pass, and all goroutines do what they have to.
func (s *stage) pass(d time.Duration) {
	synctest.Wait()
	s.clock.Advance(d)
	synctest.Wait()
}

// claim has a host claim an address. The result is written down by the function
// that it returns.
func (s *stage) claim(h *lanHost, addr string) (result func()) {
	s.says(h, "claims %s", addr)
	done := make(chan error, 1)
	go func() { done <- h.ClaimIPv4(s.t.Context(), netip.MustParseAddr(addr), arp.ClaimOptions{}) }()
	synctest.Wait()
	return func() {
		s.t.Helper()
		select {
		case err := <-done:
			if err == nil {
				s.says(h, "is told that %s is its own", addr)
			} else {
				s.says(h, "is told: %v", err)
			}
		default:
			s.t.Errorf("the claim of %s is not over", addr)
		}
	}
}
