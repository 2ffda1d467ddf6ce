package endpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
)

// A linkBatch has the packets of one call of Write.
type linkBatch struct {
	list stack.PacketBufferList
	of   []*ethstack.Frame // whose they are
}

// Write sends frames through the child, as [ethstack.Device] says. It copies
// them, because a packet's memory must be netstack's own: the child may keep it
// for as long as it likes. Besides the errors listed there a frame shorter than
// an Ethernet header has one of its own, and so has one that the child refuses
// for a reason of its own.
func (d *LinkDevice) Write(queue int, frames []ethstack.Frame) (n int, first error) {
	if err := d.checkQueue(queue); err != nil {
		return frameio.Refuse(frames, err)
	}
	d.writing.RLock()
	defer d.writing.RUnlock()
	if d.over.Load() {
		return frameio.Refuse(frames, ethstack.ErrDisconnected)
	}
	b := d.batches.Get().(*linkBatch)
	mtu := d.mtu()
	for i := range frames {
		f := &frames[i]
		var pkt *stack.PacketBuffer
		if pkt, f.Err = d.packet(f, mtu); f.Err == nil {
			b.list.PushBack(pkt)
			b.of = append(b.of, f)
		}
	}
	d.send(b.list, b.of)
	b.list.Reset()
	clear(b.of)
	b.of = b.of[:0]
	d.batches.Put(b)
	for i := range frames {
		switch err := frames[i].Err; {
		case err == nil:
			n++
		case first == nil:
			first = err
		}
	}
	return n, first
}

// send hands packets to the child, and sets the errors of the frames that it
// does not take. A child stops at the first of those.
func (d *LinkDevice) send(list stack.PacketBufferList, of []*ethstack.Frame) {
	for len(of) > 0 {
		n, err := d.child.WritePackets(list)
		n = min(max(n, 0), len(of))
		if n == len(of) {
			return
		}
		refused := deviceError(err)
		of[n].Err = refused
		of = of[n+1:]
		if errors.Is(refused, ethstack.ErrNoBufferSpace) || errors.Is(refused, ethstack.ErrDisconnected) {
			// It will say so of the others, too.
			for _, f := range of {
				f.Err = refused
			}
			if errors.Is(refused, ethstack.ErrDisconnected) {
				d.gone()
			}
			return
		}
		var rest stack.PacketBufferList
		for _, pkt := range list.AsSlice()[n+1:] {
			rest.PushBack(pkt)
		}
		list = rest
	}
}

// deviceError translates an error of a child, tcpipError's other direction. No
// error with frames left over is how link/channel says that it is full.
func deviceError(err tcpip.Error) error {
	switch err.(type) {
	case nil, *tcpip.ErrNoBufferSpace, *tcpip.ErrWouldBlock:
		return ethstack.ErrNoBufferSpace
	case *tcpip.ErrMessageTooLong:
		return ethstack.ErrMessageTooLong
	case *tcpip.ErrClosedForSend:
		return ethstack.ErrDisconnected
	}
	return fmt.Errorf("endpoint: the link endpoint refuses a frame: %v", err)
}

var errTooShort = errors.New("endpoint: the frame is shorter than an Ethernet header, 14 bytes")

// packet makes a packet of a frame in the shape in which netstack hands them
// to link endpoints: the Ethernet header pushed, what follows as the payload.
func (d *LinkDevice) packet(f *ethstack.Frame, mtu int) (*stack.PacketBuffer, error) {
	size := f.WireLen()
	limit := frameio.Limit(f, mtu, 0)
	if f.Offload.Segment != ethstack.SegmentNone {
		limit = d.maxFrame(mtu)
	}
	switch {
	case size < ethstack.HeaderLen:
		return nil, errTooShort
	case !d.offloads.Has(f.Offload.Needs()):
		return nil, ethstack.ErrUnsupportedOffload
	case size > limit:
		return nil, ethstack.ErrMessageTooLong
	}
	gso, ok := gsoOptions(f.Offload, size, d.gsoMax)
	if !ok {
		return nil, ethstack.ErrUnsupportedOffload
	}
	o := stack.PacketBufferOptions{ReserveHeaderBytes: d.headers}
	if n := size - ethstack.HeaderLen; n > 0 {
		v := buffer.NewViewSize(n)
		gather(v.AsSlice(), f.Bufs, ethstack.HeaderLen)
		o.Payload = buffer.MakeWithView(v)
	}
	pkt := stack.NewPacketBuffer(o)
	head := pkt.LinkHeader().Push(ethstack.HeaderLen)
	gather(head, f.Bufs, 0)
	pkt.NetworkProtocolNumber = tcpip.NetworkProtocolNumber(binary.BigEndian.Uint16(head[12:]))
	pkt.GSOOptions = gso
	if f.Offload.Segment != ethstack.SegmentNone {
		// The child takes the length of all headers from what is marked as such.
		pkt.NetworkHeader().Consume(int(gso.L3HdrLen))
		pkt.TransportHeader().Consume(int(f.Offload.HeaderLen - f.Offload.ChecksumStart))
	}
	return pkt, nil
}

// gsoOptions returns netstack's words for the metadata of a frame, offload's
// other direction. It reports false if there are none, or if the metadata
// contradicts the frame.
func gsoOptions(o ethstack.Offload, size int, maxSize uint32) (g stack.GSO, ok bool) {
	if o.Flags&ethstack.NeedsChecksum == 0 {
		// Netstack knows no segmentation without it.
		return g, o.Segment == ethstack.SegmentNone
	}
	start := int(o.ChecksumStart)
	if start < ethstack.HeaderLen || start+int(o.ChecksumOffset)+2 > size {
		return g, false
	}
	// A plain frame's type means nothing: it is shorter than the largest MSS.
	g = stack.GSO{
		Type: stack.GSOTCPv4, NeedsCsum: true, CsumOffset: o.ChecksumOffset,
		L3HdrLen: o.ChecksumStart - ethstack.HeaderLen, MSS: math.MaxUint16, MaxSize: maxSize,
	}
	if o.Segment == ethstack.SegmentNone {
		return g, true
	}
	if o.Segment == ethstack.SegmentTCPv6 {
		g.Type = stack.GSOTCPv6
	}
	g.MSS = o.SegmentSize
	return g, o.SegmentSize > 0 && o.HeaderLen >= o.ChecksumStart && int(o.HeaderLen) <= size
}
