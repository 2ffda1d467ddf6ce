package arp

import (
	"container/heap"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ethlink/ethlink/internal/replay"
)

var networkSeeds = flag.Uint64("network.seeds", 60, "run the simulated network with seeds from 1 to this, of each kind")

// A network is 2 to 8 handlers on one link, with events in the order of their
// time, all of them following from the seed.
type network struct {
	t       *testing.T
	seed    uint64
	journal *replay.Journal
	kind    kind
	random  *rand.Rand
	now     time.Duration
	seq     int
	queue   netQueue
	hosts   []*netHost
	// owners is who has had an address: hardware addresses that a packet for it
	// may go to. A liar's is in none.
	owners map[netip.Addr]map[HardwareAddr]bool
	asked  map[string]time.Duration
	over   bool // nothing more is begun, nothing is lost
}

// liar is nobody's address but the liar's.
var liar = hwOf(666)

// kind is what is wrong with a network.
type kind struct {
	name  string
	loss  float64
	flaps bool // links go down and up, hardware addresses change
	liars bool
}

type netHost struct {
	n     int
	h     *Handler[int]
	hw    HardwareAddr
	up    bool
	table map[netip.Addr]HardwareAddr
	since map[netip.Addr]time.Duration // it has had its addresses
	wake  int                          // of the tick that is due; older ones are not
	a     Actions[int]
}

type netEvent struct {
	at  time.Duration
	seq int
	f   func()
}

func (w *network) errorf(format string, args ...any) {
	w.t.Helper()
	text := fmt.Sprintf(format, args...)
	w.journal.Wrong(w.now, "%s", text)
	w.t.Errorf("%s, seed %d, %v: %s", w.kind.name, w.seed, w.now, text)
}

func (w *network) after(d time.Duration, f func()) {
	w.seq++
	heap.Push(&w.queue, netEvent{w.now + d, w.seq, f})
}

// TestNetwork: 2 to 8 hosts claim addresses from a pool that is too small for
// them, announce, ask for each other, give up and begin again, while packets are
// lost, come twice, and overtake each other, links go down, hardware addresses
// change, and a liar says whatever he likes.
//
// On a network that loses nothing two hosts never have the same address. On any
// other they do not keep it: when all is calm, one has given up. Nobody sends to a
// liar, and in the end everything is quiet. R5, R26, R39, R41, R44, R55.
func TestNetwork(t *testing.T) {
	for _, k := range []kind{
		{name: "calm"},
		{name: "lossy", loss: 0.3},
		{name: "flapping", flaps: true},
		{name: "lied to", liars: true},
		{name: "all at once", loss: 0.2, flaps: true, liars: true},
	} {
		t.Run(k.name, func(t *testing.T) {
			owned := 0
			replay.Simulation{
				File: "testdata/seeds/" + strings.ReplaceAll(k.name, " ", "-") + ".txt", Count: *networkSeeds,
				Run: func(seed uint64, j *replay.Journal) { owned += newNetwork(t, k, seed, j).run() },
			}.Test(t)
			if owned == 0 {
				t.Error("nobody ever had an address")
			}
		})
	}
}

func newNetwork(t *testing.T, k kind, seed uint64, j *replay.Journal) *network {
	w := &network{
		t: t, seed: seed, journal: j, kind: k, random: rand.New(rand.NewPCG(seed, 1)),
		owners: map[netip.Addr]map[HardwareAddr]bool{}, asked: map[string]time.Duration{},
	}
	for n := range 2 + w.random.IntN(7) {
		c := Config{HardwareAddr: hwOf(10 + n), Seed: seed*100 + uint64(n), Defense: DefenseOnce}
		if w.random.IntN(2) == 0 {
			c.Claim = FastClaim
		}
		h, err := New[int](c)
		if err != nil {
			t.Fatal(err)
		}
		w.hosts = append(w.hosts, &netHost{n: n, h: h, hw: c.HardwareAddr, up: true, table: map[netip.Addr]HardwareAddr{}, since: map[netip.Addr]time.Duration{}})
	}
	return w
}

// run runs for two minutes, lets all come to rest, and returns how many
// addresses are somebody's at the end.
func (w *network) run() int {
	for _, h := range w.hosts {
		w.after(0, func() { w.act(h) })
	}
	w.until(2 * time.Minute)
	w.over = true
	for _, h := range w.hosts {
		w.do(h, func() { w.link(h, true) })
	}
	// Whoever has an address says so, for as long as it takes to be noticed.
	for range 20 {
		for _, h := range w.hosts {
			for _, a := range append([]netip.Addr(nil), h.h.Addresses()...) {
				w.do(h, func() { h.h.Announce(w.now, a, &h.a) })
			}
		}
		w.until(w.now + 3*time.Second)
	}
	w.exclusive()
	w.until(w.now + time.Hour)
	if len(w.queue) > 0 {
		w.errorf("an hour later %d things are due", len(w.queue))
	}
	owned := 0
	for _, h := range w.hosts {
		owned += len(h.h.Addresses())
		if n := len(h.h.entries); n > 0 {
			w.errorf("host %d has %d neighbors", h.n, n)
		}
	}
	return owned
}

func (w *network) until(end time.Duration) {
	for len(w.queue) > 0 && w.queue[0].at <= end && !w.t.Failed() {
		e := heap.Pop(&w.queue).(netEvent)
		w.now = e.at
		e.f()
	}
	w.now = end
}

// exclusive fails if two hosts have the same address.
func (w *network) exclusive() {
	has := map[netip.Addr]*netHost{}
	for _, h := range w.hosts {
		for _, a := range h.h.Addresses() {
			if o := has[a]; o != nil {
				w.errorf("hosts %d and %d both have %v", o.n, h.n, a)
			}
			has[a] = h
		}
	}
}

// couldAsk reports whether a host has had an address for as long as a window is
// open. Who has none cannot ask.
func (w *network) couldAsk(h *netHost) bool {
	for _, at := range h.since {
		if w.now-at > 100*time.Millisecond {
			return true
		}
	}
	return false
}

// act does something that chance chooses, and again soon.
func (w *network) act(h *netHost) {
	if w.over {
		return
	}
	addr := ip(byte(1 + w.random.IntN(len(w.hosts))))
	w.do(h, func() {
		switch n := w.random.IntN(20); {
		case n < 6:
			if len(h.h.own.all) == 0 {
				if err := h.h.Claim(w.now, addr, ClaimOptions{CheckOnly: w.random.IntN(8) == 0}, &h.a); err != nil {
					w.errorf("%v", err)
				}
			}
		case n < 7:
			for a := range h.h.own.all {
				h.h.RemoveAddress(a)
			}
		case n < 16:
			if own := h.h.Addresses(); len(own) > 0 && !h.h.HasAddress(addr) {
				h.h.Query(w.now, addr, own[0], 100, 1, &h.a)
			}
		case n < 17 && w.kind.flaps:
			w.link(h, !h.up)
		case n < 18 && w.kind.flaps:
			h.hw = hwOf(1000 + w.random.IntN(1<<20))
			w.journal.Note(w.now, "host %d is at %v from now on", h.n, h.hw)
			h.h.SetHardwareAddr(w.now, h.hw, &h.a)
		case n < 20 && w.kind.liars:
			w.lie(addr)
		}
	})
	w.after(time.Duration(w.random.Int64N(int64(2*time.Second))), func() { w.act(h) })
}

func (w *network) link(h *netHost, up bool) {
	if h.up == up {
		return
	}
	w.journal.Note(w.now, "host %d: link up %v", h.n, up)
	if h.up = up; up {
		h.h.LinkUp(w.now, &h.a)
	} else {
		h.h.LinkDown(w.now, &h.a)
	}
}

// lie sends a packet that says that a neighbor is at the liar's hardware address.
func (w *network) lie(addr netip.Addr) {
	p := Packet{Operation: Operation(1 + w.random.IntN(2)), SenderHardwareAddr: liar, SenderAddr: addr, TargetAddr: addr}
	if w.random.IntN(2) == 0 {
		p.TargetAddr = ip(byte(1 + w.random.IntN(len(w.hosts))))
	}
	w.transmit(nil, Send{To: Broadcast, Packet: p})
}

// netQueue is a heap by time and sequence.
type netQueue []netEvent

func (q netQueue) Len() int { return len(q) }
func (q netQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q netQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *netQueue) Push(x any)   { *q = append(*q, x.(netEvent)) }
func (q *netQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	*q = (*q)[:last]
	return e
}
