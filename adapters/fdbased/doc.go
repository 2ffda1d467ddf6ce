// Package fdbased makes a file descriptor that carries Ethernet frames, and that
// somebody else may have opened, an [ethstack.Device]. [New] finds out what it
// is:
//
//   - a packet socket (AF_PACKET, SOCK_RAW) that is bound to an interface;
//     [OpenPacket] opens one,
//   - a connected unix datagram or seqpacket socket: one frame a message,
//   - a connected stream (unix, TCP or vsock): each frame behind its length, 4
//     bytes in network byte order, as QEMU's `-netdev stream` and other monitors
//     of virtual machines speak it,
//   - a TAP, which is handed on to package tap.
//
// No call of Write waits, no frame that is received ends a device, and what is
// not passed on is counted in [Stats].
//
// # Packet sockets
//
// The interface stays the kernel's, and each frame that comes in is seen by
// both: what the socket receives the kernel receives too, and the device sends
// what goes out on the wire, not to the kernel. By default the device has the
// interface's own hardware address. That is what container runtimes want, which
// take the IP addresses away from the interface and give them to their own
// network stack. Where the kernel keeps IP addresses, and forwards packets, it
// also forwards those that were meant for this side: then give the device a
// hardware address of its own with [Options.HardwareAddr], and the interface
// will take frames for that, too.
//
// The frames are those of the wire: an IEEE 802.1Q tag that the kernel took out
// is put back. Super-frames and checksums that are not complete pass both ways
// with their metadata; the kernel does what the hardware cannot. What the host
// itself sends on the interface is not received. All multicast is, because the
// groups of a network stack that is not the kernel's are not known to the
// interface.
//
// With [Options.Queues] several goroutines read at the same time, each a socket
// of its own. Which one a flow comes in on is the kernel's choice, by a hash of
// its addresses and ports that is the same for both directions: so its frames
// stay in order. Only a fragment of an IP packet, which has no ports, may come in
// on another. The choice is made anew when the interface has been down. Frames
// that are not IP come in on one queue. Frames may be written to any queue, those
// of a flow best always to the same, as the endpoint does. That pays with several
// processors and many flows; otherwise one queue is as fast, and is the default.
//
// # The state of the link
//
// A packet socket's link is up while its interface is up and has its carrier.
// While it is down Read waits, and Write fails with an error that wraps
// [ethstack.ErrNoBufferSpace]. When the interface is deleted, or moved to
// another network namespace, the kernel cuts the socket off, and the link is
// gone for good. An interface in a network namespace that this process may not
// enter counts as up, and is noticed to be gone by the next Write.
//
// The link of any other socket is up until the other end goes away, and then it
// is gone: the kernel cuts that connection for good, so a new device is needed
// even if the other end comes back. Of a datagram socket the kernel says only
// when a frame is written that there is nobody any more; what had been received
// and not been read it throws away then.
//
// A stream is gone, too, when a length in it is less than an Ethernet header or
// more than any frame has, because where the next frame starts is not known
// then.
package fdbased
