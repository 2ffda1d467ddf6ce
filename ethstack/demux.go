package ethstack

import (
	"net/netip"

	"github.com/ethlink/ethlink/arp"
)

// batch adds up what one batch of frames counts, so that the counters are
// touched once for each interface.
type batch struct {
	c                             *counters
	frames, bytes, delivered, arp uint64
}

// of makes c the counters that are added up for.
func (b *batch) of(c *counters) {
	if b.c != c {
		b.flush()
		b.c = c
	}
}

func (b *batch) add(f *Frame) {
	b.frames++
	b.bytes += uint64(f.Len)
}

func (b *batch) flush() {
	if b.frames != 0 {
		b.c.rxFrames.Add(b.frames)
		b.c.rxBytes.Add(b.bytes)
	}
	if b.delivered != 0 {
		b.c.rxDelivered.Add(b.delivered)
	}
	if b.arp != 0 {
		b.c.rxARP.Add(b.arp)
	}
	*b = batch{c: b.c}
}

// input takes one frame from the device to the interface of its VLAN, or
// counts it as dropped by the one that untagged frames are for. mtu is the
// device's.
func (l *Link) input(rcv Receiver, f *Frame, mtu int, sums *batch) {
	h, why := ParseHeader(f.head(), f.Len)
	set := l.stations.Load()
	i := set.untagged
	if h.VLAN != (VLAN{}) {
		if tagged := set.tagged[h.VLAN]; tagged != nil {
			i = tagged
		} else if why == DropNone {
			why = DropVLAN
		}
	}
	if i == nil {
		sums.of(&l.strays)
		sums.add(f)
		l.strays.drops[strayReason(why)].Add(1)
		return
	}
	sums.of(&i.stats)
	i.input(rcv, f, h, why, mtu, sums)
}

// strayReason is why a frame was dropped that no interface is there for.
func strayReason(why DropReason) DropReason {
	if why == DropNone {
		return DropNoReceiver
	}
	return why
}

// input takes one frame: to ARP, to the receiver, or counted as dropped. why is
// what came of parsing its header.
func (i *Interface) input(rcv Receiver, f *Frame, h Header, why DropReason, mtu int, b *batch) {
	b.add(f)
	if why = i.filter(f, &h, why, mtu); why != DropNone {
		i.Drop(why)
		return
	}
	if h.EtherType == EtherTypeARP && !i.passARP.Load() {
		if h.Class == ToOther {
			i.Drop(DropForeign)
			return
		}
		if i.onARP != nil {
			i.onARP(f.head(), h, false)
		}
		if i.inputARP(f.head()[h.Len:], h) {
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

// filter decides by a frame's header whether it goes on: who may have sent it,
// for whom it is, and what it carries, cheapest and commonest first.
func (i *Interface) filter(f *Frame, h *Header, why DropReason, mtu int) DropReason {
	if why == DropRunt {
		return why
	}
	own := i.HardwareAddr()
	switch {
	case h.Source.IsGroup():
		// IEEE 802.3 §3.2.3: the group bit of a source address is zero.
		return DropSourceGroup
	case h.Source.IsZero():
		return DropSourceZero
	case h.Source == own:
		return DropReflected
	}
	switch {
	case h.Destination == own:
		h.Class = ToUs
	case !h.Destination.IsGroup():
		if !i.open {
			return DropForeign
		}
		h.Class = ToOther
	case h.Destination.IsBroadcast():
		h.Class = ToBroadcast
	case isReservedGroup(h.Destination):
		return DropReservedGroup
	default:
		h.Class = ToMulticast
	}
	if why != DropNone {
		return why
	}
	f.Len = h.Len + h.PayloadLen // what pads an 802.3 frame is taken off
	if f.Offload != (Offload{}) {
		if why := checkOffload(f); why != DropNone {
			return why
		}
		if f.sumsHeaders(h) || f.sumsFragment(h) {
			return DropBadOffload
		}
	}
	if f.Offload.Segment == SegmentNone && h.PayloadLen > mtu {
		return DropOversize
	}
	if h.EtherType == EtherTypeIPv4 && h.Class != ToUs && i.unicastInGroup(f.head()[h.Len:], h.Class) {
		return DropUnicastInGroup
	}
	return DropNone
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
	// The host tells of no changes: whatever an ARP packet names is compared.
	m := arp.Meta{
		Broadcast:     h.Class != ToUs,
		TargetIsOurs:  i.res.compare(p.TargetAddr),
		SenderIsOurs:  i.res.compare(p.SenderAddr),
		SourceDiffers: p.SenderHardwareAddr != h.Source,
	}
	m.TargetIsProxied = !m.TargetIsOurs && i.proxies(p.TargetAddr)
	if m.TargetIsOurs || m.TargetIsProxied || p.IsAnnouncement() { // or nobody is learned
		m.SenderIsOffLink = i.host != nil && !i.host.OnLink(p.SenderAddr)
	}
	if m.SourceDiffers {
		i.stats.arpSourceDiffers.Add(1)
	}
	ok := i.res.input(p, m)
	if !ok {
		i.Drop(DropARPBusy)
	}
	return ok
}
