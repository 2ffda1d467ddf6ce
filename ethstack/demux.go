package ethstack

import (
	"net/netip"

	"github.com/ethlink/ethlink/arp"
)

// batch adds up what one batch of frames counts, so that the counters are
// touched once.
type batch struct {
	frames, bytes, delivered, arp uint64
}

func (b *batch) flush(c *counters) {
	c.rxFrames.Add(b.frames)
	c.rxBytes.Add(b.bytes)
	if b.delivered != 0 {
		c.rxDelivered.Add(b.delivered)
	}
	if b.arp != 0 {
		c.rxARP.Add(b.arp)
	}
	*b = batch{}
}

// input takes one frame from the device: to ARP, to the receiver, or counted
// as dropped. mtu is the device's.
func (i *Interface) input(rcv Receiver, f *Frame, mtu int, b *batch) {
	b.frames++
	b.bytes += uint64(f.Len)
	head := f.head()
	h, why := i.classify(head, f, mtu)
	if why != DropNone {
		i.Drop(why)
		return
	}
	if h.EtherType == EtherTypeARP && !i.passARP.Load() {
		if h.Class == ToOther {
			i.Drop(DropForeign)
			return
		}
		if i.inputARP(head[h.Len:], h) {
			b.arp++
		}
		return
	}
	if why := rcv.Deliver(i, f, h); why != DropNone {
		i.Drop(why)
		return
	}
	b.delivered++
}

// classify parses the header and applies the filter: who may have sent the
// frame, for whom it is, and what it carries, cheapest and commonest first.
func (i *Interface) classify(head []byte, f *Frame, mtu int) (Header, DropReason) {
	h, why := ParseHeader(head)
	if why == DropRunt {
		return h, why
	}
	own := i.HardwareAddr()
	switch {
	case h.Source.IsGroup():
		// IEEE 802.3 §3.2.3: the group bit of a source address is zero.
		return h, DropSourceGroup
	case h.Source.IsZero():
		return h, DropSourceZero
	case h.Source == own:
		return h, DropReflected
	}
	switch {
	case h.Destination == own:
		h.Class = ToUs
	case !h.Destination.IsGroup():
		if !i.open {
			return h, DropForeign
		}
		h.Class = ToOther
	case h.Destination.IsBroadcast():
		h.Class = ToBroadcast
	case isReservedGroup(h.Destination):
		return h, DropReservedGroup
	default:
		h.Class = ToMulticast
	}
	if why != DropNone {
		return h, why
	}
	if f.Offload != (Offload{}) {
		if why := checkOffload(f); why != DropNone {
			return h, why
		}
	}
	if f.Offload.Segment == SegmentNone && f.Len > mtu+h.Len {
		return h, DropOversize
	}
	if h.EtherType == EtherTypeIPv4 && h.Class != ToUs && i.unicastInGroup(head[h.Len:], h.Class) {
		return h, DropUnicastInGroup
	}
	return h, DropNone
}

// unicastInGroup reports whether an IPv4 packet has a unicast destination
// although its frame went to a group.
//
// RFC 1122 §3.3.6: a host SHOULD silently discard a datagram that came by
// link-layer broadcast but names no IP multicast or broadcast address.
//
// Choice: a subnet's broadcast address cannot be told from a foreign host's
// here, so of broadcast frames only those with an address of ours are
// discarded; IP does not accept the others.
func (i *Interface) unicastInGroup(packet []byte, c Class) bool {
	if c == ToOther || len(packet) < 20 {
		return false // not a group, or not for us to judge
	}
	dst := [4]byte(packet[16:20])
	if dst[0] >= 224 {
		return false
	}
	return c == ToMulticast || i.isOurs(netip.AddrFrom4(dst))
}

// inputARP hands an ARP packet to the resolver and reports whether it could be
// taken in.
func (i *Interface) inputARP(packet []byte, h Header) bool {
	if i.host != nil && !i.host.Enabled() {
		i.Drop(DropDisabled)
		return false
	}
	p, err := arp.ParsePacket(packet)
	if err != nil {
		i.Drop(DropBadARP)
		return false
	}
	m := arp.Meta{Broadcast: h.Class != ToUs}
	m.TargetIsOurs = i.isOurs(p.TargetAddr)
	m.SenderIsOurs = i.isOurs(p.SenderAddr)
	if i.host != nil {
		i.sync(p, m)
	}
	i.res.input(p, m)
	return true
}

// sync keeps the resolver's list of addresses in step with the host's, which
// tells of no changes: whatever an ARP packet names is compared.
func (i *Interface) sync(p arp.Packet, m arp.Meta) {
	if usableIPv4(p.TargetAddr) {
		i.res.learn(p.TargetAddr, m.TargetIsOurs)
	}
	if usableIPv4(p.SenderAddr) {
		i.res.learn(p.SenderAddr, m.SenderIsOurs)
	}
}
