package endpoint

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// AddHeader puts the Ethernet header before a packet. A destination that is not
// known now is zero, and WritePackets finds it.
func (e *Endpoint) AddHeader(pkt *stack.PacketBuffer) {
	how, to, hop := classify(&pkt.EgressRoute)
	if how == routeResolve {
		to, _ = e.i.Lookup(hop)
	}
	b := pkt.LinkHeader().Push(ethstack.HeaderLen)
	ethstack.Header{
		Destination: to,
		Source:      e.source(pkt.EgressRoute.LocalLinkAddress),
		EtherType:   ethstack.EtherType(pkt.NetworkProtocolNumber),
	}.Put((*[ethstack.HeaderLen]byte)(b))
}

// ParseHeader takes the Ethernet header of a packet that a raw packet socket
// sends, or of one that a wrapper received.
func (e *Endpoint) ParseHeader(pkt *stack.PacketBuffer) bool {
	if f, ok := pkt.Owner.(*finder); ok {
		f.found = e
		return false
	}
	_, ok := pkt.LinkHeader().Consume(ethstack.HeaderLen)
	return ok
}

// WritePackets sends packets in order, all that can be sent at once in one
// batch. It calls nothing of netstack, whose locks may be held, and does not
// wait unless Options.Queue has it do so. It returns how many were sent or put
// into the queue, and the first error.
//
// A packet whose next hop is not known is kept and sent later: that is no
// error. One whose next hop has failed to answer not long ago is dropped, with
// ErrHostUnreachable unless it is being forwarded.
func (e *Endpoint) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	b := e.newBatch()
	for _, pkt := range list.AsSlice() {
		e.send(b, pkt)
	}
	return e.finish(b)
}

// send puts one packet into the batch, or makes it wait, or drops it.
func (e *Endpoint) send(b *batch, pkt *stack.PacketBuffer) {
	if hasDestination(pkt) {
		e.add(b, pkt)
		return
	}
	how, _, hop := classify(&pkt.EgressRoute)
	if pkt.Size() < ethstack.HeaderLen {
		how = routeInvalid
	}
	switch how {
	case routeReady:
		e.add(b, pkt)
	case routeResolve:
		if to, ok := e.i.Lookup(hop); ok {
			// Resolved since AddHeader.
			e.addOwned(b, pkt.Clone(), to)
		} else {
			e.wait(b, pkt, hop)
		}
	default:
		e.i.Drop(ethstack.DropTxInvalid)
	}
}

// hasDestination reports whether there is an Ethernet header with a destination,
// which is the rule. It looks at the memory itself: PacketHeader.Slice copies
// what is shared.
func hasDestination(pkt *stack.PacketBuffer) bool {
	views, skip := pkt.AsViewList()
	for v := views.Front(); v != nil; v = v.Next() {
		if b := v.AsSlice(); skip < len(b) {
			b = b[skip:]
			return len(b) >= ethstack.HeaderLen && !ethstack.HardwareAddr(b[:6]).IsZero()
		}
		skip -= v.Size()
	}
	return false
}

// setDestination writes the destination into the header of a packet of ours.
// Slice makes a shared header the packet's own first.
func setDestination(pkt *stack.PacketBuffer, to ethstack.HardwareAddr) {
	copy(pkt.LinkHeader().Slice(), to[:])
}

// renewSource gives a packet that has waited the source address that is ours now:
// it may have changed meanwhile.
func (e *Endpoint) renewSource(pkt *stack.PacketBuffer) {
	const at = len(ethstack.HardwareAddr{})
	if h := pkt.LinkHeader().Slice(); len(h) >= 2*at {
		hw := e.source(tcpip.LinkAddress(h[at : 2*at]))
		copy(h[at:], hw[:])
	}
}

// A batch collects the frames of one call of WritePackets. Their memory is the
// packets' own.
type batch struct {
	frames []ethstack.Frame
	bufs   [][]byte
	owned  []*stack.PacketBuffer // to be given up once sent
	queue  int                   // that the frames go to
	queues int                   // that there are now
	merger ethstack.Merger
	stop   chan struct{} // of the queue whose packets they are; nil: none
	sent   int
	err    tcpip.Error
}

func (e *Endpoint) newBatch() *batch {
	b := e.txs.Get().(*batch)
	b.queue, b.queues = 0, e.link.Device().Queues()
	return b
}

// finish sends what is left in the batch and gives it back.
func (e *Endpoint) finish(b *batch) (int, tcpip.Error) {
	e.flush(b)
	sent, err := b.sent, b.err
	b.sent, b.err = 0, nil
	e.txs.Put(b)
	return sent, err
}

// add sends a packet: with the batch, or by way of the queue.
func (e *Endpoint) add(b *batch, pkt *stack.PacketBuffer) {
	if e.queue != nil {
		e.queue.push(b, pkt.IncRef())
		return
	}
	e.append(b, pkt)
}

// addOwned does so with a packet of ours.
func (e *Endpoint) addOwned(b *batch, pkt *stack.PacketBuffer, to ethstack.HardwareAddr) {
	setDestination(pkt, to)
	if e.queue != nil {
		e.queue.push(b, pkt)
		return
	}
	e.appendOwned(b, pkt)
}

// appendOwned appends a packet of ours to the batch, to be given up once sent.
func (e *Endpoint) appendOwned(b *batch, pkt *stack.PacketBuffer) {
	e.append(b, pkt)
	b.owned = append(b.owned, pkt)
}

// append appends a packet to the batch.
func (e *Endpoint) append(b *batch, pkt *stack.PacketBuffer) {
	// A flow stays on one queue, so that it keeps its order.
	if b.queues > 1 {
		if q := int(pkt.Hash % uint32(b.queues)); q != b.queue {
			e.flush(b)
			b.queue = q
		}
	}
	first := len(b.bufs)
	views, skip := pkt.AsViewList()
	for v := views.Front(); v != nil; v = v.Next() {
		x := v.AsSlice()
		if skip >= len(x) {
			skip -= len(x)
			continue
		}
		b.bufs = append(b.bufs, x[skip:])
		skip = 0
	}
	b.frames = append(b.frames, ethstack.Frame{
		Bufs:    b.bufs[first:len(b.bufs):len(b.bufs)],
		Offload: offload(pkt),
	})
}

// flush sends what the batch holds.
func (e *Endpoint) flush(b *batch) {
	if len(b.frames) == 0 {
		return
	}
	frames := b.frames
	if len(frames) > 1 && e.i.VLAN() == (ethstack.VLAN{}) {
		// A queueing discipline gives lists, in which there may be much of one
		// flow. In a VLAN it would be taken apart again.
		frames = b.merger.Merge(frames, e.link.Device().Info().Offloads)
		defer b.merger.Reset()
	}
	n, err := e.write(b, frames)
	if len(frames) < len(b.frames) {
		n = datagrams(frames)
	}
	b.sent += n
	b.fail(tcpipError(err))
	for _, pkt := range b.owned {
		pkt.DecRef()
	}
	clear(b.frames)
	clear(b.bufs)
	clear(b.owned)
	b.frames, b.bufs, b.owned = b.frames[:0], b.bufs[:0], b.owned[:0]
}

// datagrams returns how many packets the frames stand for that were taken, some
// of which are merged.
func datagrams(frames []ethstack.Frame) (n int) {
	for k := range frames {
		f := &frames[k]
		switch size := int(f.Offload.SegmentSize); {
		case f.Err != nil:
		case f.Offload.Segment == ethstack.SegmentUDP:
			n += (f.WireLen() - int(f.Offload.HeaderLen) + size - 1) / size
		default:
			n++
		}
	}
	return n
}

// write writes the frames of a batch. That of a queue waits for the device.
func (e *Endpoint) write(b *batch, frames []ethstack.Frame) (int, error) {
	if b.stop != nil {
		return e.i.WriteWait(b.stop, b.queue, frames)
	}
	return e.i.Write(b.queue, frames)
}

// fail keeps the first error.
func (b *batch) fail(err tcpip.Error) {
	if b.err == nil {
		b.err = err
	}
}

// offload returns the metadata of a packet that TCP left work to do on.
func offload(pkt *stack.PacketBuffer) (o ethstack.Offload) {
	g := &pkt.GSOOptions
	if g.Type == stack.GSONone {
		return o
	}
	if g.NeedsCsum {
		o.Flags = ethstack.NeedsChecksum
		o.ChecksumStart = ethstack.HeaderLen + g.L3HdrLen
		o.ChecksumOffset = g.CsumOffset
	}
	if pkt.Data().Size() <= int(g.MSS) {
		return o
	}
	switch g.Type {
	case stack.GSOTCPv4:
		o.Segment = ethstack.SegmentTCPv4
	case stack.GSOTCPv6:
		o.Segment = ethstack.SegmentTCPv6
	}
	o.SegmentSize = g.MSS
	o.HeaderLen = uint16(pkt.HeaderSize())
	return o
}
