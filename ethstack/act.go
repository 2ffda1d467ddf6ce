package ethstack

import (
	"net/netip"
	"slices"

	"github.com/ethlink/ethlink/arp"
)

// perform does what a says. No lock is held.
func (r *resolver) perform(a *actions) {
	for _, s := range a.Send {
		r.send(s)
	}
	for _, x := range a.Release {
		x.P.Resolved(x.HardwareAddr)
	}
	for _, d := range a.Drop {
		if d.Reason == arp.DropInvalid {
			r.compare(d.NextHop) // the next packet's may not be any more
		}
		r.i.stats.pending[d.Reason].Add(1)
		d.P.Dropped(d.Reason)
	}
	for _, e := range a.Events {
		r.i.onEvent(e) // not nil: see end
	}
}

// finish tells the handler which next hops' packets have been sent, so that
// it can give the next ones, or publish the entry where none are left.
func (r *resolver) finish(a *actions) {
	var last uint64
	for _, x := range a.Release {
		if x.Batch != last {
			last = x.Batch
			b := r.begin()
			r.h.Drained(x.Batch, x.NextHop, b)
			r.end(b)
		}
	}
	r.mu.Lock()
	r.recycle(a)
	r.mu.Unlock()
}

// send transmits one ARP packet, if we are allowed to.
func (r *resolver) send(s arp.Send) {
	p := s.Packet
	probe := p.SenderAddr == netip.IPv4Unspecified()
	if h := r.i.host; h != nil && !h.Enabled() {
		r.i.Drop(DropDisabled)
		if probe {
			r.failClaims(p.TargetAddr, errDisabled) // nobody was asked
		}
		return
	}
	switch {
	case probe:
	case p.IsAnnouncement():
		// Nobody tells when the host gives an address up, and by now it may be
		// another host's.
		if !r.compare(p.SenderAddr) {
			r.i.Drop(DropTxNoSource)
			return
		}
	case p.Operation == arp.OperationRequest:
		if p.SenderAddr = r.source(p.TargetAddr, p.SenderAddr); !p.SenderAddr.IsValid() {
			// RFC 5227 §2.1: a request from 0.0.0.0 would be a probe.
			r.i.Drop(DropTxNoSource)
			return
		}
	}
	if p.SenderAddr.IsLinkLocalUnicast() {
		// RFC 3927 §2.5: all ARP packets with a link-local sender are broadcast.
		s.To = arp.Broadcast
	}
	clear(r.packet[:]) // RFC 894: padding is zero
	h := Header{Destination: s.To, Source: p.SenderHardwareAddr, EtherType: EtherTypeARP, Len: HeaderLen, PayloadLen: len(r.packet) - HeaderLen}
	h.Put((*[HeaderLen]byte)(r.packet[:]))
	p.Put((*[arp.PacketLen]byte)(r.packet[HeaderLen:]))
	r.bufs[0] = r.packet[:]
	r.frames[0] = Frame{Bufs: r.bufs[:]}
	if r.i.onARP != nil {
		r.i.onARP(r.packet[:], h, true)
	}
	if _, err := r.i.Write(0, r.frames[:]); err != nil {
		return
	}
	if p.Operation == arp.OperationRequest {
		r.i.stats.arpRequests.Add(1)
	} else {
		r.i.stats.arpReplies.Add(1)
	}
}

// source returns the sender address of a request: the preferred one if it is
// ours, or else another one of ours. An address that the host uses and that
// we had not known is announced from here on.
func (r *resolver) source(target, preferred netip.Addr) netip.Addr {
	added := *r.i.explicit.Load()
	if slices.Contains(added, preferred) {
		return preferred
	}
	if h := r.i.host; h != nil {
		if src := h.SourceFor(target, preferred).Unmap(); usableIPv4(src) {
			if r.learn(src, true) {
				return src
			}
		}
	}
	if len(added) > 0 {
		return added[0]
	}
	return netip.Addr{}
}

// compare reports whether addr is ours, and brings the handler's list in line
// with what the host says of it. No lock may be held.
func (r *resolver) compare(addr netip.Addr) bool {
	i := r.i
	if added := i.isExplicit(addr); added || i.host == nil || !usableIPv4(addr) {
		return added
	}
	return r.learn(addr, i.host.IsLocal(addr))
}

// maxLearned bounds the addresses that are announced because the host says they
// are ours. There may be a network of them that it answers for (RFC 1027), and
// anybody can ask for all.
const maxLearned = 1024

// learn brings the handler's list in line with what the host says of addr: a
// new address of ours is announced, one that was taken away is forgotten. It
// reports whether it is ours: one that was given up to another host is not,
// whatever the host says, until the host has taken it away.
func (r *resolver) learn(addr netip.Addr, ours bool) bool {
	a := r.begin()
	if !ours {
		delete(r.lost, addr)
	}
	ours = ours && !r.lost[addr]
	switch known := r.h.HasAddress(addr); {
	case known && !ours && !r.i.isExplicit(addr): // may have been added since
		r.h.RemoveAddress(addr)
	case !known && ours && len(r.h.Addresses()) < maxLearned:
		r.h.AddAddress(r.clock.Now(), addr, a)
	}
	r.end(a)
	return ours
}
