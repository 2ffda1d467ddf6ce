package ethstack

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ethlink/ethlink/arp"
)

// HardwareAddr is a 48-bit Ethernet hardware address, as a comparable value.
type HardwareAddr = arp.HardwareAddr

// A Device moves raw Ethernet frames in batches: a TAP, an AF_PACKET socket,
// a socketpair, an in-memory segment. It knows nothing of what is inside a
// frame.
//
// # Concurrency
//
// At most one goroutine is in Read for one queue at a time; Write may be
// called by any number of goroutines, also for the same queue, and while Read
// is under way. All other methods may be called at any time.
//
// # Memory
//
// All memory belongs to the caller. A device reads or writes the bytes of a
// frame only during the call it was handed to, and keeps nothing.
//
// # Life
//
// A device is ready when its constructor returns. It never calls back into
// the caller from inside Read, Write or Close: in particular no frame is
// delivered inside Write.
type Device interface {
	// Info describes the device. What can change (MTU, hardware address) is
	// read anew on each call.
	Info() DeviceInfo

	// Queues returns how many queues Read and Write accept, numbered from 0.
	// It is at least 1 and never changes.
	Queues() int

	// Read waits until at least one frame has arrived on the queue, then fills
	// in frames from index 0 and returns how many. The caller gives each
	// frame's memory in Bufs; Read leaves Bufs as it is and sets Len and
	// Offload. A frame that does not fit its memory is not delivered; the
	// device counts it.
	//
	// Errors: [ErrDisconnected] when the device is gone for good or was
	// closed; any other error may be temporary and Read may be called again.
	Read(queue int, frames []Frame) (int, error)

	// Write offers frames to the device, in order, and never waits. It
	// returns how many were taken. Where that is fewer than len(frames), each
	// frame that was not taken has Err set: [ErrNoBufferSpace] if the same
	// frame may be taken later, [ErrMessageTooLong] if it is over the MTU
	// (or MaxFrame for one with a segment type), [ErrUnsupportedOffload] if
	// its metadata asks for what Info().Offloads does not have,
	// [ErrDisconnected] if the device is gone. Frames that were taken have Err
	// nil. The error result is the first frame's error that is not nil.
	Write(queue int, frames []Frame) (int, error)

	// Notify sets the one function that is told of the state of the link: it
	// is called with the present state before Notify returns, and then from
	// a goroutine of the device on each change, one call at a time. A nil
	// function ends it. Close does not wait for a call under way.
	Notify(func(LinkState))

	// Close ends all calls of Read with [ErrDisconnected] and gives back what
	// the device holds. It may be called at any time and more than once;
	// only the first call can return an error.
	Close() error
}

// DeviceInfo describes a [Device].
type DeviceInfo struct {
	// Name is for people: the interface name, or what was opened.
	Name string
	// HardwareAddr is the address that frames for this side carry as their
	// destination; zero if the device has none of its own.
	HardwareAddr HardwareAddr
	// MTU is the largest payload in bytes, without the Ethernet header.
	MTU int
	// MaxFrame is the largest frame in bytes, header included, that Read may
	// return and Write takes when a segment type is set. It is at least
	// MTU + 14.
	MaxFrame int
	// Offloads is what the device takes off the caller's hands in Write.
	Offloads Offloads
}

// LinkState tells whether a device's link can carry frames.
type LinkState uint8

const (
	// LinkUp: frames can pass.
	LinkUp LinkState = iota
	// LinkDown: no frame passes now; that may change.
	LinkDown
	// LinkGone: the device will carry no frame again.
	LinkGone
)

func (s LinkState) String() string {
	switch s {
	case LinkUp:
		return "up"
	case LinkDown:
		return "down"
	case LinkGone:
		return "gone"
	}
	return fmt.Sprintf("LinkState(%d)", uint8(s))
}

// Offloads is a set of things a device does so that its user need not.
type Offloads uint8

const (
	// OffloadChecksum: a frame with NeedsChecksum may be written.
	OffloadChecksum Offloads = 1 << iota
	// OffloadTCPv4: a frame with SegmentTCPv4 may be written.
	OffloadTCPv4
	// OffloadTCPv6: a frame with SegmentTCPv6 may be written.
	OffloadTCPv6
	// OffloadECN: a segmented frame with the ECN flag may be written.
	OffloadECN
	// OffloadUDP: a frame with SegmentUDP may be written.
	OffloadUDP
)

// Has reports whether all of o2 is in o.
func (o Offloads) Has(o2 Offloads) bool { return o&o2 == o2 }

func (o Offloads) String() string {
	if o == 0 {
		return "none"
	}
	var names []string
	for i, name := range []string{"checksum", "tcp4", "tcp6", "ecn", "udp"} {
		if o&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

// Errors of a [Device] and of everything above it. Test with [errors.Is].
var (
	// ErrDisconnected: the device is gone for good, or was closed. It carries
	// over Disconnected of the MirageOS interface. Not to be retried.
	ErrDisconnected = errors.New("ethstack: disconnected")
	// ErrUnimplemented: what was asked for does not exist here. It carries
	// over Unimplemented of the MirageOS interface. Not to be retried.
	ErrUnimplemented = errors.New("ethstack: unimplemented")
	// ErrNoBufferSpace: the device is full just now; retry later.
	ErrNoBufferSpace = errors.New("ethstack: no buffer space")
	// ErrMessageTooLong: the frame is longer than the device takes.
	ErrMessageTooLong = errors.New("ethstack: message too long")
	// ErrUnsupportedOffload: the frame's metadata asks for an offload that the
	// device does not have, or contradicts itself.
	ErrUnsupportedOffload = errors.New("ethstack: unsupported offload")
)
