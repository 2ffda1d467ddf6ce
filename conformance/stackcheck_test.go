package conformance

import (
	"bytes"
	"net/netip"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// capture looks at each frame as it is sent.
func (s *stackSim) capture(c ethtest.Capture) {
	const enough = 100 // bytes, to see what a frame is
	frame := bytes.Clone(c.Frame[:min(len(c.Frame), enough)])
	s.mu.Lock()
	n := s.nics[c.From]
	hw, before, changed := n.hw, n.before, n.changed
	s.mu.Unlock()
	s.journal.Later(c.Time, func() string { return n.name + ": " + names{}.frame(frame) })
	source := ethstack.HardwareAddr(frame[6:12])
	// What was on its way down when the address changed may have the old one.
	if source != hw && !(source == before && c.Time == changed) {
		s.errorf("%s, which is at %v, sends a frame from %v", n.name, hw, source)
	}
	if p, _, ok := arpIn(c.Frame); ok && p.SenderHardwareAddr != source {
		s.errorf("%s says in a frame from %v to be %v", n.name, source, p.SenderHardwareAddr)
	}
}

// checkTables checks that nobody has an address in his table that the neighbor
// never had.
func (s *stackSim) checkTables() {
	s.t.Helper()
	s.rest()
	for _, h := range s.all() {
		for k, ep := range h.links {
			for e := range ep.Interface().Neighbors() {
				if e.State.HasAddr() && !s.wasAt(e.Addr, e.HardwareAddr) {
					s.errorf("%s holds %v to be at %v (%v), where it never was", h.nics[k].name, e.Addr, e.HardwareAddr, e.State)
				}
			}
		}
	}
}

func (s *stackSim) wasAt(a netip.Addr, hw ethstack.HardwareAddr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.been[a][hw]
}

// checkCounters checks that every frame of a host is accounted for.
func (h *stackHost) checkCounters() {
	h.s.t.Helper()
	h.s.rest()
	for k, n := range h.nics {
		st, port := h.links[k].Interface().Stats(), n.Port.Stats()
		strays := h.links[k].Interface().Link().Stats()
		if sum := st.RxDelivered + st.RxARP + st.RxDropped(); st.RxFrames != sum || st.RxFrames+strays.RxFrames != port.Delivered {
			h.s.errorf("%s: %d frames arrived, %d were read, %d are accounted for", n.name, port.Delivered, st.RxFrames+strays.RxFrames, sum)
		}
		if port.Offered != port.Delivered+port.Waiting+port.UnderWay+port.Dropped() {
			h.s.errorf("%s: the port's frames do not add up: %+v", n.name, port)
		}
		// What is cut into segments in software counts as one here, as more there.
		if taken := port.Sent + n.muted.Load(); st.TxFrames > taken || st.TxFrames < taken && n.Info().Offloads == allOffloads {
			h.s.errorf("%s: %d frames were sent, the device took %d", n.name, st.TxFrames, taken)
		}
		if bad := st.Drops[ethstack.DropMalformed] + st.Drops[ethstack.DropBadARP] + st.Drops[ethstack.DropRunt] +
			st.Drops[ethstack.DropIPv4Checksum] + st.Drops[ethstack.DropTransportChecksum]; bad != 0 {
			h.s.errorf("%s: %d frames are held to be damaged: %v", n.name, bad, st.Drops)
		}
	}
}
