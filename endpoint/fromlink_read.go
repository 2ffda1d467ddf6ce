package endpoint

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/fifo"
	"github.com/ethlink/ethlink/internal/frameio"
)

// linkDispatcher takes what a child delivers. It may do so inside somebody's
// WritePackets (link/pipe), with locks of a stack held: so a packet goes into a
// queue and nothing is called.
type linkDispatcher struct{ d *LinkDevice }

// DeliverNetworkPacket keeps a reference to a packet until it is read.
func (l linkDispatcher) DeliverNetworkPacket(_ tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	d := l.d
	switch d.received.Push(pkt.IncRef()) {
	case fifo.Full:
		d.dropped.queueFull.Add(1)
		pkt.DecRef()
	case fifo.Closed:
		d.dropped.closed.Add(1)
		pkt.DecRef()
	}
}

// DeliverLinkPacket has nothing to do: packet sockets are served above.
func (linkDispatcher) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}

// linkReadBatch is how many packets are taken from the queue at once.
const linkReadBatch = 16

// Read waits for frames, as [ethstack.Device] says.
func (d *LinkDevice) Read(queue int, frames []ethstack.Frame) (int, error) {
	if err := d.checkQueue(queue); err != nil || len(frames) == 0 {
		return 0, err
	}
	var packets [linkReadBatch]*stack.PacketBuffer
	for {
		n := d.received.Pop(nil, packets[:min(linkReadBatch, len(frames))])
		if n == 0 {
			return 0, ethstack.ErrDisconnected
		}
		filled := 0
		for _, pkt := range packets[:n] {
			if d.fill(&frames[filled], pkt) {
				filled++
			} else {
				d.dropped.tooLong.Add(1)
			}
			pkt.DecRef()
		}
		if filled > 0 {
			return filled, nil
		}
	}
}

// fill copies a packet into a frame's memory, and reports whether it fits.
func (d *LinkDevice) fill(f *ethstack.Frame, pkt *stack.PacketBuffer) bool {
	// A virtio header that the child has taken off is still there, before the
	// frame; it has not told anybody what it says.
	views, skip := pkt.AsViewList()
	virtio := len(pkt.VirtioNetHeader().Slice())
	size := pkt.Size() - virtio
	if size > f.WireLen() {
		return false
	}
	skip += virtio
	at := 0
	for v := views.Front(); v != nil; v = v.Next() {
		b := v.AsSlice()
		if skip >= len(b) {
			skip -= len(b)
			continue
		}
		frameio.Scatter(f.Bufs, at, b[skip:])
		at += len(b) - skip
		skip = 0
	}
	f.Len, f.Offload, f.Err = size, offload(pkt), nil
	if f.Offload.Flags&ethstack.NeedsChecksum == 0 {
		f.Offload.Flags |= d.vouches
	}
	return true
}

// discard drops what is in the closed queue.
func (d *LinkDevice) discard() {
	var one [1]*stack.PacketBuffer
	for d.received.Pop(nil, one[:]) > 0 {
		d.dropped.closed.Add(1)
		one[0].DecRef()
	}
}
