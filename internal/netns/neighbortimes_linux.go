package netns

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// Attributes of linux/neighbour.h.
const (
	ndtaName           = 1
	ndtaParms          = 6
	ndtpaIfindex       = 1
	ndtpaBaseReachable = 4
	ndtpaRetransmit    = 5
	ndtpaDelayProbe    = 7
	neighborTableIPv4  = "arp_cache"
	neighborTableIPv6  = "ndisc_cache"
)

// SetNeighborTimes sets how the kernel ages the neighbors of an interface, of
// both kinds. (The sysctls that do the same are missing in the network namespace
// of a user namespace.)
func SetNeighborTimes(name string, times NeighborTimes) error {
	i, err := index(name)
	if err != nil {
		return err
	}
	for table, family := range map[string]byte{neighborTableIPv4: unix.AF_INET, neighborTableIPv6: unix.AF_INET6} {
		r := newRequest(unix.RTM_SETNEIGHTBL, 0).bytes(family, 0, 0, 0)
		r.attrString(ndtaName, table).nest(ndtaParms, func() {
			r.attrU32(ndtpaIfindex, uint32(i))
			r.attrTime(ndtpaBaseReachable, times.Reachable).attrTime(ndtpaRetransmit, times.Retransmit).attrTime(ndtpaDelayProbe, times.Delay)
		})
		if err := r.do(); err != nil {
			return failed("setting the times of neighbors of", name, err)
		}
	}
	return nil
}

// attrTime adds a time in milliseconds.
func (r *request) attrTime(typ uint16, d time.Duration) *request {
	return r.attr(typ, binary.NativeEndian.AppendUint64(nil, uint64(d.Milliseconds())))
}
