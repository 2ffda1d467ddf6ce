package conformance

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// A Factory makes a [Subject]. It is called once for each check, so that no
// check is influenced by another. An error says why there is none: then the
// check fails.
type Factory func() (*Subject, error)

// A Subject is one link endpoint to be tested, and the wire that it is on.
type Subject struct {
	// Endpoint is what is tested. It has not been attached to anything yet.
	// The suite closes it.
	Endpoint stack.LinkEndpoint
	// NetworkProtocols are what a stack needs for IPv4 and IPv6 over the
	// endpoint; an ARP is among them only if the endpoint has none itself.
	NetworkProtocols []stack.NetworkProtocolFactory
	// HardwareAddr is the endpoint's address, 6 bytes.
	HardwareAddr tcpip.LinkAddress
	// MTU is the endpoint's: the largest IP packet in bytes. The suite wants
	// at least 1500 for what it says of Ethernet, and sends frames that are
	// longer than MTU allows.
	MTU uint32
	// Wire is where frames come in and go out.
	Wire Wire
	// Clock is the time that the endpoint lives by, if it can be given one; the
	// suite's stack does so too. Nil means real time: checks that need more
	// than a few seconds of it are then not applicable.
	Clock *Clock
	// Unplug makes the other end of the wire go away for good. Nil means that
	// it cannot, and the checks of that are not applicable.
	Unplug func()
	// SetLink takes the link down and up again, if the endpoint is told of
	// that. Nil means that it is not.
	SetLink func(up bool)
	// Offload puts a frame with metadata on the wire, if the endpoint's device
	// hands over such: super-frames of TCP and partial checksums. Nil means that
	// it does not.
	Offload func(frame []byte, o Offload) error
	// Close gives back what is left when the endpoint has been closed. It may
	// be nil.
	Close func()
}

// A Wire is what a cable is to an Ethernet card: whole frames, without the
// frame check sequence, as they are. Its methods are called by one goroutine at
// a time, except that Send may be called from two.
type Wire interface {
	// Send puts a frame on the wire toward the endpoint. The frame remains the
	// caller's. The error, if such a frame cannot be sent at all, makes the
	// check that wants it skip that frame or, if there is no other, not
	// applicable.
	Send(frame []byte) error
	// Recv returns the next frame that the endpoint has sent, for the caller
	// to keep; nil if there is none within the timeout. With a timeout of zero
	// it returns at once.
	Recv(timeout time.Duration) []byte
}
