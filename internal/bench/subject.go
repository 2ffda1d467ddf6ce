package bench

// A side is whose code a subject is.
type side uint8

const (
	sideKernel side = iota
	sideGVisor
	sideOurs
)

// A Subject is a host's way of being on a wire.
type Subject struct {
	// Name is how it is asked for.
	Name string
	// What it is, for people.
	What string
	// Expert: netstack is tuned as somebody would who knows its weak points.
	Expert bool

	side side
	// wire is what connects it to the peer.
	wire wire
	// plain: the wire's offloads are switched off.
	plain bool
}

// A wire is what connects a subject to its peer.
type wire uint8

const (
	// wireTAP: the subject has the file descriptor, the peer the interface.
	wireTAP wire = iota
	// wireVeth: each has one end of a pair.
	wireVeth
)

// expertSuffix ends the name of a subject that is tuned.
const expertSuffix = "-expert"

// Subjects returns all there are, those that are tuned last.
func Subjects() []Subject {
	list := []Subject{
		{Name: "kernel", side: sideKernel, wire: wireVeth,
			What: "Linux TCP to Linux TCP over a veth pair: the limit"},
		{Name: "fdbased-tap", side: sideGVisor, wire: wireTAP,
			What: "gVisor's link/fdbased on a TAP, its network/arp: today's way"},
		{Name: "channel-tap", side: sideGVisor, wire: wireTAP,
			What: "gVisor's link/channel and link/ethernet, and loops that read and write a TAP: what people glue together"},
		{Name: "fdbased-packet", side: sideGVisor, wire: wireVeth, plain: true,
			What: "gVisor's link/fdbased on AF_PACKET over a veth pair without offloads, recvmmsg"},
		{Name: "fdbased-packet-gso", side: sideGVisor, wire: wireVeth,
			What: "the same as runsc sets it up: virtio header, host GSO, RX checksum offload, fifo queue"},
		{Name: "ethlink-tap", side: sideOurs, wire: wireTAP,
			What: "this module on a TAP"},
		{Name: "ethlink-tap-queue", side: sideOurs, wire: wireTAP,
			What: "this module on a TAP with the endpoint's queue"},
		{Name: "ethlink-tap-plain", side: sideOurs, wire: wireTAP,
			What: "this module, with its queue, on a TAP without offloads: segmented in software"},
		{Name: "ethlink-packet", side: sideOurs, wire: wireVeth,
			What: "this module on AF_PACKET over a veth pair"},
		{Name: "ethlink-packet-queue", side: sideOurs, wire: wireVeth,
			What: "this module on AF_PACKET with the endpoint's queue"},
	}
	for _, s := range list {
		if s.side == sideGVisor {
			s.Name, s.What, s.Expert = s.Name+expertSuffix, s.What+"; RACK off, one processor for each channel", true
			list = append(list, s)
		}
	}
	return list
}
