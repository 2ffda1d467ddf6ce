package endpoint

import (
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// Memory that frames are read into. Headers have a view of their own: netstack
// copies the whole of a shared chunk whenever it looks at a header in it.
const (
	headSize = ethstack.HeadLen
	bodySize = 64 << 10 // with headSize, more than the largest super-frame
	// Up to copyMax bytes behind the head are copied into a view of their
	// size and the large one is read into again, so that what netstack queues
	// takes at most 4 times the memory that it counts.
	copyMax = bodySize / 4
)

// A receiver takes the frames of one queue up to netstack.
type receiver struct {
	trunk  *trunk
	slots  []slot
	at     int // the slot found last
	local  localAddr
	soft   ethstack.Segmenter
	whole  ethstack.Frame // a super-frame, cut to its length
	joiner joiner
}

// A slot is the memory of one frame.
type slot struct {
	head, body *buffer.View // nil: handed to netstack
	first      *byte        // of head, which tells the frame
}

// Prepare gives a frame the memory of a slot whose frame was delivered, or of
// a new one.
func (r *receiver) Prepare(f *ethstack.Frame) {
	s := r.vacant()
	s.head = buffer.NewViewSize(headSize)
	if s.body == nil {
		s.body = buffer.NewViewSize(bodySize)
	}
	head := s.head.AsSlice()
	s.first = &head[0]
	f.Bufs = append(f.Bufs, head, s.body.AsSlice())
}

func (r *receiver) vacant() *slot {
	for k := range r.slots {
		if r.slots[k].head == nil {
			return &r.slots[k]
		}
	}
	r.slots = append(r.slots, slot{})
	return &r.slots[len(r.slots)-1]
}

// slot finds the memory of a frame. Frames come in the order of their memory,
// so that it nearly always is the next.
func (r *receiver) slot(f *ethstack.Frame) *slot {
	first := &f.Bufs[0][0]
	for {
		r.at++
		if r.at >= len(r.slots) {
			r.at = 0
		}
		if s := &r.slots[r.at]; s.first == first {
			return s
		}
	}
}

// Release gives back all memory: the queue has ended.
func (r *receiver) Release(*ethstack.Frame) {
	for k := range r.slots {
		s := &r.slots[k]
		for _, v := range []*buffer.View{s.head, s.body} {
			if v != nil {
				v.Release()
			}
		}
	}
	r.slots = nil
}

// Deliver takes a frame up.
func (r *receiver) Deliver(i *ethstack.Interface, f *ethstack.Frame, h ethstack.Header) ethstack.DropReason {
	e := r.trunk.endpoint(i)
	if e == nil {
		return ethstack.DropNoReceiver
	}
	u := e.up.Load()
	if u == nil {
		return ethstack.DropNoReceiver
	}
	if h.Class == ethstack.ToOther && u.nic != nil {
		// IP would take it for ours: it does not look at the packet's type.
		pkt := r.take(f, h)
		if u.nic.Enabled() {
			u.DeliverLinkPacket(pkt.NetworkProtocolNumber, pkt)
		}
		pkt.DecRef()
		return ethstack.DropNone
	}
	if h.Class != ethstack.ToUs && u.nic != nil && u.isForOne(destination(f, h)) {
		return ethstack.DropUnicastInGroup
	}
	if h.Class == ethstack.ToMulticast && !e.open {
		if c := e.companion.Load(); c != nil && !c.wants(f, h) {
			return ethstack.DropNotJoined
		}
	}
	sums := ethstack.VerifyChecksums(f)
	switch sums {
	case ethstack.ChecksumBadHeader:
		return ethstack.DropIPv4Checksum
	case ethstack.ChecksumBadTransport:
		return ethstack.DropTransportChecksum
	case ethstack.ChecksumMalformed:
		return ethstack.DropMalformed
	}
	if e.join && f.Offload == (ethstack.Offload{}) && sums == ethstack.ChecksumGood && h.Class == ethstack.ToUs {
		if r.join(e, u, f, h) {
			return ethstack.DropNone
		}
	} else {
		r.Flush()
	}
	if f.Offload != (ethstack.Offload{}) && !r.endsHere(u, f, h, sums) {
		return r.deliverPlain(e, u, f, h, sums)
	}
	e.rx.deliver(u, r.take(f, h), sums, f.Offload)
	return ethstack.DropNone
}

// take makes a packet of a frame's memory.
func (r *receiver) take(f *ethstack.Frame, h ethstack.Header) *stack.PacketBuffer {
	s := r.slot(f)
	head := s.head
	s.head, s.first = nil, nil
	f.Bufs = f.Bufs[:0]
	head.CapLength(f.Len)
	data := buffer.MakeWithView(plainHeader(head, h))
	if n := f.Len - headSize; n > 0 {
		data.Append(s.cut(n))
	}
	return newPacket(data, h)
}

// plainHeader takes what lies between the addresses and the EtherType out of
// the header at the start of a frame: tags, or the LLC header of RFC 1042.
func plainHeader(head *buffer.View, h ethstack.Header) *buffer.View {
	if extra := h.Len - ethstack.HeaderLen; extra > 0 {
		b := head.AsSlice()
		copy(b[extra:], b[:12])
		head.TrimFront(extra)
	}
	return head
}

// cut returns a view with the first n bytes of the body.
func (s *slot) cut(n int) *buffer.View {
	body := s.body
	if n > copyMax {
		s.body = nil
		body.CapLength(n)
		return body
	}
	v := buffer.NewViewSize(n)
	copy(v.AsSlice(), body.AsSlice())
	return v
}

// newPacket makes a packet of a frame with a plain header.
func newPacket(data buffer.Buffer, h ethstack.Header) *stack.PacketBuffer {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: data})
	pkt.LinkHeader().Consume(ethstack.HeaderLen)
	pkt.NetworkProtocolNumber = tcpip.NetworkProtocolNumber(h.EtherType)
	pkt.PktType = packetTypes[h.Class]
	return pkt
}

// packetTypes are netstack's words for what a frame's destination names.
var packetTypes = [...]tcpip.PacketType{
	ethstack.ToUs:        tcpip.PacketHost,
	ethstack.ToBroadcast: tcpip.PacketBroadcast,
	ethstack.ToMulticast: tcpip.PacketMulticast,
	ethstack.ToOther:     tcpip.PacketOtherHost,
}

// rxChecksums tells netstack, packet by packet, whether its checksum has been
// verified. Netstack asks for the endpoint's capabilities for each packet that
// is delivered, and for nothing about the packet itself. So the capability is
// taken back during the delivery of a packet that could not be verified, and
// netstack verifies what it reassembles.
//
// With several queues another packet may be delivered just then. To most of
// them nothing happens but that netstack verifies a good checksum once more.
// Only a packet whose checksum is not in it must not meet that, and vice versa:
// mu keeps the two kinds apart. Only readers take it, nothing that holds a lock
// of netstack does.
type rxChecksums struct {
	unverified atomic.Bool
	mu         sync.RWMutex
}

// deliver delivers a packet and gives up the reference to it.
func (c *rxChecksums) deliver(u *upper, pkt *stack.PacketBuffer, sums ethstack.ChecksumResult, o ethstack.Offload) {
	switch {
	case sums == ethstack.ChecksumUnknown:
		c.mu.Lock()
		c.unverified.Store(true)
		u.DeliverNetworkPacket(pkt.NetworkProtocolNumber, pkt)
		c.unverified.Store(false)
		c.mu.Unlock()
	case o.Flags&ethstack.NeedsChecksum != 0 || o.Segment != ethstack.SegmentNone:
		c.mu.RLock()
		u.DeliverNetworkPacket(pkt.NetworkProtocolNumber, pkt)
		c.mu.RUnlock()
	default:
		u.DeliverNetworkPacket(pkt.NetworkProtocolNumber, pkt)
	}
	pkt.DecRef()
}
