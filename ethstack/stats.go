package ethstack

import (
	"fmt"
	"sync/atomic"

	"github.com/ethlink/ethlink/arp"
)

// DropReason says why a frame was dropped. Every frame that a [Link] reads is
// either delivered, taken by ARP, or counted under one of these.
type DropReason uint8

const (
	// DropNone: not dropped.
	DropNone DropReason = iota
	// DropRunt: too short for its header.
	DropRunt
	// DropOversize: longer than the MTU allows and no super-frame.
	DropOversize
	// DropSourceGroup: the source address is a group's.
	DropSourceGroup
	// DropSourceZero: the source address is zero.
	DropSourceZero
	// DropReflected: the source address is our own.
	DropReflected
	// DropForeign: unicast to somebody else.
	DropForeign
	// DropReservedGroup: to a group that no bridge forwards.
	DropReservedGroup
	// DropMACControl: a pause frame or its like.
	DropMACControl
	// DropVLAN: tagged for a VLAN that nobody here has.
	DropVLAN
	// DropLLC: an 802.3 frame with a length in place of a type, and no RFC 1042
	// header that names one.
	DropLLC
	// DropBadLength: an 802.3 length that is more than the frame has.
	DropBadLength
	// DropUndefinedType: the length/type field is neither.
	DropUndefinedType
	// DropBadOffload: the metadata contradicts the frame.
	DropBadOffload
	// DropNotJoined: to a group that nobody here has joined.
	DropNotJoined
	// DropUnicastInGroup: a unicast IP packet in a broadcast or multicast frame.
	DropUnicastInGroup
	// DropBadARP: an ARP packet that does not parse.
	DropBadARP
	// DropARPBusy: more ARP packets came in than could be answered.
	DropARPBusy
	// DropDisabled: the interface's host is not enabled.
	DropDisabled
	// DropNoReceiver: nobody is there who would take it.
	DropNoReceiver
	// DropMalformed: the packet inside contradicts itself.
	DropMalformed
	// DropIPv4Checksum: the IPv4 header checksum is wrong.
	DropIPv4Checksum
	// DropTransportChecksum: the TCP or UDP checksum is wrong.
	DropTransportChecksum

	// DropTxFull: the device had no room. From here on: frames to be sent.
	DropTxFull
	// DropTxTooLong: longer than the device takes.
	DropTxTooLong
	// DropTxOffload: the metadata contradicts the frame.
	DropTxOffload
	// DropTxDisconnected: the device is gone.
	DropTxDisconnected
	// DropTxError: another error of the device.
	DropTxError
	// DropTxNoSource: an ARP request without an address of ours to send it from.
	DropTxNoSource
	// DropTxUnresolved: the next hop's hardware address could not be had.
	DropTxUnresolved
	// DropTxInvalid: the packet names no destination that can be sent to.
	DropTxInvalid

	// NumDropReasons is how many reasons there are.
	NumDropReasons
)

var dropReasonNames = [NumDropReasons]string{
	DropNone:              "none",
	DropRunt:              "runt",
	DropOversize:          "oversize",
	DropSourceGroup:       "source is a group",
	DropSourceZero:        "source is zero",
	DropReflected:         "reflected",
	DropForeign:           "for another host",
	DropReservedGroup:     "reserved group",
	DropMACControl:        "MAC control",
	DropVLAN:              "other VLAN",
	DropLLC:               "802.3 without SNAP",
	DropBadLength:         "802.3 length",
	DropUndefinedType:     "undefined type",
	DropBadOffload:        "bad offload metadata",
	DropNotJoined:         "group not joined",
	DropUnicastInGroup:    "unicast packet in group frame",
	DropBadARP:            "bad ARP",
	DropARPBusy:           "ARP too busy",
	DropDisabled:          "disabled",
	DropNoReceiver:        "no receiver",
	DropMalformed:         "malformed packet",
	DropIPv4Checksum:      "IPv4 checksum",
	DropTransportChecksum: "transport checksum",
	DropTxFull:            "tx device full",
	DropTxTooLong:         "tx too long",
	DropTxOffload:         "tx bad offload metadata",
	DropTxDisconnected:    "tx disconnected",
	DropTxError:           "tx device error",
	DropTxNoSource:        "tx no source address",
	DropTxUnresolved:      "tx unresolved",
	DropTxInvalid:         "tx invalid destination",
}

func (r DropReason) String() string {
	if r < NumDropReasons {
		return dropReasonNames[r]
	}
	return fmt.Sprintf("DropReason(%d)", uint8(r))
}

// Stats is a snapshot of an [Interface]'s counters, since it was made.
type Stats struct {
	// RxFrames and RxBytes are what was read from the device.
	RxFrames, RxBytes uint64
	// RxDelivered is what the receiver took, RxARP what ARP took in. RxFrames
	// is the sum of both and of the Drops on receive.
	RxDelivered, RxARP uint64
	// TxFrames and TxBytes are what the device took; a super-frame that the
	// device splits counts as one.
	TxFrames, TxBytes uint64
	// RxErrors are errors of the device's Read; TxErrors are calls of its Write
	// in which a frame failed with [DropTxError].
	RxErrors, TxErrors uint64
	// ARPRequests and ARPReplies are the ARP packets sent.
	ARPRequests, ARPReplies uint64
	// ARPConflicts is how often another host claimed an address of ours.
	ARPConflicts uint64
	// ARPSourceDiffers is how many ARP packets came from another hardware address
	// than the one they name, as those of virtual routers do.
	ARPSourceDiffers uint64
	// ARPIn counts the ARP packets taken in, by what came of them.
	ARPIn [arp.NumInputResults]uint64
	// Pending counts packets that were given to Resolve, and queries, that were
	// dropped.
	Pending [arp.NumDropReasons]uint64
	// Drops counts dropped frames by reason.
	Drops [NumDropReasons]uint64
}

// RxDropped returns the sum of the Drops on receive.
func (s *Stats) RxDropped() uint64 { return sum(s.Drops[:DropTxFull]) }

// TxDropped returns the sum of the Drops on sending.
func (s *Stats) TxDropped() uint64 { return sum(s.Drops[DropTxFull:]) }

func sum(counts []uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// counters is the live form of Stats. What is counted per frame on the fast
// path is added up per batch first.
type counters struct {
	rxFrames, rxBytes       atomic.Uint64
	rxDelivered, rxARP      atomic.Uint64
	rxErrors                atomic.Uint64
	_                       [64]byte // readers and writers on cache lines of their own
	txFrames, txBytes       atomic.Uint64
	txErrors                atomic.Uint64
	arpRequests, arpReplies atomic.Uint64
	arpConflicts            atomic.Uint64
	arpSourceDiffers        atomic.Uint64
	arpIn                   [arp.NumInputResults]atomic.Uint64
	pending                 [arp.NumDropReasons]atomic.Uint64
	drops                   [NumDropReasons]atomic.Uint64
}

func (c *counters) snapshot() Stats {
	s := Stats{
		RxFrames: c.rxFrames.Load(), RxBytes: c.rxBytes.Load(),
		RxDelivered: c.rxDelivered.Load(), RxARP: c.rxARP.Load(),
		TxFrames: c.txFrames.Load(), TxBytes: c.txBytes.Load(),
		RxErrors: c.rxErrors.Load(), TxErrors: c.txErrors.Load(),
		ARPRequests: c.arpRequests.Load(), ARPReplies: c.arpReplies.Load(),
		ARPConflicts: c.arpConflicts.Load(), ARPSourceDiffers: c.arpSourceDiffers.Load(),
	}
	for r := range s.ARPIn {
		s.ARPIn[r] = c.arpIn[r].Load()
	}
	for r := range s.Pending {
		s.Pending[r] = c.pending[r].Load()
	}
	for r := range s.Drops {
		s.Drops[r] = c.drops[r].Load()
	}
	return s
}
