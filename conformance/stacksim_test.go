package conformance

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/replay"
)

var (
	stackSeeds = flag.Uint64("stack.seeds", 3, "run the simulation of whole stacks with seeds from 1 to this")
	stackSeed  = flag.Uint64("stack.seed", 0, "run the simulation of whole stacks with this seed only")
)

// TestStackSimulation lets gVisor stacks on our endpoints move data over bad
// segments, with TCP and UDP, IPv4 and IPv6, directly and through a router,
// while hosts change their hardware addresses, with and without saying so,
// crash and come back with another, and links flap.
//
// What they do and what the network does follow from the seed, and the clock is
// a manual one. But netstack's goroutines run as they like, so two runs with one
// seed are not the same to the bit. On a failure run it again with -stack.seed,
// more than once.
func TestStackSimulation(t *testing.T) {
	replay.Simulation{
		File: "testdata/seeds/stacks.txt", Count: *stackSeeds, Only: *stackSeed,
		Run: func(seed uint64, j *replay.Journal) { newStackSim(t, seed, j).run() },
	}.Test(t)
}

const (
	stackSteps = 40
	// healed bounds how long it takes until all data has arrived once nothing
	// changes any more. TCP may have put its next attempt off by two minutes.
	healed = 15 * time.Minute
)

// A stackSim is one run.
type stackSim struct {
	t       *testing.T
	seed    uint64
	journal *replay.Journal
	random  *rand.Rand
	clock   ethtest.ManualClock
	before  activity // what goes on without the simulation
	// segments are the near one and, behind a router, the far one.
	segments [2]*ethtest.Segment
	hosts    []*stackHost // those that talk
	router   *stackHost   // nil: there is no far segment
	streams  []*stackStream
	bursts   []*stackBurst

	mu   sync.Mutex // guards what follows
	nics map[*ethtest.Port]*stackNIC
	// been is where an address has ever been.
	been map[netip.Addr]map[ethstack.HardwareAddr]bool
}

// errorf says what is wrong, from any goroutine.
func (s *stackSim) errorf(format string, args ...any) {
	s.t.Helper()
	text := fmt.Sprintf(format, args...)
	s.journal.Wrong(s.clock.Now(), "%s", text)
	s.t.Errorf("seed %d, %v: %s", s.seed, s.clock.Now(), text)
}

func (s *stackSim) note(format string, args ...any) { s.journal.Note(s.clock.Now(), format, args...) }

func newStackSim(t *testing.T, seed uint64, j *replay.Journal) *stackSim {
	s := &stackSim{
		t: t, seed: seed, journal: j, random: rand.New(rand.NewPCG(seed, 2)), before: newActivity(),
		nics: map[*ethtest.Port]*stackNIC{}, been: map[netip.Addr]map[ethstack.HardwareAddr]bool{},
	}
	for n := range s.segments {
		var err error
		s.segments[n], err = ethtest.NewSegment(ethtest.SegmentOptions{
			Seed: seed + uint64(n)<<32, Clock: &s.clock, Capture: s.capture,
			MinDelay: 100 * time.Microsecond, MaxDelay: 2 * time.Millisecond, Trailing: 10, Switch: s.chance(50),
			Loss: 0.05 * s.random.Float64(), Duplicate: 0.1 * s.random.Float64(), Reorder: 0.1 * s.random.Float64(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	near, routed := 2+s.random.IntN(2), s.chance(60)
	for n := range near {
		s.hosts = append(s.hosts, s.newHost(2+n, 0))
	}
	if routed {
		s.router = s.newHost(1, 0, 1)
		s.hosts = append(s.hosts, s.newHost(2+near, 1))
	}
	return s
}

// chance is true in so many of a hundred cases.
func (s *stackSim) chance(percent int) bool { return s.random.IntN(100) < percent }

func (s *stackSim) run() {
	noLeaks := s.leaks()
	for _, h := range s.all() {
		h.boot()
	}
	for range stackSteps {
		s.step()
		s.pass(time.Duration(s.random.Int64N(int64(time.Second))))
		s.checkTables()
		if s.t.Failed() {
			break
		}
	}
	s.heal()
	for _, h := range s.all() {
		h.checkCounters()
		h.shutdown()
	}
	for _, x := range s.segments {
		if err := x.Close(); err != nil {
			s.errorf("%v", err)
		}
	}
	noLeaks()
}

// all returns all hosts, the router too.
func (s *stackSim) all() []*stackHost {
	if s.router == nil {
		return s.hosts
	}
	return append(s.hosts[:len(s.hosts):len(s.hosts)], s.router)
}

// pass lets time pass.
func (s *stackSim) pass(d time.Duration) {
	s.t.Helper()
	s.advance(d, func() bool { return false })
}

// step does one thing that chance chooses.
func (s *stackSim) step() {
	all := s.all()
	h := all[s.random.IntN(len(all))]
	switch n := s.random.IntN(100); {
	case n < 45:
		s.startStream(s.pair())
	case n < 70:
		s.startBurst(s.pair())
	case n < 78:
		h.renumber(false)
	case n < 84:
		h.renumber(true)
	case n < 89:
		h.reboot()
	default:
		h.flap(time.Duration(s.random.Int64N(int64(4 * time.Second))))
	}
}

// pair returns two hosts and an address of the second.
func (s *stackSim) pair() (from, to *stackHost, at netip.Addr) {
	order := s.random.Perm(len(s.hosts))
	from, to = s.hosts[order[0]], s.hosts[order[1]]
	return from, to, s.addrOf(from, to)
}

// addrOf returns an address of to that from may use.
func (s *stackSim) addrOf(from, to *stackHost) netip.Addr {
	addrs := to.nics[0].addrs
	if raceDetector && from.nics[0].segment != to.nics[0].segment {
		// Netstack reads the TTL of an IPv4 packet that it forwards from memory
		// that it has given back, where another packet may be by then.
		return addrs[1].Addr()
	}
	return addrs[s.random.IntN(len(addrs))].Addr()
}

// heal lets all links come up and waits until all that was begun has come to its
// end. Then everybody must be able to talk to everybody.
func (s *stackSim) heal() {
	s.note("nothing changes any more")
	for _, h := range s.all() {
		for _, n := range h.nics {
			n.quiet.Store(false)
			n.SetLinkState(ethstack.LinkUp)
		}
	}
	if !s.advance(healed, s.idle) {
		s.errorf("%v after nothing changes any more, streams are not at their end: %v", healed, s.open())
	}
	for _, from := range s.hosts {
		for _, to := range s.hosts {
			if from != to && !s.t.Failed() {
				s.mustTalk(from, to)
			}
		}
	}
	for _, x := range s.streams {
		if err := x.fault(); x.over() && err != nil {
			s.errorf("%s has failed: %v", x.name, err)
		}
	}
	s.checkTables()
	for _, x := range s.bursts {
		x.close()
	}
	s.rest()
}

// mustTalk moves data from one host to another. To connect may need more than one
// attempt: each of three requests may be lost.
func (s *stackSim) mustTalk(from, to *stackHost) {
	const attempts = 4
	begin := s.clock.Now()
	var x *stackStream
	for n := 0; n < attempts && (x == nil || x.err != nil); n++ {
		x = s.startStream(from, to, s.addrOf(from, to))
		if !s.advance(healed, x.over) {
			s.errorf("%s is not at its end after %v: %d arrived", x.name, healed, x.Done.Load())
			return
		}
	}
	b := s.startBurst(from, to, s.addrOf(from, to))
	heard := s.advance(healed, func() bool {
		if s.clock.Now()-b.last > time.Second {
			b.send(100)
		}
		return b.heard.Load() > 0
	})
	if x.err != nil || !heard {
		s.errorf("%s cannot talk to %s: %v, echo of a datagram %v, after %v", from.name, to.name, x.err, heard, s.clock.Now()-begin)
	}
}

// leaks returns a function that fails the test if references to packets are held
// that were not before.
func (s *stackSim) leaks() func() {
	before := references()
	return func() {
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			left := newReferences(before)
			if len(left) == 0 {
				return
			}
			if time.Now().After(deadline) {
				s.errorf("%d packet references are left, the first: %s", len(left), left[0])
				return
			}
		}
	}
}
