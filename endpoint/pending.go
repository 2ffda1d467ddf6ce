package endpoint

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

// pending is a packet that waits for the hardware address of its next hop: a
// clone of netstack's, which may go on using its own.
type pending struct {
	e   *Endpoint
	pkt *stack.PacketBuffer
	hop [4]byte
}

// wait makes a packet wait for its next hop.
func (e *Endpoint) wait(b *batch, pkt *stack.PacketBuffer, hop [4]byte) {
	// What came before it in the list must be sent before it can be released.
	e.flush(b)
	p := e.waits.Get().(*pending)
	*p = pending{e: e, pkt: pkt.Clone(), hop: hop}
	to, result := e.i.Resolve(netip.AddrFrom4(hop), addrFrom(pkt.EgressRoute.LocalAddress), pkt.Size(), p)
	switch {
	case result == arp.Resolved:
		e.addOwned(b, p.take(), to)
	case result == arp.Unreachable && !pkt.NetworkPacketInfo.IsForwardedPacket:
		b.fail(&tcpip.ErrHostUnreachable{})
	}
}

// take takes the packet out and gives p back.
func (p *pending) take() *stack.PacketBuffer {
	e, pkt := p.e, p.pkt
	*p = pending{}
	e.waits.Put(p)
	return pkt
}

// Resolved sends the packet, past the queue: that may wait, which nobody who
// calls this can, and what follows to the same next hop comes later anyway.
func (p *pending) Resolved(to ethstack.HardwareAddr) {
	e := p.e
	b := e.newBatch()
	pkt := p.take()
	setDestination(pkt, to)
	e.renewSource(pkt)
	e.appendOwned(b, pkt)
	e.finish(b)
}

// Dropped gives the packet up. Who sent it is told if its next hop did not
// answer, and at no other time (RFC 1122 §2.4: not because there is no entry).
func (p *pending) Dropped(reason arp.DropReason) {
	e, hop := p.e, p.hop
	pkt := p.take()
	e.i.Drop(ethstack.DropTxUnresolved)
	if reason == arp.DropUnreachable {
		e.reportUnreachable(pkt, hop)
	}
	pkt.DecRef()
}
