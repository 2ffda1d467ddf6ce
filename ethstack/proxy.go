package ethstack

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// ProxyARP names the addresses of other hosts, behind this one, that an interface
// answers for as if they were its own (RFC 1027). The zero value: none.
//
// Nobody is answered for who is heard of on the interface's own side: a host that
// is in its neighbor table, or whose packet comes in before the answer, which is
// delayed by a random time ([arp.Config].ProxyDelay), has gone out. Nor is an
// address of the host's own subnet, unless its prefix lies within that; nor the
// first and the last address of a prefix, which are what a subnet is called and
// broadcast with.
type ProxyARP struct {
	// Prefixes are answered for.
	Prefixes []netip.Prefix
	// Except are parts of them that are not.
	Except []netip.Prefix
}

func (p ProxyARP) check() error {
	for _, list := range [][]netip.Prefix{p.Prefixes, p.Except} {
		for _, x := range list {
			if !x.IsValid() || !x.Addr().Is4() {
				return fmt.Errorf("ethstack: cannot answer ARP for prefix %v: want one of IPv4", x)
			}
		}
	}
	return nil
}

// proxies reports whether addr is one of those behind us. No lock may be held.
func (i *Interface) proxies(addr netip.Addr) bool {
	if len(i.proxy.Prefixes) == 0 || !usableIPv4(addr) {
		return false
	}
	for _, x := range i.proxy.Except {
		if x.Contains(addr) {
			return false
		}
	}
	for _, x := range i.proxy.Prefixes {
		if x.Contains(addr) && i.isBehind(addr, x) {
			return true
		}
	}
	return false
}

// isBehind reports whether an address of a prefix may be a host's that is not on
// our side (RFC 1027 §2.4).
func (i *Interface) isBehind(addr netip.Addr, x netip.Prefix) bool {
	first, last := ends(x)
	if x.Bits() < 31 && (addr == first || addr == last) {
		return false
	}
	h := i.host
	return h == nil || !h.OnLink(addr) || h.OnLink(first) && h.OnLink(last)
}

// ends returns the first and the last address of a prefix.
func ends(x netip.Prefix) (first, last netip.Addr) {
	first = x.Masked().Addr()
	b := first.As4()
	n := binary.BigEndian.Uint32(b[:]) | uint32(1<<(32-x.Bits())-1)
	binary.BigEndian.PutUint32(b[:], n)
	return first, netip.AddrFrom4(b)
}
