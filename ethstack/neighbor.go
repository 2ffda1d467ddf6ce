package ethstack

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/ethlink/ethlink/arp"
)

// Neighbors returns the neighbor table as it is now, in no order.
func (i *Interface) Neighbors() iter.Seq[arp.Entry] {
	return func(yield func(arp.Entry) bool) {
		i.res.mu.Lock()
		all := slices.Collect(i.res.h.Entries())
		i.res.mu.Unlock()
		for _, e := range all {
			if !yield(e) {
				return
			}
		}
	}
}

// Neighbor returns what is known of one neighbor, and false if nothing is.
func (i *Interface) Neighbor(addr netip.Addr) (arp.Entry, bool) {
	i.res.mu.Lock()
	defer i.res.mu.Unlock()
	return i.res.h.Entry(addr.Unmap())
}

// AddStaticNeighbor makes hw the hardware address of a neighbor, whatever ARP
// says, until it is removed or added again. The error names the address that is
// no neighbor's.
func (i *Interface) AddStaticNeighbor(addr netip.Addr, hw HardwareAddr) error {
	r := i.res
	a := r.begin()
	err := r.h.AddStatic(r.clock.Now(), addr.Unmap(), hw, a)
	r.kick(a)
	return err
}

// RemoveNeighbor forgets a neighbor, a static one too, and drops what waits for
// it. It reports whether it was known.
func (i *Interface) RemoveNeighbor(addr netip.Addr) bool {
	r := i.res
	a := r.begin()
	known := r.h.Remove(r.clock.Now(), addr.Unmap(), a)
	r.kick(a)
	return known
}

// FlushNeighbors forgets all neighbors but the static ones: up to 4096 before it
// returns, more than that soon after.
func (i *Interface) FlushNeighbors() {
	r := i.res
	a := r.begin()
	r.h.Flush(r.clock.Now(), a)
	r.kick(a)
}

// RestoreNeighbors takes in neighbors that [Interface.Neighbors] yielded before,
// here or elsewhere: static ones as they were, others to be verified when they
// are used. The error names a static one that cannot be.
func (i *Interface) RestoreNeighbors(snapshot []arp.Entry) error {
	r := i.res
	a := r.begin()
	err := r.h.Restore(r.clock.Now(), snapshot, a)
	r.kick(a)
	if err != nil {
		return fmt.Errorf("ethstack: %w", err)
	}
	return nil
}
