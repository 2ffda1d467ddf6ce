// Package endpoint joins an [ethstack.Device] to gVisor's netstack: an
// [Endpoint] is a stack.LinkEndpoint with its own frame demux and its own ARP.
//
// # Wiring
//
//	s := stack.New(stack.Options{
//		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
//		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
//	})
//	dev, err := tap.Open(tap.Options{Name: "tap0"})
//	...
//	ep, err := endpoint.New(dev, endpoint.Options{})
//	...
//	s.CreateNIC(1, ep)
//	s.AddProtocolAddress(1, ...)
//
// Do not register arp.NewProtocol of gVisor: IPv4 packets then arrive here with
// their next hop, and are resolved here. IPv6 goes on using gVisor's neighbor
// discovery. If gVisor's ARP is registered all the same, the endpoint finds out
// when it is attached and steps back: it passes ARP frames up and answers none,
// so that there is one answer to each request. (Under a wrapper such as
// link/sniffer it cannot find out; then call SetPassARP of the Interface.)
//
// # Which addresses are ours
//
// The NIC tells, through the dispatcher that it attaches: nothing needs to be
// configured. Three things follow.
//
//   - A NIC that is disabled neither sends ARP nor answers it.
//   - Spoofing makes every address look like the NIC's own. While it is on, only
//     the NIC's primary address is answered for, and what AddIPv4 of the
//     Interface was given. Promiscuous mode changes nothing.
//   - A wrapper around the endpoint (link/sniffer), or a bridge whose port it
//     is, cannot be asked. Then only what AddIPv4 was given is answered for.
//
// stack.Neighbors, AddStaticNeighbor and GetLinkAddress report that they are
// not supported for IPv4: the methods of the [ethstack.Interface] take their
// place.
//
// # Next hops that do not answer
//
// A TCP connection attempt fails with "no route to host" when the last request
// has gone unanswered, 3 s by default. For some time after that, new attempts
// and writes to UDP sockets fail at once. Packets that netstack forwards for
// others are dropped and counted; their senders are not told.
//
// # Checksums and segmentation
//
// The endpoint promises netstack host GSO over every device, and does in software
// what the device cannot. It verifies each received IPv4 header and each
// transport checksum that the device does not vouch for. Super-frames and frames
// whose checksum is still to be completed go up as they are if they end in this
// host; any other is taken apart and completed first, since netstack forgets
// that metadata when it forwards.
//
// # Packet sockets
//
// They see every IP frame in both directions. They do not see ARP, unless
// gVisor's ARP is registered. The destination of a frame whose next hop was not
// resolved when it was sent reads as zero.
//
// # Not supported
//
// A port of a netstack bridge (with Options.OpenFilter) carries everything but
// the IPv4 packets of the bridge's own NIC, which would have to be resolved with
// that NIC's addresses. Saving the state of a stack (stateify) fails with this
// endpoint in it, as with every one that is not gVisor's own.
package endpoint
