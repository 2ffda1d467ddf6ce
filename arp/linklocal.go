package arp

import (
	"math/rand/v2"
	"net/netip"
)

// LinkLocalAddr returns the address to claim for a host that nobody gives one:
// the first with try 0, and after each conflict the next.
//
// RFC 3927 §2.1: one of 169.254.1.0 to 169.254.254.255, pseudo-random, and from
// the hardware address, so that a host tends to get the same one again.
func LinkLocalAddr(hw HardwareAddr, try int) netip.Addr {
	var seed uint64
	for _, b := range hw {
		seed = seed<<8 | uint64(b)
	}
	n := rand.New(rand.NewPCG(seed, uint64(try))).IntN(254 * 256)
	return netip.AddrFrom4([4]byte{169, 254, byte(1 + n>>8), byte(n)})
}
