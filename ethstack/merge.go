package ethstack

import (
	"bytes"
	"encoding/binary"

	"github.com/ethlink/ethlink/internal/checksum"
)

// A Merger does the opposite of a [Segmenter]: it makes one super-frame of runs
// of UDP datagrams of one flow, for a device that has [OffloadUDP]. What arrives
// are the same datagrams, but for the identification in their IPv4 headers. The zero Merger is ready for use. It keeps memory from
// one call to the next, so that in a steady state nothing is allocated; only one
// goroutine at a time may use it.
type Merger struct {
	frames []Frame
	bufs   [][]byte
	heads  []byte
}

const (
	// maxMerged is how many datagrams a super-frame may stand for: Linux's
	// UDP_MAX_SEGMENTS was 64 until version 6.9.
	maxMerged = 64
	// maxUDPSuper bounds a super-frame's IP packet.
	maxUDPSuper = 65535
)

// Merge returns the frames to write in place of frames, in their order: frames
// itself if there is nothing to merge. The memory of frames is not written to;
// what is returned points into it, and is valid until the next call.
func (m *Merger) Merge(frames []Frame, have Offloads) []Frame {
	if len(frames) < 2 || !have.Has(OffloadUDP|OffloadChecksum) {
		return frames
	}
	m.frames, m.bufs, m.heads = m.frames[:0], m.bufs[:0], m.heads[:0]
	merged := false
	var run datagramRun
	for at := 0; at < len(frames); at += run.n {
		if !run.begin(frames[at:]) {
			run.n = 1
			m.frames = append(m.frames, frames[at])
			continue
		}
		merged = true
		m.frames = append(m.frames, m.join(&run, frames[at:at+run.n]))
	}
	if !merged {
		return frames
	}
	return m.frames
}

// Reset lets go of the memory of the last frames.
func (m *Merger) Reset() {
	clear(m.frames)
	clear(m.bufs)
}

// A datagramRun is the frames at the start of a list that become one.
type datagramRun struct {
	layers
	n       int
	size    int // of the payload of each but the last
	payload int // of all
}

// begin finds a run of at least two.
func (r *datagramRun) begin(frames []Frame) bool {
	first := frames[0].mergeable(&r.layers)
	if first == nil {
		return false
	}
	r.n, r.size = 1, r.end-r.layers.payload
	r.payload = r.size
	limit := maxUDPSuper - (r.layers.payload - r.network)
	for r.n < min(len(frames), maxMerged) && r.size > 0 {
		var l layers
		next := frames[r.n].mergeable(&l)
		size := l.end - l.payload
		if next == nil || size > r.size || size == 0 || r.payload+size > limit || !r.follows(first, next, l) {
			break
		}
		r.n++
		r.payload += size
		if size < r.size {
			break // only the last may be shorter
		}
	}
	return r.n > 1
}

// mergeable returns the headers of a plain frame with one whole UDP datagram,
// whose checksum is there, and nothing else; nil for any other.
func (f *Frame) mergeable(l *layers) []byte {
	if f.Offload != (Offload{}) || len(f.Bufs) == 0 {
		return nil
	}
	total := f.WireLen()
	head := f.Bufs[0]
	if l.parse(head, total) != parsedOK || l.protocol != protoUDP || l.payload > len(head) || l.end != total || l.routed {
		return nil
	}
	head = head[:l.payload]
	// A datagram without a checksum would get one.
	if binary.BigEndian.Uint16(head[l.transport+4:]) != uint16(l.end-l.transport) ||
		binary.BigEndian.Uint16(head[l.transport+udpChecksumAt:]) == 0 {
		return nil
	}
	return head
}

// follows reports whether the datagram with the headers next is what the device
// makes of a part of the super-frame: equal to the first but for lengths,
// checksums, and the IPv4 identification.
//
// Choice: the identification, which netstack chooses at random, becomes the
// first's plus one, two and so on. RFC 6864 §4 only wants it not to repeat.
func (r *datagramRun) follows(first, next []byte, l layers) bool {
	if l.network != r.network || l.transport != r.transport || l.payload != r.layers.payload || l.v6 != r.v6 {
		return false
	}
	ip, transport := r.network, r.transport
	if !bytes.Equal(first[transport:transport+4], next[transport:transport+4]) {
		return false
	}
	if r.v6 {
		return bytes.Equal(first[:ip+4], next[:ip+4]) && bytes.Equal(first[ip+6:transport], next[ip+6:transport])
	}
	return bytes.Equal(first[:ip+2], next[:ip+2]) && bytes.Equal(first[ip+6:ip+10], next[ip+6:ip+10]) &&
		bytes.Equal(first[ip+12:transport], next[ip+12:transport])
}

// join makes one super-frame of a run.
func (m *Merger) join(r *datagramRun, frames []Frame) Frame {
	at := len(m.heads)
	m.heads = append(m.heads, frames[0].Bufs[0][:r.layers.payload]...)
	head := m.heads[at:len(m.heads):len(m.heads)]
	r.put(head)
	first := len(m.bufs)
	m.bufs = append(m.bufs, head)
	for k := range frames {
		c := cursor{bufs: frames[k].Bufs}
		c.skip(r.layers.payload)
		m.bufs = c.take(m.bufs, r.size)
	}
	return Frame{
		Bufs: m.bufs[first:len(m.bufs):len(m.bufs)],
		Offload: Offload{
			Flags: NeedsChecksum, Segment: SegmentUDP, SegmentSize: uint16(r.size), HeaderLen: uint16(r.layers.payload),
			ChecksumStart: uint16(r.transport), ChecksumOffset: udpChecksumAt,
		},
	}
}

// put writes the lengths and checksums of the super-frame into its headers.
func (r *datagramRun) put(h []byte) {
	ip, length := h[r.network:], len(h)-r.transport+r.payload
	binary.BigEndian.PutUint16(h[r.transport+4:], uint16(length))
	var sum checksum.Sum
	if r.v6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-ipv6HeaderLen+r.payload))
		sum = checksum.Pseudo(ip[8:24], ip[24:40], protoUDP)
	} else {
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+r.payload))
		binary.BigEndian.PutUint16(ip[10:], 0)
		binary.BigEndian.PutUint16(ip[10:], ^checksum.Of(h[r.network:r.transport]))
		sum = checksum.Pseudo(ip[12:16], ip[16:20], protoUDP)
	}
	sum.AddUint16(uint16(length))
	binary.BigEndian.PutUint16(h[r.transport+udpChecksumAt:], sum.Fold())
}
