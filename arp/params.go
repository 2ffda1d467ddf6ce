package arp

import (
	"fmt"
	"time"
)

// Config has the limits and times of a [Handler]. Every zero field means the
// default that its comment names.
type Config struct {
	// HardwareAddr is our own; a unicast address.
	HardwareAddr HardwareAddr
	// Seed makes the jitter of ReachableTime; the same seed gives the same
	// actions for the same inputs.
	Seed uint64

	// MaxRequests is how many broadcast requests a next hop gets before it is
	// held to be unreachable: 3 (MAX_MULTICAST_SOLICIT, RFC 4861 §10).
	MaxRequests int
	// RequestInterval is the time between them: 1 s, which is also the least
	// allowed (RFC 1122 §2.3.2.1).
	RequestInterval time.Duration
	// ReachableTime is how long a confirmation holds, on average: 30 s
	// (REACHABLE_TIME, RFC 4861 §10); each entry gets 0.5 to 1.5 times that.
	ReachableTime time.Duration
	// DelayTime is how long an entry that is used after that may go on
	// without a probe: 5 s (DELAY_FIRST_PROBE_TIME, RFC 4861 §10).
	DelayTime time.Duration
	// MaxProbes is how many unicast requests may stay unanswered: 3
	// (MAX_UNICAST_SOLICIT, RFC 4861 §10).
	MaxProbes int
	// ProbeInterval is the time between them: 1 s (RETRANS_TIMER, RFC 4861 §10).
	ProbeInterval time.Duration
	// StaleTime is how long an entry that nobody uses is kept: 60 s (Linux,
	// gc_stale_time).
	StaleTime time.Duration
	// FailedTime is how long it is remembered that a next hop did not answer,
	// while nobody asks for it: 20 s.
	FailedTime time.Duration

	// MaxEntries bounds the entries that have a hardware address, static ones
	// aside: 4096; up to 4194304.
	MaxEntries int
	// MaxUnresolved bounds those that have none but are wanted: 1024. Others
	// are kept for a moment after their removal, see [Handler.Remove].
	MaxUnresolved int
	// MaxPendingPackets bounds what waits for one next hop: 256.
	MaxPendingPackets int
	// MaxPendingBytes bounds its bytes: 212992 (Linux, unres_qlen_bytes),
	// enough for the fragments of three of the largest datagrams.
	MaxPendingBytes int
	// MaxPendingTotal bounds the bytes that wait for all next hops together:
	// 16 MiB.
	MaxPendingTotal int

	// AnnounceNum is how often an address of ours is announced: 2
	// (ANNOUNCE_NUM, RFC 5227 §1.1).
	AnnounceNum int
	// AnnounceInterval is the time between announcements: 2 s
	// (ANNOUNCE_INTERVAL, RFC 5227 §1.1).
	AnnounceInterval time.Duration
	// AnnounceReplies announces by replies, in place of requests, to neighbors
	// that take no other.
	//
	// Deviation: RFC 5227 §3 says why requests are better.
	AnnounceReplies bool

	// Accept says what an announcement may do.
	Accept Accept
	// AcceptImmediately takes the word of whoever says that a neighbor has
	// another hardware address now, without asking the neighbor.
	AcceptImmediately bool
	// VerifyTime is how long a neighbor has to answer when somebody else says
	// so: 50 ms.
	VerifyTime time.Duration
	// LockTime is how long nothing else is believed after a neighbor's hardware
	// address was settled: 1 s (Linux, locktime).
	LockTime time.Duration
	// NoARP turns ARP off: nothing is asked, answered, announced or learned. Then
	// only static neighbors can be sent to.
	NoARP bool
	// StrictSource ignores ARP packets whose sender is not the frame's source.
	// Virtual routers and proxies send such.
	StrictSource bool

	// MaxRequestRate bounds the broadcast requests in a second: 1000. Next hops
	// wait for their turn in order.
	MaxRequestRate int
	// MaxReplyRate bounds the replies to strangers in a second, and also those to
	// neighbors: 10000.
	MaxReplyRate int

	// ProxyDelay bounds the random time before an answer for another host: 800 ms
	// (Linux, proxy_delay).
	ProxyDelay time.Duration

	// Claim has the times of claims.
	Claim ClaimTiming
	// MaxConflicts is how many claims may fail before there is at most one in
	// RateLimitInterval: 10 and 60 s (MAX_CONFLICTS and RATE_LIMIT_INTERVAL,
	// RFC 5227 §1.1).
	MaxConflicts      int
	RateLimitInterval time.Duration
	// Defense is what to do about other hosts that use an address of ours.
	Defense Defense
	// DefendInterval is the least time between two defending announcements:
	// 10 s (DEFEND_INTERVAL, RFC 5227 §1.1).
	DefendInterval time.Duration
}

// Accept says what an announcement of another host may do to the neighbors.
type Accept uint8

const (
	// AcceptUpdate lets it update a neighbor that is known, but not add one.
	AcceptUpdate Accept = iota
	// AcceptIgnore ignores it.
	AcceptIgnore
	// AcceptLearn lets it add one, too.
	AcceptLearn
)

const (
	maxEntriesLimit = 1 << 22
	maxPendingLimit = 1<<30 - 1 // twice that fits an int of 32 bits
	maxTime         = 24 * time.Hour
)

// withDefaults fills in the zero fields and checks all of them.
func (c Config) withDefaults() (Config, error) {
	if c.HardwareAddr.IsGroup() {
		return c, fmt.Errorf("arp: Config.HardwareAddr is %v, which has the group bit set: want a unicast address", c.HardwareAddr)
	}
	var err error
	if c.Claim, err = c.Claim.withDefaults(); err != nil {
		return c, err
	}
	if c.Accept > AcceptLearn {
		return c, fmt.Errorf("arp: Config.Accept is %d: want AcceptUpdate, AcceptIgnore or AcceptLearn", c.Accept)
	}
	if c.Defense > DefenseGiveUp {
		return c, fmt.Errorf("arp: Config.Defense is %d: want DefenseAlways, DefenseOnce or DefenseGiveUp", c.Defense)
	}
	err = checkInts([]intField{
		{"MaxRequests", &c.MaxRequests, 3, 1, 100},
		{"MaxProbes", &c.MaxProbes, 3, 1, 100},
		{"MaxEntries", &c.MaxEntries, 4096, 1, maxEntriesLimit},
		{"MaxUnresolved", &c.MaxUnresolved, 1024, 1, maxEntriesLimit},
		{"MaxPendingPackets", &c.MaxPendingPackets, 256, 1, 1 << 20},
		{"MaxPendingBytes", &c.MaxPendingBytes, 212992, 1, maxPendingLimit},
		{"MaxPendingTotal", &c.MaxPendingTotal, 16 << 20, 1, maxPendingLimit},
		{"AnnounceNum", &c.AnnounceNum, 2, 1, 100},
		{"MaxConflicts", &c.MaxConflicts, 10, 1, 1000},
		{"MaxRequestRate", &c.MaxRequestRate, 1000, 1, 1 << 20},
		{"MaxReplyRate", &c.MaxReplyRate, 10000, 1, 1 << 20},
	})
	if err != nil {
		return c, err
	}
	return c, checkTimes([]timeField{
		// RFC 1122 §2.3.2.1: at most one request per second and destination.
		{"RequestInterval", &c.RequestInterval, time.Second, time.Second},
		{"ReachableTime", &c.ReachableTime, 30 * time.Second, time.Second},
		{"DelayTime", &c.DelayTime, 5 * time.Second, time.Millisecond},
		{"ProbeInterval", &c.ProbeInterval, time.Second, 10 * time.Millisecond},
		{"StaleTime", &c.StaleTime, time.Minute, time.Second},
		{"FailedTime", &c.FailedTime, 20 * time.Second, time.Second},
		{"AnnounceInterval", &c.AnnounceInterval, 2 * time.Second, time.Second},
		{"RateLimitInterval", &c.RateLimitInterval, time.Minute, time.Second},
		{"VerifyTime", &c.VerifyTime, 50 * time.Millisecond, time.Millisecond},
		{"LockTime", &c.LockTime, time.Second, time.Millisecond},
		{"ProxyDelay", &c.ProxyDelay, 800 * time.Millisecond, 0},
		{"DefendInterval", &c.DefendInterval, 10 * time.Second, time.Second},
	})
}

// intField and timeField are one field of Config, with its default and what
// is allowed.
type intField struct {
	name          string
	v             *int
	def, min, max int
}

type timeField struct {
	name     string
	v        *time.Duration
	def, min time.Duration
}

func checkInts(fields []intField) error {
	for _, f := range fields {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < f.min || *f.v > f.max {
			return fmt.Errorf("arp: Config.%s is %d: want %d to %d, or 0 for %d", f.name, *f.v, f.min, f.max, f.def)
		}
	}
	return nil
}

func checkTimes(fields []timeField) error {
	for _, f := range fields {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < f.min || *f.v > maxTime {
			return fmt.Errorf("arp: Config.%s is %v: want %v to %v, or 0 for %v", f.name, *f.v, f.min, maxTime, f.def)
		}
	}
	return nil
}
