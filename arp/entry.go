package arp

import (
	"fmt"
	"math"
	"net/netip"
	"time"
)

// State is the state of an [Entry]; the package's documentation has the
// diagram.
type State uint8

const (
	// Incomplete: requests are broadcast, packets wait.
	Incomplete State = iota
	// Reachable: the neighbor answered not long ago.
	Reachable
	// Stale: the address may be out of date, and nobody has used it since.
	Stale
	// Delay: a stale entry was used; it is probed soon.
	Delay
	// Probe: unicast requests are sent to see if the address still holds.
	Probe
	// Failed: nobody answered; packets are refused.
	Failed
	// Static: set by the user, never changed by what comes in.
	Static
	// NumStates is how many states there are.
	NumStates
)

var stateNames = [NumStates]string{"incomplete", "reachable", "stale", "delay", "probe", "failed", "static"}

func (s State) String() string {
	if s < NumStates {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// HasAddr reports whether an entry in this state has a hardware address.
func (s State) HasAddr() bool { return s != Incomplete && s != Failed }

// Entry is one neighbor, as it is at one moment.
type Entry struct {
	Addr netip.Addr
	// HardwareAddr is zero in the states Incomplete and Failed.
	HardwareAddr HardwareAddr
	State        State
	// Pending is how many packets and queries wait.
	Pending int
}

// entry is a neighbor in the cache.
type entry[P any] struct {
	key   [4]byte
	hw    HardwareAddr
	state State
	// tries counts the requests of the present series.
	tries uint8
	// used: somebody here has wanted to send to it.
	used bool
	// published: the table that packets are sent by has it.
	published bool

	// rounds and batch are of an entry that is draining, see [Handler.Drained].
	rounds uint8
	batch  uint64 // the batch that is being sent; 0: not draining

	// asking: its request waits for its turn. While it is Incomplete it has no
	// deadline then.
	asking bool

	source    netip.Addr    // the sender address for requests
	decided   time.Duration // when it was last settled which hardware address it has
	window    *window       // nil: nobody says that it has another
	requested time.Duration // when the last request was broadcast
	deadline  time.Duration
	index     int // in the heap of deadlines, noIndex if it has none

	queue      *queue[P] // what waits; nil: nothing
	list       *list[P]  // the list it is in, if any
	prev, next *entry[P] // in that list; next also links free entries
}

const (
	noIndex = -1
	// longAgo is the time of what never happened; half the range, so that
	// differences do not overflow.
	longAgo = time.Duration(math.MinInt64 / 2)
)

func (e *entry[P]) addr() netip.Addr { return netip.AddrFrom4(e.key) }

func (e *entry[P]) draining() bool { return e.batch != 0 }

func (e *entry[P]) waiting() bool { return e.queue != nil }

func (e *entry[P]) snapshot() Entry {
	s := Entry{Addr: e.addr(), HardwareAddr: e.hw, State: e.state}
	if e.queue != nil {
		s.Pending = e.queue.len() + len(e.queue.waiters)
	}
	return s
}

// list is a doubly linked list of entries, oldest first.
type list[P any] struct {
	first, last *entry[P]
	n           int
}

func (l *list[P]) add(e *entry[P]) {
	e.list, e.prev, e.next = l, l.last, nil
	if l.last != nil {
		l.last.next = e
	} else {
		l.first = e
	}
	l.last = e
	l.n++
}

// unlink takes e out of its list, if it is in one.
func (e *entry[P]) unlink() {
	l := e.list
	if l == nil {
		return
	}
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		l.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		l.last = e.prev
	}
	e.list, e.prev, e.next = nil, nil, nil
	l.n--
}
