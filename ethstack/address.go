package ethstack

import (
	"fmt"
	"net/netip"
	"slices"
)

// AddIPv4 makes addr an address of ours: ARP answers for it from now on, and
// it is announced (RFC 5227 §2.3). An address that was added before is left
// as it is and not announced again. It does not ask whether another host has it:
// Claim does.
func (i *Interface) AddIPv4(addr netip.Addr) error {
	addr = addr.Unmap()
	if !usableIPv4(addr) {
		return fmt.Errorf("ethstack: cannot add address %v: want a unicast IPv4 address other than 0.0.0.0/8 and 127.0.0.0/8", addr)
	}
	r := i.res
	a := r.begin()
	if r.closed {
		r.end(a)
		return fmt.Errorf("ethstack: cannot add address %v: %w", addr, ErrDisconnected)
	}
	i.setExplicit(addr, true)
	r.h.AddAddress(r.clock.Now(), addr, a)
	r.kick(a)
	return nil
}

// RemoveIPv4 ends what AddIPv4 began; an address that is not ours is an error.
func (i *Interface) RemoveIPv4(addr netip.Addr) error {
	addr = addr.Unmap()
	r := i.res
	a := r.begin()
	if !i.isExplicit(addr) {
		r.end(a)
		return fmt.Errorf("ethstack: cannot remove address %v: it was not added", addr)
	}
	i.setExplicit(addr, false)
	r.h.RemoveAddress(addr)
	r.kick(a)
	return nil
}

// Announce tells everybody anew that an address of ours is ours, in a series of
// announcements (RFC 5227 §2.3). An address that is not ours is an error. It asks
// the [Host], so it must not be called with locks of its held.
func (i *Interface) Announce(addr netip.Addr) error {
	addr = addr.Unmap()
	r := i.res
	r.mu.Lock()
	known := r.h.HasAddress(addr)
	r.mu.Unlock()
	if !r.compare(addr) {
		return fmt.Errorf("ethstack: cannot announce %v: it is none of the interface's addresses", addr)
	}
	a := r.begin()
	if known { // or it has been announced because of that
		r.h.Announce(r.clock.Now(), addr, a)
	}
	r.kick(a)
	return nil
}

// RefreshIPv4 asks the Host about addr, as the ARP packets that name it do: a new
// address of ours is announced, one that was taken away is forgotten. It reports
// whether addr is ours. The Host is asked before RefreshIPv4 returns, so no lock
// that it takes may be held.
func (i *Interface) RefreshIPv4(addr netip.Addr) bool {
	ours := i.res.compare(addr.Unmap())
	i.res.reschedule()
	return ours
}

// IPv4s returns the addresses of ours that ARP knows of, in no order.
func (i *Interface) IPv4s() []netip.Addr {
	i.res.mu.Lock()
	defer i.res.mu.Unlock()
	return slices.Clone(i.res.h.Addresses())
}

// setExplicit adds an address to those that were added, or takes it out. The
// resolver's lock is held.
func (i *Interface) setExplicit(addr netip.Addr, on bool) {
	old := *i.explicit.Load()
	at := slices.Index(old, addr)
	var list []netip.Addr
	switch {
	case on && at < 0:
		list = append(slices.Clone(old), addr)
		delete(i.res.lost, addr)
	case !on && at >= 0:
		list = slices.Delete(slices.Clone(old), at, at+1)
	default:
		return
	}
	i.explicit.Store(&list)
}

func (i *Interface) isExplicit(addr netip.Addr) bool {
	return slices.Contains(*i.explicit.Load(), addr)
}

// isOurs asks everybody who may know. No lock may be held.
func (i *Interface) isOurs(addr netip.Addr) bool {
	return i.isExplicit(addr) || i.host != nil && usableIPv4(addr) && i.host.IsLocal(addr)
}

// usableIPv4 reports whether addr can be a host's address on a link.
func usableIPv4(addr netip.Addr) bool {
	if !addr.Is4() {
		return false
	}
	b := addr.As4()
	// RFC 1122 §3.2.1.3: 0/8 and 127/8 stay inside a host; from 224 on it is
	// multicast, reserved, and the limited broadcast.
	return b[0] != 0 && b[0] != 127 && b[0] < 224
}
