// Package netns runs a program in a Linux network namespace of its own, without
// privileges, and configures the interfaces there.
//
// It needs no other program (a machine may lack iproute2) and speaks rtnetlink
// by itself. All functions that configure act on the namespace of the calling
// thread: that of the whole process, or of the [Namespace.Do] they run in.
// On systems other than Linux every function returns one error.
//
// A program that is to run inside begins like this:
//
//	if !netns.Inside() {
//		status, err := netns.Run(netns.Options{})
//		if err != nil {
//			// There is no namespace to be had here, and err says why.
//		}
//		os.Exit(status)
//	}
//	err := netns.Setup()
package netns

import (
	"fmt"
	"net/netip"
	"time"
)

// Options says how [Run] starts the program again. The zero value is what
// programs want.
type Options struct {
	// UserNamespace asks for a user namespace also where the caller's rights
	// suffice for a network namespace.
	UserNamespace bool
}

// LinkInfo describes an interface.
type LinkInfo struct {
	Name  string
	Index int
	// Kind is the kind of a virtual interface: "veth", "tun", "bridge"; empty
	// for others.
	Kind         string
	HardwareAddr [6]byte
	// MTU is the largest payload in bytes, without the link-layer header.
	MTU int
	// Up: the administrator wants it up. Running: it can carry frames.
	Up, Running bool
	Stats       LinkStats
}

// LinkStats counts what passed an interface, seen from the kernel: what the
// kernel sends to a TAP counts as sent, what a program writes to the TAP
// counts as received.
type LinkStats struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	RxErrors, TxErrors   uint64
	RxDropped, TxDropped uint64
	// RxNoHandler counts frames that no protocol took.
	RxNoHandler uint64
}

// Neighbor is an entry of the kernel's neighbor table.
type Neighbor struct {
	Addr netip.Addr
	// HardwareAddr is zero while it is not known.
	HardwareAddr [6]byte
	State        NeighborState
}

// NeighborTimes say how the kernel ages neighbors, in whole milliseconds.
type NeighborTimes struct {
	// Reachable is how long a confirmation holds, on average.
	Reachable time.Duration
	// Delay is how long a neighbor in use may go on after that without a probe.
	Delay time.Duration
	// Retransmit is the time between probes, of which there are three.
	Retransmit time.Duration
}

// NeighborState is the state of a [Neighbor], with the kernel's values.
type NeighborState uint16

// The states of a [Neighbor]; an entry has one of them.
const (
	NeighborNone       NeighborState = 0
	NeighborIncomplete NeighborState = 1 << (iota - 1)
	NeighborReachable
	NeighborStale
	NeighborDelay
	NeighborProbe
	NeighborFailed
	NeighborNoARP
	NeighborPermanent
)

// String returns the state as `ip neigh` prints it: "REACHABLE".
func (s NeighborState) String() string {
	switch s {
	case NeighborNone:
		return "NONE"
	case NeighborIncomplete:
		return "INCOMPLETE"
	case NeighborReachable:
		return "REACHABLE"
	case NeighborStale:
		return "STALE"
	case NeighborDelay:
		return "DELAY"
	case NeighborProbe:
		return "PROBE"
	case NeighborFailed:
		return "FAILED"
	case NeighborNoARP:
		return "NOARP"
	case NeighborPermanent:
		return "PERMANENT"
	}
	return fmt.Sprintf("NeighborState(%#x)", uint16(s))
}
