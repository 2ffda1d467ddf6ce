package endpoint

import (
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// endsHere reports whether a frame can go up with its metadata left behind:
// the device vouches for the checksum and that is all, or the packet is for a
// socket of this host, which needs no more.
func (r *receiver) endsHere(u *upper, f *ethstack.Frame, h ethstack.Header, sums ethstack.ChecksumResult) bool {
	o := f.Offload
	if o.Segment == ethstack.SegmentNone && o.Flags&ethstack.NeedsChecksum == 0 {
		return true
	}
	if o.Segment == ethstack.SegmentUDP || sums == ethstack.ChecksumUnknown {
		// A socket wants each datagram by itself; and what netstack verifies
		// must be complete.
		return false
	}
	return u.nic != nil && r.local.is(u.nic, destination(f, h))
}

// deliverPlain delivers the plain frames, with complete checksums, that a
// frame stands for.
func (r *receiver) deliverPlain(e *Endpoint, u *upper, f *ethstack.Frame, h ethstack.Header, sums ethstack.ChecksumResult) ethstack.DropReason {
	if f.Offload.Segment == ethstack.SegmentNone {
		ethstack.CompleteChecksum(f)
		e.rx.deliver(u, r.take(f, h), sums, f.Offload)
		return ethstack.DropNone
	}
	w := &r.whole
	w.Bufs, w.Offload = trim(w.Bufs[:0], f.Bufs, f.Len), f.Offload
	frames, err := r.soft.Segment(w, 0)
	if err != nil {
		return ethstack.DropBadOffload
	}
	for k := range frames {
		e.rx.deliver(u, copyPacket(&frames[k], h), sums, ethstack.Offload{})
	}
	r.soft.Reset()
	return ethstack.DropNone
}

// trim appends the first n bytes of bufs to dst.
func trim(dst, bufs [][]byte, n int) [][]byte {
	for _, b := range bufs {
		if n <= 0 {
			break
		}
		b = b[:min(n, len(b))]
		dst = append(dst, b)
		n -= len(b)
	}
	return dst
}

// copyPacket makes a packet of a copy of a frame that has no metadata.
func copyPacket(f *ethstack.Frame, h ethstack.Header) *stack.PacketBuffer {
	size := f.WireLen()
	head := buffer.NewViewSize(min(size, headSize))
	gather(head.AsSlice(), f.Bufs, 0)
	data := buffer.MakeWithView(plainHeader(head, h))
	if n := size - headSize; n > 0 {
		body := buffer.NewViewSize(n)
		gather(body.AsSlice(), f.Bufs, headSize)
		data.Append(body)
	}
	return newPacket(data, h)
}

// gather fills dst from bufs, of which it leaves out the first skip bytes.
func gather(dst []byte, bufs [][]byte, skip int) {
	for _, b := range bufs {
		if skip >= len(b) {
			skip -= len(b)
			continue
		}
		dst = dst[copy(dst, b[skip:]):]
		skip = 0
	}
}

// destination returns the packet's destination address, empty if it has none
// that can be read.
func destination(f *ethstack.Frame, h ethstack.Header) tcpip.Address {
	b := f.Bufs[0][:min(f.Len, len(f.Bufs[0]))]
	switch {
	case h.EtherType == ethstack.EtherTypeIPv4 && len(b) >= h.Len+20:
		return tcpip.AddrFrom4([4]byte(b[h.Len+16:]))
	case h.EtherType == ethstack.EtherTypeIPv6 && len(b) >= h.Len+40:
		return tcpip.AddrFrom16([16]byte(b[h.Len+24:]))
	}
	return tcpip.Address{}
}

// localAddr remembers one address that the NIC said is its own, because a
// connection's frames all have the same and asking takes locks.
type localAddr struct {
	nic  stack.NetworkInterface
	addr tcpip.Address
	left int // for how many frames the answer holds
}

// trusted is for how many frames an answer holds: nobody tells when an address
// is taken away.
const trusted = 64

// is reports whether packets for addr end at the NIC. In promiscuous mode all
// do, as with spoofing, where CheckLocalAddress says so.
func (l *localAddr) is(nic stack.NetworkInterface, addr tcpip.Address) bool {
	if l.left > 0 && addr == l.addr && nic == l.nic {
		l.left--
		return true
	}
	proto := ipv4.ProtocolNumber
	if addr.Len() == 16 {
		proto = ipv6.ProtocolNumber
	}
	if addr.Len() == 0 || !nic.Promiscuous() && !nic.CheckLocalAddress(proto, addr) {
		return false
	}
	l.nic, l.addr, l.left = nic, addr, trusted
	return true
}
