package ethstack

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func hwOf(n uint64) HardwareAddr { return valueAddr(n | 2<<40) }

// TestTableAgainstMap compares the table with a map through growth, removal,
// moves of the array and shrinking.
func TestTableAgainstMap(t *testing.T) {
	const seed = 1
	rnd := rand.New(rand.NewPCG(seed, 0))
	var tab table
	tab.init()
	want := map[uint32]HardwareAddr{}
	check := func(key uint32) {
		t.Helper()
		hw, ok, _ := tab.lookup(key)
		w, wok := want[key]
		if ok != wok || hw != w {
			t.Fatalf("seed %d: lookup(%#x) = %v, %v; want %v, %v", seed, key, hw, ok, w, wok)
		}
	}
	for _, phase := range []struct {
		ops, keys int
		remove    float64
	}{
		{20000, 5000, 0.2},   // grow
		{50000, 200000, 0.5}, // many keys, half of them removed
		{50000, 200000, 0.95},
		{20000, 100, 0.5}, // the same few over and over
	} {
		for range phase.ops {
			key := uint32(rnd.IntN(phase.keys))
			if rnd.Float64() < phase.remove {
				tab.set(key, HardwareAddr{}, false)
				delete(want, key)
			} else {
				hw := hwOf(rnd.Uint64N(1 << 40))
				tab.set(key, hw, rnd.IntN(2) == 0)
				want[key] = hw
			}
			check(key)
			check(uint32(rnd.IntN(phase.keys)))
		}
		for key := range uint32(phase.keys) {
			check(key)
		}
	}
	if tab.live != len(want) {
		t.Errorf("live = %d, want %d", tab.live, len(want))
	}
}

func TestTableGivesMemoryBack(t *testing.T) {
	var tab table
	tab.init()
	const n = 100000
	for k := range uint32(n) {
		tab.set(k, hwOf(uint64(k)), false)
	}
	big := len(tab.state.Load().cur.slots)
	for k := range uint32(n) {
		tab.set(k, HardwareAddr{}, false)
	}
	// Removing what is not there is a write, too, and moves the array on.
	for range n {
		tab.set(0, hwOf(1), false)
		tab.set(0, HardwareAddr{}, false)
	}
	if small := len(tab.state.Load().cur.slots); small > 1024 {
		t.Errorf("%d slots at %d entries, still %d when all are gone", big, n, small)
	}
}

// TestTableStaleElectsOne shows that one lookup, and no more, is told that a
// stale entry was used, however many look at once.
func TestTableStaleElectsOne(t *testing.T) {
	var tab table
	tab.init()
	for round := range 200 {
		tab.set(7, hwOf(uint64(round)), true)
		var elected atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 10 {
					hw, ok, use := tab.lookup(7)
					if !ok || hw != hwOf(uint64(round)) {
						t.Errorf("lookup = %v, %v: a stale entry must still be sent by", hw, ok)
					}
					if use {
						elected.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if n := elected.Load(); n != 1 {
			t.Fatalf("round %d: %d lookups were elected, want 1", round, n)
		}
	}
}

// TestTableRace lets readers look up entries while the writer moves, removes
// and re-adds them and the array grows and shrinks. The address that a reader
// gets must have been current at some moment of its call. A neighbor's address
// carries a number that only rises, so the reader's must lie between what was
// written before the call and what had been begun when it ended.
func TestTableRace(t *testing.T) {
	const (
		hot   = 64  // what readers look at
		moves = 400 // how often each of them changes
	)
	var tab table
	tab.init()
	var begun, done [hot]atomic.Uint64 // numbers written, or being written
	for k := range uint32(hot) {
		tab.set(k, hwOf(1), false)
		begun[k].Store(1)
		done[k].Store(1)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for r := range uint64(4) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(r, 0))
			for !stop.Load() {
				k := rnd.Uint32N(hot)
				low := done[k].Load()
				hw, ok, _ := tab.lookup(k)
				high := begun[k].Load()
				n := addrValue(hw) &^ (2 << 40)
				// A removal writes no number: it stands between two of them.
				if ok && (n < low || n > high) {
					t.Errorf("entry %d: got number %d, current were %d to %d", k, n, low, high)
					return
				}
				if !ok && low == high && low%2 == 1 {
					t.Errorf("entry %d: not found, though number %d stood all the time", k, low)
					return
				}
			}
		})
	}
	// Odd numbers are addresses, even ones removals.
	rnd := rand.New(rand.NewPCG(99, 0))
	for n := uint64(2); n < moves; n++ {
		for k := range uint32(hot) {
			begun[k].Store(n)
			if n%2 == 1 {
				tab.set(k, hwOf(n), rnd.IntN(2) == 0)
			} else {
				tab.set(k, HardwareAddr{}, false)
			}
			done[k].Store(n)
			// Others come and go, so that the array is replaced all the time.
			for range 8 {
				other := hot + rnd.Uint32N(20000)
				if n/50%2 == 0 {
					tab.set(other, hwOf(n), false)
				} else {
					tab.set(other, HardwareAddr{}, false)
				}
			}
		}
		if n%16 == 0 {
			runtime.Gosched()
		}
	}
	stop.Store(true)
	wg.Wait()
}

func TestTableLookupAllocatesNothing(t *testing.T) {
	var tab table
	tab.init()
	for k := range uint32(1000) {
		tab.set(k, hwOf(uint64(k)), false)
	}
	if n := testing.AllocsPerRun(1000, func() { tab.lookup(500); tab.lookup(5000) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkTableLookup(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000} {
		var tab table
		tab.init()
		for k := range uint32(n) {
			tab.set(k, hwOf(uint64(k)), false)
		}
		b.Run("hot/"+itoa(n), func(b *testing.B) {
			for b.Loop() {
				tab.lookup(uint32(n / 2))
			}
		})
		b.Run("random/"+itoa(n), func(b *testing.B) {
			k := uint32(1)
			for b.Loop() {
				k = k*1664525 + 1013904223
				tab.lookup(k >> 8 % uint32(n))
			}
		})
		b.Run("hot-parallel/"+itoa(n), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					tab.lookup(uint32(n / 2))
				}
			})
		})
	}
}

func itoa(n int) string {
	switch n {
	case 100:
		return "100"
	case 10_000:
		return "10k"
	}
	return "1M"
}
