package arp

import (
	"fmt"
	"net/netip"
	"time"
)

// Meta is what the caller of [Handler.Input] knows of a packet besides its
// content.
type Meta struct {
	// Broadcast: the frame's destination was not our own hardware address.
	Broadcast bool
	// TargetIsOurs: the target address is one that we answer for.
	TargetIsOurs bool
	// TargetIsProxied: it is another host's, behind us, and we answer for it if
	// it is not on this link (RFC 1027).
	TargetIsProxied bool
	// SenderIsOurs: the sender address is one of ours.
	SenderIsOurs bool
	// SenderIsOffLink: the sender address is in no subnet of this link. Such a
	// neighbor is not added unless it was asked for.
	SenderIsOffLink bool
	// SourceDiffers: the frame's source is not the sender's hardware address.
	SourceDiffers bool
}

// InputResult is what came of an ARP packet.
type InputResult uint8

const (
	// InputIgnored: not for us, and nothing that we know of.
	InputIgnored InputResult = iota
	// InputAnswered: a request for an address of ours.
	InputAnswered
	// InputConfirmed: it confirmed, moved, or gave us a neighbor's address.
	InputConfirmed
	// InputChallenged: it says that a neighbor has another hardware address;
	// that is being verified, or was ignored because of what was found before.
	InputChallenged
	// InputLimited: a request for an address of ours, or behind us, not answered
	// because too many were.
	InputLimited
	// InputUnsolicited: a reply from somebody we did not ask.
	InputUnsolicited
	// InputConflict: somebody else uses an address of ours.
	InputConflict
	// InputReflected: our own packet came back.
	InputReflected
	// InputUnknownOperation: neither a request nor a reply.
	InputUnknownOperation
	// InputBadSender: the sender's hardware address is zero, a group's, or not
	// the frame's source where that is asked for.
	InputBadSender
	// NumInputResults is how many results there are.
	NumInputResults
)

var inputResultNames = [NumInputResults]string{
	"ignored", "answered", "confirmed", "challenged", "rate limited", "unsolicited reply", "address conflict", "reflected", "unknown operation", "bad sender",
}

func (r InputResult) String() string {
	if r < NumInputResults {
		return inputResultNames[r]
	}
	return fmt.Sprintf("InputResult(%d)", uint8(r))
}

// Input takes in one packet that was received.
//
// It is RFC 826 "Packet Reception". [ParsePacket] has asked "Do I have the
// hardware type?" and "Do I speak the protocol?"; what follows is, in the
// paper's order and words:
//
//	Merge_flag := false
//	If the pair <protocol type, sender protocol address> is already in my
//	translation table, update the sender hardware address field of the entry
//	with the new information in the packet and set Merge_flag to true.
//	?Am I the target protocol address?
//	Yes:
//	  If Merge_flag is false, add the triplet <protocol type, sender protocol
//	  address, sender hardware address> to the translation table.
//	  ?Is the opcode ares_op$REQUEST? (NOW look at the opcode!!)
//	  Yes:
//	    Swap hardware and protocol fields, putting the local hardware and
//	    protocol addresses in the sender fields. Set the ar$op field to
//	    ares_op$REPLY. Send the packet to the (new) target hardware address
//	    on the same hardware on which the request was received.
//
// As a table, with what is added to the paper:
//
//	known  for us  operation  then
//	yes    no      either     update
//	no     no      either     nothing
//	yes    yes     request    update, reply
//	yes    yes     reply      update, which confirms the address if asked for
//	no     yes     request    add as Stale, reply
//	no     yes     reply      nothing: nobody asked
//
// An update that changes a hardware address is verified first. What is "for us"
// may also be for an address behind us, see [Meta].TargetIsProxied.
func (h *Handler[P]) Input(now time.Duration, p Packet, m Meta, a *Actions[P]) InputResult {
	switch {
	case h.closed || h.c.NoARP:
		return InputIgnored
	case p.SenderHardwareAddr == h.hw:
		return InputReflected
	case p.SenderHardwareAddr.IsGroup() || p.SenderHardwareAddr.IsZero():
		// IEEE 802.3 §3.2.3: no station has such an address.
		return InputBadSender
	case m.SourceDiffers && h.c.StrictSource:
		return InputBadSender
	case p.Operation != OperationRequest && p.Operation != OperationReply:
		// Deviation: RFC 826 updates the table before it looks at the opcode.
		// Whatever other operations say of a sender, no host needs it, and
		// RFC 5494 §2 reserves some for experiments.
		return InputUnknownOperation
	case h.isEcho(now, p.SenderHardwareAddr) && (m.SenderIsOurs || h.own.all[p.SenderAddr] != nil || p.IsProbe()):
		// RFC 5227 §2.1.1: the packet of another host is a conflict. This one was
		// sent by us, before our hardware address changed.
		return InputReflected
	case h.contest(p, a):
		return InputConflict
	case m.SenderIsOurs || h.HasAddress(p.SenderAddr):
		// RFC 5227 §2.4: a sender address of ours from another host is a conflict.
		h.defend(now, p.SenderAddr, p.SenderHardwareAddr, a)
		return InputConflict
	}
	h.heard(p)
	known, challenged := h.merge(now, p, m, a)
	switch {
	case m.TargetIsOurs && p.Operation == OperationRequest:
		return h.answer(now, p, m, known && !challenged, a)
	case m.TargetIsProxied && p.Operation == OperationRequest:
		return h.proxy(now, p, m, a)
	case challenged:
		return InputChallenged
	case known:
		return InputConfirmed
	case p.IsAnnouncement() && h.c.Accept == AcceptLearn:
		h.learn(now, p, m, a)
		return InputConfirmed
	case m.TargetIsOurs:
		// Deviation: RFC 826 adds it. Then anybody could fill the table.
		return InputUnsolicited
	}
	return InputIgnored
}

// merge updates the entry of the sender. It reports whether there is one, and
// whether the packet says something else than we know.
func (h *Handler[P]) merge(now time.Duration, p Packet, m Meta, a *Actions[P]) (known, challenged bool) {
	e := h.find(p.SenderAddr)
	if e == nil || p.IsAnnouncement() && h.c.Accept == AcceptIgnore {
		return false, false
	}
	// RFC 4861 §7.2.5: only an answer to what was asked shows that the
	// neighbor can be reached; a request or a broadcast just says so.
	// RFC 3927 §2.5: but a link-local neighbor broadcasts its answers.
	answer := p.Operation == OperationReply && m.TargetIsOurs && (!m.Broadcast || p.SenderAddr.IsLinkLocalUnicast())
	asked := e.state == Incomplete || e.state == Failed || e.state == Probe || e.window != nil
	moved := e.hw != p.SenderHardwareAddr
	if e.window != nil && !moved {
		h.reject(now, e, a) // whatever it says, it is there
	}
	switch {
	case e.state == Static:
		challenged = moved
	case !e.state.HasAddr() && !h.roomForResolved(now, asked, a):
		h.settleWithoutRoom(now, e, p.SenderHardwareAddr, a)
	case e.state.HasAddr() && moved:
		challenged = true
		h.challenge(now, e, p.SenderHardwareAddr, answer && h.mustWait(now, e), a)
	case answer && asked:
		h.settle(now, e, p.SenderHardwareAddr, Reachable, a)
	case moved || e.state == Stale:
		h.settle(now, e, p.SenderHardwareAddr, Stale, a)
	}
	return true, challenged
}

// settleWithoutRoom sends what waits for a neighbor whose address cannot be
// kept, because everything in the cache is in use.
func (h *Handler[P]) settleWithoutRoom(now time.Duration, e *entry[P], hw HardwareAddr, a *Actions[P]) {
	e.hw = hw
	if e.waiting() {
		h.release(e, a)
	}
	h.remove(now, e, DropCacheFull, a)
}

// answer answers a request for an address of ours. Neighbors have places of
// their own, so that a flood of strangers does not keep them waiting.
func (h *Handler[P]) answer(now time.Duration, p Packet, m Meta, neighbor bool, a *Actions[P]) InputResult {
	limit := &h.neighbors
	if !neighbor {
		h.learn(now, p, m, a)
		limit = &h.replies
	}
	if !limit.allow(now) {
		return InputLimited
	}
	h.reply(p, a)
	return InputAnswered
}

// learn adds the sender of a request for an address of ours: it is about to
// send us something that will want an answer.
func (h *Handler[P]) learn(now time.Duration, p Packet, m Meta, a *Actions[P]) {
	switch {
	case h.find(p.SenderAddr) != nil: // known, and challenged
	case !usable(p.SenderAddr) || m.SenderIsOffLink: // RFC 5227 §2.1.1: a probe has no sender address
	case h.learning.spend(now, p.SenderHardwareAddr) && h.roomForResolved(now, false, a):
		e := h.addStale(now, p.SenderAddr, p.SenderHardwareAddr, a)
		if m.TargetIsOurs {
			e.source = p.TargetAddr
		}
	}
}

// addStale adds a neighbor that nobody here has asked for.
func (h *Handler[P]) addStale(now time.Duration, addr netip.Addr, hw HardwareAddr, a *Actions[P]) *entry[P] {
	e := h.add(addr.As4())
	e.hw, e.decided = hw, now
	h.setState(e, Stale)
	a.event(EventAdded, e)
	h.setDeadline(e, now+h.c.StaleTime)
	h.publish(e, a)
	return e
}

// reply answers a request for an address of ours.
func (h *Handler[P]) reply(p Packet, a *Actions[P]) {
	a.Send = append(a.Send, Send{To: h.destination(p.SenderHardwareAddr, p.TargetAddr), Packet: Packet{
		Operation:          OperationReply,
		SenderHardwareAddr: h.hw, SenderAddr: p.TargetAddr,
		TargetHardwareAddr: p.SenderHardwareAddr, TargetAddr: p.SenderAddr,
	}})
}
