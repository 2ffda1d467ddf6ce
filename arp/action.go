package arp

import (
	"fmt"
	"net/netip"
)

// Actions is what a [Handler] wants done, in the order of the fields: first
// apply Updates, then transmit Send, release, drop, and report. The caller
// owns it and may use it again after Reset, so that a flood of packets
// allocates nothing.
type Actions[P any] struct {
	// Updates are changes of the neighbor table, in order.
	Updates []Update
	// Send are ARP packets to transmit, in order.
	Send []Send
	// Release are queued things whose next hop is now known, oldest first.
	Release []Release[P]
	// Drop are queued things that will not be sent.
	Drop []Drop[P]
	// Events are for people and logs.
	Events []Event
}

// Reset empties a, keeping its memory but nothing that is in it.
func (a *Actions[P]) Reset() {
	clear(a.Release)
	clear(a.Drop)
	a.Updates, a.Send, a.Events = a.Updates[:0], a.Send[:0], a.Events[:0]
	a.Release, a.Drop = a.Release[:0], a.Drop[:0]
}

// Empty reports whether there is nothing to do.
func (a *Actions[P]) Empty() bool {
	return len(a.Updates) == 0 && len(a.Send) == 0 && len(a.Release) == 0 &&
		len(a.Drop) == 0 && len(a.Events) == 0
}

// Update is one change of the table that packets are sent by.
type Update struct {
	// Addr is the neighbor.
	Addr netip.Addr
	// HardwareAddr is where packets for it go from now on; zero if it is not
	// known (any longer), so that the next packet must go through Query.
	HardwareAddr HardwareAddr
	// Stale asks for one call of [Handler.Use] when the entry is next used.
	Stale bool
}

// Send is an ARP packet to transmit.
type Send struct {
	// To is the Ethernet destination.
	To HardwareAddr
	// Packet is what to send. Its SenderAddr in a request is the source given
	// with the query, or the zero Addr; a caller puts one of its own addresses in
	// its place if it is not one. 0.0.0.0 stays: that is a probe.
	Packet Packet
}

// Release is one queued thing whose next hop is known.
type Release[P any] struct {
	NextHop      netip.Addr
	HardwareAddr HardwareAddr
	P            P
	// Batch numbers the things that are released together: once all of them
	// have been sent, [Handler.Drained] wants to know. Zero: it does not.
	Batch uint64
}

// Drop is one queued thing that will not be sent.
type Drop[P any] struct {
	NextHop netip.Addr
	P       P
	Reason  DropReason
}

// DropReason says why a queued thing was dropped.
type DropReason uint8

const (
	// DropUnreachable: nobody answered the requests.
	DropUnreachable DropReason = iota
	// DropQueueFull: newer ones for the same next hop needed the room.
	DropQueueFull
	// DropPendingFull: the cap over all next hops is reached.
	DropPendingFull
	// DropCacheFull: no room for one more unresolved next hop.
	DropCacheFull
	// DropInvalid: the next hop is not an address that can be resolved.
	DropInvalid
	// DropFlushed: the entry was removed, the cache flushed, or the link went
	// down.
	DropFlushed
	// DropClosed: the handler was closed.
	DropClosed
	// DropNoARP: the next hop is not static, and ARP is off.
	DropNoARP
	// NumDropReasons is how many reasons there are.
	NumDropReasons
)

var dropReasonNames = [NumDropReasons]string{
	"next hop unreachable", "queue full", "pending queues full", "cache full",
	"next hop invalid", "flushed", "closed", "ARP is off",
}

func (r DropReason) String() string {
	if r < NumDropReasons {
		return dropReasonNames[r]
	}
	return fmt.Sprintf("DropReason(%d)", uint8(r))
}

// Event is something that a person may want to know.
type Event struct {
	Kind EventKind
	// Addr is the protocol address it is about.
	Addr netip.Addr
	// HardwareAddr is the neighbor's new address, or the other host's in a
	// conflict.
	HardwareAddr HardwareAddr
	// Old is the hardware address before, with EventMoved, or the one that it
	// stays, with EventRejected.
	Old HardwareAddr
	// State is the entry's state after the event.
	State State
}

// EventKind is the kind of an [Event].
type EventKind uint8

const (
	// EventAdded: an entry was made.
	EventAdded EventKind = iota
	// EventState: an entry changed its state.
	EventState
	// EventMoved: an entry changed its hardware address.
	EventMoved
	// EventRemoved: an entry is gone.
	EventRemoved
	// EventConflict: another host uses an address that is ours or that we want
	// (RFC 5227 §2.1.1, §2.4).
	EventConflict
	// EventRejected: somebody said that a neighbor has the hardware address
	// HardwareAddr now, but the neighbor answered from Old.
	EventRejected
	// EventClaimed: an address that was claimed is ours.
	EventClaimed
	// EventFree: no host has an address that was to be checked.
	EventFree
	// EventLost: an address, or the claim of one, was given up; see the
	// EventConflict before.
	EventLost
)

func (k EventKind) String() string {
	switch k {
	case EventAdded:
		return "added"
	case EventState:
		return "state"
	case EventMoved:
		return "moved"
	case EventRemoved:
		return "removed"
	case EventConflict:
		return "conflict"
	case EventRejected:
		return "rejected"
	case EventClaimed:
		return "claimed"
	case EventFree:
		return "free"
	case EventLost:
		return "lost"
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}
