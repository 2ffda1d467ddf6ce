package ethstack

import (
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
)

// table maps IPv4 addresses to hardware addresses. Readers take no lock,
// write nothing (but for the one that finds a stale entry) and allocate
// nothing; writers are serialised by the resolver's lock.
//
// It is open addressing over pairs of atomic words. Within one array a slot,
// once given to an address, stays with it: removal only clears the value. So
// a reader that has matched the key needs one more load, and the value it
// gets is the address's own, current at that moment. What grows, shrinks, or
// has too many cleared slots moves to a new array, a few slots with each
// write, so that no write takes long. Meanwhile readers look in the new array
// first: whatever is there, cleared values included, is newer.
type table struct {
	state atomic.Pointer[tableState]

	// The writer's own.
	live  int // entries with a value
	used  int // slots in use of the array that is written to
	moved int // slots of cur that were moved to next
}

type tableState struct {
	cur  *tableArray
	next *tableArray // nil unless moving
}

type tableArray struct {
	slots []tableSlot
	shift uint8
	// factor is a random odd number: multiply-shift hashing with a secret
	// factor, so that nobody can choose addresses that collide.
	factor uint64
}

type tableSlot struct {
	key   atomic.Uint64 // slotUsed | address; zero: never used
	value atomic.Uint64 // valueSet | flags | hardware address; zero: no entry
}

const (
	slotUsed   = 1 << 32
	valueSet   = 1 << 48
	valueStale = 1 << 49

	minTableSlots = 64
	// maxShrink is how many times smaller a new array may be at most, and
	// moveStep how many slots each write moves: a move from n slots takes
	// n/moveStep writes, and the new array, a quarter full at its start at
	// most, has room for n/maxShrink/2 of them.
	maxShrink = 8
	moveStep  = 32
)

func newTableArray(slots int) *tableArray {
	return &tableArray{
		slots:  make([]tableSlot, slots),
		shift:  uint8(64 - bits.TrailingZeros(uint(slots))),
		factor: rand.Uint64() | 1,
	}
}

func (t *table) init() {
	t.state.Store(&tableState{cur: newTableArray(minTableSlots)})
}

// find returns the slot of key, or nil. It ends because at least a quarter of
// the slots was never used.
func (a *tableArray) find(key uint32) *tableSlot {
	mask := uint64(len(a.slots) - 1)
	for i := uint64(key) * a.factor >> a.shift; ; i++ {
		s := &a.slots[i&mask]
		switch k := s.key.Load(); k {
		case uint64(key) | slotUsed:
			return s
		case 0:
			return nil
		}
	}
}

// lookup returns the hardware address of key. use is true for exactly one
// caller after an entry was marked stale: that one must tell the resolver.
func (t *table) lookup(key uint32) (hw HardwareAddr, ok, use bool) {
	st := t.state.Load()
	var s *tableSlot
	if st.next != nil {
		s = st.next.find(key)
	}
	if s == nil {
		if s = st.cur.find(key); s == nil {
			return hw, false, false
		}
	}
	v := s.value.Load()
	if v&valueStale != 0 {
		use = s.value.CompareAndSwap(v, v&^valueStale)
	}
	return valueAddr(v), v&valueSet != 0, use
}

func valueAddr(v uint64) HardwareAddr {
	return HardwareAddr{byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}

func addrValue(a HardwareAddr) uint64 {
	return uint64(a[0])<<40 | uint64(a[1])<<32 | uint64(a[2])<<24 | uint64(a[3])<<16 | uint64(a[4])<<8 | uint64(a[5])
}

// set makes hw the address of key; a zero hw removes key. One writer at a time.
func (t *table) set(key uint32, hw HardwareAddr, stale bool) {
	var v uint64
	if !hw.IsZero() {
		v = addrValue(hw) | valueSet
		if stale {
			v |= valueStale
		}
	}
	t.move()
	st := t.state.Load()
	old, known := st.value(key)
	if v == 0 && old == 0 {
		return
	}
	switch {
	case old == 0:
		t.live++
	case v == 0:
		t.live--
	}
	to := st.cur
	if st.next != nil {
		to = st.next
		known = to.find(key) != nil
	}
	if !known {
		t.used++
	}
	to.put(key, v)
	t.resize()
}

// value returns key's value and whether cur or next has a slot for it.
func (st *tableState) value(key uint32) (uint64, bool) {
	if st.next != nil {
		if s := st.next.find(key); s != nil {
			return s.value.Load(), true
		}
	}
	if s := st.cur.find(key); s != nil {
		return s.value.Load(), true
	}
	return 0, false
}

// put stores the value before the key, so that no reader finds a slot whose
// value is not there yet.
func (a *tableArray) put(key uint32, v uint64) {
	mask := uint64(len(a.slots) - 1)
	for i := uint64(key) * a.factor >> a.shift; ; i++ {
		s := &a.slots[i&mask]
		switch s.key.Load() {
		case uint64(key) | slotUsed:
			s.value.Store(v)
			return
		case 0:
			s.value.Store(v)
			s.key.Store(uint64(key) | slotUsed)
			return
		}
	}
}

// resize starts a move where the array is too full or much too large.
func (t *table) resize() {
	st := t.state.Load()
	if st.next != nil {
		return
	}
	n := len(st.cur.slots)
	full := t.used > n/4*3
	sparse := n > minTableSlots && t.live < n/16
	if !full && !sparse {
		return
	}
	want := max(minTableSlots, n/maxShrink)
	for want < t.live*4 {
		want *= 2
	}
	t.used, t.moved = 0, 0
	t.state.Store(&tableState{cur: st.cur, next: newTableArray(want)})
}

// move takes the next few slots from the old array to the new one.
func (t *table) move() {
	st := t.state.Load()
	if st.next == nil {
		return
	}
	end := min(t.moved+moveStep, len(st.cur.slots))
	for ; t.moved < end; t.moved++ {
		s := &st.cur.slots[t.moved]
		k, v := s.key.Load(), s.value.Load()
		if k == 0 || v == 0 {
			continue
		}
		if key := uint32(k); st.next.find(key) == nil {
			t.used++
			st.next.put(key, v)
		}
	}
	if t.moved == len(st.cur.slots) {
		t.state.Store(&tableState{cur: st.next})
	}
}
