package conformance

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// capture looks at each frame as it is sent.
func (s *simulation) capture(c ethtest.Capture) {
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(c.Time))
	s.digest.Write(at[:])
	s.digest.Write(c.Frame)
	frame := bytes.Clone(c.Frame)
	s.journal.Later(c.Time, func() string { return names{}.frame(frame) })
	var h *simHost
	for _, x := range s.hosts {
		if x.port == c.From {
			h = x
		}
	}
	if p, e, ok := arpIn(c.Frame); ok {
		s.checkARP(h, p, e, c.Time)
		return
	}
	// What is sent later leaves later, whatever waited in between.
	to := netip.AddrFrom4([4]byte(c.Frame[toAt:]))
	n := binary.BigEndian.Uint32(c.Frame[numAt:])
	if n <= h.onWire[to] {
		s.errorf("packet %d for %v is sent after packet %d", n, to, h.onWire[to])
	}
	h.onWire[to] = n
}

func (s *simulation) checkARP(h *simHost, p arp.Packet, e ethstack.Header, now time.Duration) {
	if p.SenderHardwareAddr != e.Source {
		s.errorf("%v says in a frame from %v to be %v", h.port.Info().Name, e.Source, p.SenderHardwareAddr)
	}
	// Only who has an address answers for it, announces it, or asks from it.
	// (The sender of an answer is the target of the request.)
	if o := s.owner[p.SenderAddr]; o != h {
		s.errorf("%v sends an ARP %v for %v, which it does not have", h.port.Info().Name, p.Operation, p.SenderAddr)
	}
	if p.Operation != arp.OperationRequest || p.IsAnnouncement() || !e.Destination.IsBroadcast() {
		return
	}
	// RFC 1122 §2.3.2.1: at most once a second.
	key := [2]string{h.port.Info().Name, p.TargetAddr.String()}
	if last, ok := s.asked[key]; ok && now-last < time.Second {
		s.errorf("%s asks for %s again after %v", key[0], key[1], now-last)
	}
	s.asked[key] = now
}

// settle lets all links come up and all that is under way come to its end, and
// looks if anything is left.
func (s *simulation) settle(segment *ethtest.Segment) {
	for _, h := range s.hosts {
		h.port.SetLinkState(ethstack.LinkUp)
	}
	if !s.clock.Run(time.Hour) {
		s.errorf("after an hour in which nobody sends, timers are set")
	}
	for _, h := range s.hosts {
		s.checkHost(h)
	}
	if s.delivered == 0 {
		s.errorf("no packet was delivered at all")
	}
	for _, h := range s.hosts {
		h.Disconnect()
		if h.open != 0 {
			s.errorf("%s: %d packets wait after Disconnect", h.port.Info().Name, h.open)
		}
	}
	if _, ok := s.clock.Next(); ok {
		s.errorf("a timer is set after Disconnect")
	}
	if err := segment.Close(); err != nil {
		s.errorf("%v", err)
	}
}

// checkHost looks if all that a host was given is accounted for.
func (s *simulation) checkHost(h *simHost) {
	name, st, port := h.port.Info().Name, h.Interface().Stats(), h.port.Stats()
	if h.open != 0 {
		s.errorf("%s: %d packets still wait", name, h.open)
	}
	for e := range h.Interface().Neighbors() {
		s.errorf("%s: neighbor %v is left, %v", name, e.Addr, e.State)
	}
	if sum := st.RxDelivered + st.RxARP + st.RxDropped(); st.RxFrames != sum || st.RxFrames != port.Delivered {
		s.errorf("%s: %d frames arrived, %d were read, %d are accounted for", name, port.Delivered, st.RxFrames, sum)
	}
	if port.Offered != port.Delivered+port.Dropped() {
		s.errorf("%s: the port's frames do not add up: %+v", name, port)
	}
	if st.TxFrames != port.Sent {
		s.errorf("%s: %d frames were sent, the device took %d", name, st.TxFrames, port.Sent)
	}
	if st.Drops[ethstack.DropMalformed]+st.Drops[ethstack.DropBadARP]+st.Drops[ethstack.DropRunt] != 0 {
		s.errorf("%s: frames of ours are held to be malformed: %v", name, st.Drops)
	}
}
