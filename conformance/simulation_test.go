package conformance

import (
	"encoding/binary"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/replay"
)

var (
	simSeeds = flag.Uint64("sim.seeds", 40, "run the simulation with seeds from 1 to this")
	simSeed  = flag.Uint64("sim.seed", 0, "run the simulation with this seed only")
)

// TestSimulation lets hosts send packets to each other over a bad segment while
// addresses move, hosts change their hardware address, links flap and caches are
// flushed, all on one goroutine. What must hold is checked with each frame, and
// at the end. Each seed runs twice, and must send the same frames at the same
// times. On a failure run it again with -sim.seed.
func TestSimulation(t *testing.T) {
	replay.Simulation{
		File: "testdata/seeds/simulation.txt", Count: *simSeeds, Only: *simSeed,
		Run: func(seed uint64, j *replay.Journal) {
			one := simulate(t, seed, j)
			if t.Failed() {
				return // what happened happens again
			}
			j.Note(0, "the second run")
			if two := simulate(t, seed, j); one != two {
				j.Wrong(0, "two runs differ: %x, %x", one, two)
				t.Errorf("seed %d: two runs differ: %x, %x", seed, one, two)
			}
		},
	}.Test(t)
}

const (
	simHosts = 6
	simAddrs = 10 // there are more addresses than hosts: some are nobody's
	simSteps = 400
)

// A simulation is one run.
type simulation struct {
	t       *testing.T
	seed    uint64
	journal *replay.Journal
	random  *rand.Rand
	clock   ethtest.ManualClock
	digest  interface {
		Write([]byte) (int, error)
		Sum64() uint64
	}
	hosts []*simHost
	// owner is who has an address now, been all who ever had it.
	owner map[netip.Addr]*simHost
	been  map[netip.Addr]map[ethstack.HardwareAddr]bool
	// asked is when a request was last broadcast.
	asked     map[[2]string]time.Duration
	delivered int
}

type simHost struct {
	*ethstack.Stack
	port   *ethtest.Port
	sent   map[netip.Addr]uint32 // the number of the last packet, by next hop
	onWire map[netip.Addr]uint32 // the number of the last that was sent on
	open   int                   // packets that wait
}

func (s *simulation) errorf(format string, args ...any) {
	s.t.Helper()
	text := fmt.Sprintf(format, args...)
	s.journal.Wrong(s.clock.Now(), "%s", text)
	s.t.Errorf("seed %d, %v: %s", s.seed, s.clock.Now(), text)
}

// note writes down what a host does.
func (s *simulation) note(h *simHost, format string, args ...any) {
	s.journal.Note(s.clock.Now(), "%s: %s", h.port.Info().Name, fmt.Sprintf(format, args...))
}

func simulate(t *testing.T, seed uint64, j *replay.Journal) uint64 {
	t.Helper()
	s := &simulation{
		t: t, seed: seed, journal: j, random: rand.New(rand.NewPCG(seed, 0)), digest: fnv.New64a(),
		owner: map[netip.Addr]*simHost{}, been: map[netip.Addr]map[ethstack.HardwareAddr]bool{},
		asked: map[[2]string]time.Duration{},
	}
	segment, err := ethtest.NewSegment(ethtest.SegmentOptions{
		Seed: seed, Clock: &s.clock, Capture: s.capture, MaxDelay: 3 * time.Millisecond, Trailing: 20,
		Loss: 0.3 * s.random.Float64(), Duplicate: 0.3 * s.random.Float64(), Reorder: 0.3 * s.random.Float64(),
		Switch: s.random.IntN(2) == 0,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range simHosts {
		s.addHost(segment)
	}
	for range simSteps {
		s.step()
		s.clock.Advance(time.Duration(s.random.Int64N(int64(200 * time.Millisecond))))
	}
	s.settle(segment)
	return s.digest.Sum64()
}

func (s *simulation) addHost(segment *ethtest.Segment) {
	h := &simHost{sent: map[netip.Addr]uint32{}, onWire: map[netip.Addr]uint32{}}
	port, err := segment.NewPort(ethtest.PortOptions{HardwareAddr: s.newHardwareAddr()})
	if err != nil {
		s.t.Fatal(err)
	}
	h.port = port
	o := ethstack.Options{ARP: arp.Config{Seed: s.seed, MaxEntries: 4, MaxPendingPackets: 4}}
	if h.Stack, err = ethstack.ConnectLink(port, o, ethstack.LinkOptions{Clock: &s.clock}); err != nil {
		s.t.Fatal(err)
	}
	port.OnFrame(func(f *ethstack.Frame) {
		h.Input(f.Bufs[0], ethstack.Handlers{Other: func(ethstack.Header, []byte) { s.delivered++ }})
	})
	s.hosts = append(s.hosts, h)
	s.move(h, simAddr(len(s.hosts)))
}

func simAddr(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }

func (s *simulation) newHardwareAddr() ethstack.HardwareAddr {
	return ethstack.HardwareAddr{2, 0, byte(s.random.Uint32()), byte(s.random.Uint32()), byte(s.random.Uint32()), byte(len(s.hosts))}
}

// move gives an address to h, and takes it from who had it.
func (s *simulation) move(h *simHost, addr netip.Addr) {
	s.note(h, "gets %v", addr)
	if was := s.owner[addr]; was != nil {
		if err := was.RemoveIPv4(addr); err != nil {
			s.errorf("%v", err)
		}
	}
	if err := h.AddIPv4(addr); err != nil {
		s.errorf("%v", err)
	}
	s.owner[addr] = h
	s.is(addr, h)
}

func (s *simulation) is(addr netip.Addr, h *simHost) {
	if s.been[addr] == nil {
		s.been[addr] = map[ethstack.HardwareAddr]bool{}
	}
	s.been[addr][h.Interface().HardwareAddr()] = true
}

// step does one thing that chance chooses.
func (s *simulation) step() {
	h := s.hosts[s.random.IntN(len(s.hosts))]
	addr := simAddr(1 + s.random.IntN(simAddrs))
	switch n := s.random.IntN(100); {
	case n < 80:
		for range 1 + s.random.IntN(6) {
			s.send(h, addr)
		}
	case n < 84:
		s.move(h, addr)
	case n < 86:
		s.renumber(h)
	case n < 90:
		s.note(h, "link down")
		h.port.SetLinkState(ethstack.LinkDown)
	case n < 95:
		s.note(h, "link up")
		h.port.SetLinkState(ethstack.LinkUp)
	case n < 97:
		s.note(h, "forgets its neighbors")
		h.Interface().FlushNeighbors()
	case n < 99:
		s.note(h, "forgets %v", addr)
		h.Interface().RemoveNeighbor(addr)
	default:
		s.note(h, "has no room for the next 3 frames")
		h.port.FailWrite(ethstack.ErrNoBufferSpace, 3)
	}
}

// renumber gives a host another hardware address.
func (s *simulation) renumber(h *simHost) {
	if err := h.Interface().SetHardwareAddr(s.newHardwareAddr()); err != nil {
		s.errorf("%v", err)
	}
	s.note(h, "has the hardware address %v", h.Interface().HardwareAddr())
	for a, o := range s.owner {
		if o == h {
			s.is(a, h)
		}
	}
}

// send sends one numbered packet as an endpoint does.
func (s *simulation) send(h *simHost, addr netip.Addr) {
	h.sent[addr]++
	p := &simPacket{s: s, h: h, to: addr, number: h.sent[addr]}
	s.note(h, "packet %d for %v", p.number, addr)
	hw, ok := h.Interface().Lookup(addr.As4())
	if !ok {
		h.open++
		var result arp.Result
		if hw, result = h.Interface().Resolve(addr, netip.Addr{}, 60, p); result != arp.Resolved {
			return
		}
		p.over()
	}
	p.write(hw)
}

// A simPacket is one packet that may have to wait.
type simPacket struct {
	s      *simulation
	h      *simHost
	to     netip.Addr
	number uint32
	ended  bool
}

func (p *simPacket) over() {
	if p.ended {
		p.s.errorf("packet %d for %v: told a second time", p.number, p.to)
	}
	p.ended = true
	p.h.open--
}

func (p *simPacket) Dropped(why arp.DropReason) {
	p.s.note(p.h, "packet %d for %v dropped: %v", p.number, p.to, why)
	p.over()
}

func (p *simPacket) Resolved(hw ethstack.HardwareAddr) {
	p.over()
	p.write(hw)
}

const (
	simType = 0x88b5 // IEEE 802, for local experiments
	toAt    = ethstack.HeaderLen
	numAt   = toAt + 4
)

func (p *simPacket) write(hw ethstack.HardwareAddr) {
	if !p.s.been[p.to][hw] {
		p.s.errorf("packet for %v goes to %v, which never was its address", p.to, hw)
	}
	b := make([]byte, 60)
	copy(b, frameTo(hw, p.h.Interface().HardwareAddr(), simType))
	copy(b[toAt:], p.to.AsSlice())
	binary.BigEndian.PutUint32(b[numAt:], p.number)
	// A device that is full is part of the game.
	_, _ = p.h.Interface().Write(0, []ethstack.Frame{{Bufs: [][]byte{b}}})
}
