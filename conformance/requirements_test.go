package conformance_test

import "github.com/ethlink/ethlink/conformance"

// A requirement is one thing that a standard or good practice asks of the
// Ethernet and ARP layer.
type requirement struct {
	level  conformance.Level
	clause string
	asks   string
}

const (
	must   = conformance.Must
	should = conformance.Should
	may    = conformance.May
	policy = conformance.Policy
)

// requirements are the project's list: R1 is the first.
var requirements = []requirement{
	{must, "RFC 826, packet reception", "ARP of another hardware type than Ethernet is dropped"},
	{may, "RFC 826, packet reception", "a hardware address length other than 6 is dropped"},
	{must, "RFC 826, packet reception", "ARP of another protocol than IPv4 is dropped"},
	{may, "RFC 826, packet reception", "a protocol address length other than 4 is dropped"},
	{must, "RFC 826, Merge_flag", "what a known neighbor says updates its entry, in requests and replies, whoever is asked"},
	{must, "RFC 826, packet reception", "who asks for us is added; who asks for another is not"},
	{must, "RFC 826, packet reception", "the opcode is looked at last, and only requests are answered"},
	{must, "RFC 826, packet reception", "a reply is sent to who asked, with the fields exchanged and our address in them"},
	{must, "RFC 826, packet generation", "a request is broadcast, with our addresses and a target hardware address of zero"},
	{should, "RFC 826, packet reception", "requests are not forwarded; the sender inside the packet counts, not the frame's source"},
	{must, "RFC 1122 §2.3.3, RFC 894, RFC 2464 §3", "IPv4, ARP and IPv6 are sent and received with their EtherTypes"},
	{should, "RFC 1122 §2.3.3, RFC 1042", "802.3 frames with LLC and SNAP are received as well"},
	{must, "RFC 1122 §2.3.3", "RFC 894 is the format of what is sent"},
	{must, "RFC 894", "the MTU is 1500, the largest frame 1514 bytes, 4 more with a tag"},
	{must, "IEEE 802.3 §3.2.6", "length or type: to 1500 a length, from 1536 a type, between them dropped"},
	{must, "IEEE 802.3 §3.2.6", "a length tells payload from padding; one beyond the frame is dropped"},
	{must, "RFC 894, IEEE 802.3 §3.2.8", "short frames are padded with zeros; short ones, and padding, are received"},
	{must, "IEEE 802.3 §3.1.1", "frames shorter than a header are dropped and counted"},
	{must, "IEEE 802.1Q §9", "priority tags are taken off; VLANs that nobody has, and VID 4095, are dropped"},
	{must, "IEEE 802.3 §31, 802.1D §7.12.6", "MAC control and the reserved groups reach nobody and are not answered"},
	{must, "IEEE 802.3 §3.2.3", "a source address that is a group's, or zero, is dropped and not learned"},
	{policy, "no standard", "frames of our own that come back are dropped, and are no conflict"},
	{must, "IEEE 802.3 §3.2.3, §4.2.9", "our unicast, broadcast and groups are let in, and no other unicast"},
	{policy, "IEEE 802.3 §3.2.7", "frames longer than the MTU allows are dropped, super-frames aside"},
	{must, "RFC 1122 §2.3.2.1", "entries that are out of date are found out and removed"},
	{must, "RFC 1122 §2.3.2.1", "no destination is asked for by broadcast more than once a second"},
	{should, "RFC 1122 §2.3.2.2", "the latest packet for a next hop is kept until it is resolved"},
	{must, "RFC 1122 §2.4", "no Destination Unreachable because there is no entry yet"},
	{must, "RFC 1122 §2.4", "IP is told which packets came as link-layer broadcasts"},
	{must, "RFC 1122 §3.2.2, §3.3.6", "no ICMP error for link-layer broadcasts; unicast packets in them are dropped"},
	{may, "RFC 1122 §2.3.1", "trailers are not used, and dropped"},
	{must, "RFC 1122 §3.3.1.1", "on-link destinations are asked for themselves, others' gateways in their place"},
	{must, "RFC 1122 §3.3.6, RFC 1112 §6.4", "IP broadcast and multicast map to their hardware addresses; joined groups are received"},
	{should, "RFC 1122 §3.2.1.3", "what can be nobody's address is not asked for"},
	{must, "RFC 2464 §7, RFC 8200 §5", "IPv6 multicast maps to 33:33; the MTU is 1500"},
	{must, "RFC 4861 §7.2.2", "IPv6 neighbor discovery passes, and ARP has no part in it"},
	{should, "RFC 6085", "IPv6 multicast in a unicast frame is received"},
	{must, "RFC 4861 §7.2.6", "a new hardware address is in what is sent from then on"},
	{must, "RFC 5227 §2.1", "an address is probed for before it is used, with a sender of 0.0.0.0"},
	{should, "RFC 5227 §2.1.1", "a random wait, PROBE_NUM probes, ANNOUNCE_WAIT of silence"},
	{must, "RFC 5227 §2.1.1", "who has or probes for the address meanwhile is a conflict; our own packets are not"},
	{must, "RFC 5227 §2.1.1", "after MAX_CONFLICTS one attempt in RATE_LIMIT_INTERVAL"},
	{must, "RFC 5227 §2.3", "an address is announced ANNOUNCE_NUM times, by requests"},
	{must, "RFC 5227 §2.4", "who uses our address is a conflict: give up, defend once, or defend at a limited rate"},
	{must, "RFC 5227 §2.5, §2.1", "from the first announcement on it is answered for, and not probed for again"},
	{must, "RFC 5227 §2.1.1, §2.5", "a probe is answered, and nobody is learned from it"},
	{should, "RFC 5227 §2.6", "replies are not broadcast in general"},
	{must, "RFC 3927 §2.5", "ARP from a link-local address is broadcast"},
	{must, "RFC 3927 §2.6.2, §2.7", "link-local destinations are asked for directly"},
	{must, "RFC 3927 §2.1, §2.2", "link-local addresses are chosen at random from the hardware address, and claimed"},
	{policy, "RFC 5494, IANA", "reserved and experimental hardware types and opcodes are ignored"},
	{must, "RFC 1027", "proxy ARP is off by default, and answers for nobody on the asker's side"},
	{policy, "Linux, arp_accept", "what nobody asked for adds no neighbor"},
	{policy, "Linux, drop_gratuitous_arp", "announcements can be ignored altogether"},
	{policy, "Linux, locktime", "another hardware address is believed only when the neighbor is silent at the old one"},
	{policy, "Linux, arp_process", "only a unicast reply that was asked for makes a neighbor reachable"},
	{policy, "Linux, arp_filter", "impossible senders, and those off the link, are not learned"},
	{policy, "no standard", "a sender that is not the frame's source is counted, and dropped if so configured"},
	{policy, "Linux, arp_ignore", "only our own addresses are answered for, and no broadcast, multicast or loopback"},
	{policy, "Linux, arp_announce", "a request has a sender in the target's subnet, if there is one"},
	{policy, "Linux, gc_thresh", "the table is bounded, and who is in use is not evicted for who is not"},
	{policy, "Linux, unres_qlen_bytes", "what waits is bounded, and so are requests and replies in a second"},
	{policy, "RFC 4861 §7.3.2, Linux", "the states of an entry and their times; a failed one is refused at once"},
	{policy, "Linux, arp_evict_nocarrier", "neighbors are forgotten when the link goes down"},
	{policy, "Linux, arp_notify", "addresses are announced when the link comes up or the hardware address changes"},
	{policy, "NIC disabled, tentative address", "a NIC that is disabled, and an address that is not assigned, are not answered for"},
}
