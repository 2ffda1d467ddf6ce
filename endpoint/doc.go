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
// # The companion
//
// [NewProtocol], in the place of gVisor's ARP, is optional. It tells the endpoint
// what netstack tells network protocols only. With it
//
//   - nothing needs to be configured under a wrapper, such as link/sniffer or
//     link/packetsocket (link/ethernet has a header of its own and does not go
//     around this endpoint);
//   - all addresses of a NIC are answered for, and none but these, with spoofing
//     on as well, and no subnet's broadcast address is taken for one of them;
//   - requests are sent from an address in the subnet of who is asked for;
//   - a packet that cannot be delivered is reported as netstack's own resolver
//     does it: who sent it by way of this stack gets an ICMP message;
//   - a NIC that is disabled forgets its neighbors, and one that is enabled
//     announces its addresses;
//   - frames for groups that IP has not joined stay out, unless the NIC is
//     promiscuous or forwards multicast;
//   - packet sockets see ARP;
//   - CheckDuplicateAddress of the stack asks for IPv4 addresses, too.
//
// An endpoint of another kind on the same stack is left alone, and has no ARP.
//
// # Which addresses are ours
//
// The NIC tells, through the dispatcher that it attaches: nothing needs to be
// configured. Three things follow where there is no companion.
//
//   - A NIC that is disabled neither sends ARP nor answers it.
//   - Spoofing makes every address look like the NIC's own. While it is on, only
//     the NIC's primary address is answered for, and what AddIPv4 of the
//     Interface was given. Promiscuous mode changes nothing.
//   - A wrapper around the endpoint cannot be asked. Then only what AddIPv4 was
//     given is answered for.
//
// Netstack tells nobody of a new address, not even the companion. It is announced
// when it is first sent from or asked for; one that is added with
// [Endpoint.AddAddress] is announced at once.
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
// others are dropped and counted; with the companion their senders are told.
//
// # Devices, VLANs
//
// A device is an [ethstack.Device]: a TAP, a file descriptor, or with [FromLink]
// a link endpoint of netstack that carries frames. [Endpoint.VLAN] makes further
// endpoints for the tagged frames of the same device, each a station of its own.
// [Endpoint.Replace] puts another device in the place of the present one, under
// connections that live on; netstack is not told of its MTU before it asks.
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
// They see every IP frame in both directions, if the NIC was made with
// DeliverLinkPackets or link/packetsocket is around the endpoint. They see ARP
// with the companion, or with gVisor's ARP. (ARP that we send they see with the
// companion in any case: whether a NIC delivers cannot be asked.) The destination
// of a frame whose next hop was not resolved when it was sent reads as zero.
//
// # Bridges
//
// A port of a netstack bridge, with Options.OpenFilter, does no ARP: it carries
// that of others. The bridge's own NIC can use IPv4 if gVisor's ARP is registered;
// promiscuous mode or not, that NIC takes in packets that are for another host's
// hardware address.
//
// # Not supported
//
// On a stack without gVisor's ARP, IPv4 of a bridge's NIC, whose packets would
// have to be resolved with that NIC's addresses, and IPv4 of other Ethernet
// endpoints. The companion together with gVisor's ARP: a stack has one protocol
// for an EtherType. Saving the state of a stack (stateify), which fails with this
// endpoint in it, as with every one that is not gVisor's own.
package endpoint
