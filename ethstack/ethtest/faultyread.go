package ethtest

import (
	"encoding/binary"
	"math"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
)

// Read waits for frames, as [ethstack.Device] says, and lies about some.
func (d *FaultyDevice) Read(queue int, frames []ethstack.Frame) (int, error) {
	d.mu.Lock()
	flaps, fails := d.happens(FaultFlap), d.happens(FaultReadError)
	most := len(frames)
	if most > 1 && (d.rates[FaultDuplicate] > 0 || d.forced[FaultDuplicate] > 0) {
		most-- // a full batch has no room for one more
	}
	d.mu.Unlock()
	if flaps {
		d.flap()
	}
	if fails {
		return 0, errFaultyRead
	}
	n, err := d.dev.Read(queue, frames[:most])
	mtu := d.dev.Info().MTU
	d.mu.Lock()
	defer d.mu.Unlock()
	for k := range frames[:n] {
		if n < len(frames) && frames[n].WireLen() >= frames[k].Len && d.happens(FaultDuplicate) {
			duplicate(&frames[n], &frames[k])
			n++
		}
		d.spoil(&frames[k], mtu)
	}
	return n, err
}

func duplicate(to, from *ethstack.Frame) {
	frameio.CopyFrame(to.Bufs, from.Bufs, from.Len)
	to.Len, to.Offload, to.Err = from.Len, from.Offload, nil
}

// spoil lets faults happen to a frame that was read. mu is held.
func (d *FaultyDevice) spoil(f *ethstack.Frame, mtu int) {
	if f.Len > 0 && d.happens(FaultCorrupt) {
		at := d.random.IntN(f.Len)
		frameio.Scatter(f.Bufs, at, []byte{byteAt(f.Bufs, at) ^ byte(1+d.random.IntN(255))})
	}
	if f.Len > 0 && d.happens(FaultTruncate) {
		f.Len = d.random.IntN(f.Len)
	}
	longest := ethstack.HeaderLen + tagLen + mtu
	if f.Len <= longest && f.WireLen() > longest && d.happens(FaultOversize) {
		d.lengthen(f, longest+1+d.random.IntN(f.WireLen()-longest))
	}
	d.lie(f)
}

// lengthen adds random bytes to a frame.
func (d *FaultyDevice) lengthen(f *ethstack.Frame, n int) {
	var b [8]byte
	for at := f.Len; at < n; at += len(b) {
		binary.LittleEndian.PutUint64(b[:], d.random.Uint64())
		frameio.Scatter(f.Bufs, at, b[:min(len(b), n-at)])
	}
	f.Len = n
}

// lie lets faults happen to a frame's metadata. A frame that is spoiled twice
// counts twice.
func (d *FaultyDevice) lie(f *ethstack.Frame) {
	o := &f.Offload
	if d.happens(FaultChecksumPlace) {
		o.Flags |= ethstack.NeedsChecksum
		o.ChecksumStart = d.beyond(f.Len - 1)
		o.ChecksumOffset = uint16(d.random.UintN(100))
	}
	if f.Len > 0 && d.happens(FaultChecksumGarbage) {
		o.Flags |= ethstack.NeedsChecksum
		o.ChecksumStart = uint16(d.random.IntN(f.Len))
		o.ChecksumOffset = uint16(d.random.IntN(f.Len - int(o.ChecksumStart)))
	}
	if d.happens(FaultSegmentSize) {
		o.Segment, o.SegmentSize = ethstack.SegmentTCPv4, 0
	}
	if d.happens(FaultSegmentType) {
		o.Segment, o.SegmentSize = d.wrongSegment(f), uint16(1+d.random.UintN(2000))
	}
	if f.Len < math.MaxUint16 && d.happens(FaultHeaderLen) {
		o.HeaderLen = d.beyond(f.Len)
	}
}

// beyond returns a number above n, which is less than the largest.
func (d *FaultyDevice) beyond(n int) uint16 {
	n = min(n, math.MaxUint16-1)
	return uint16(n + 1 + d.random.IntN(min(math.MaxUint16-n, 1000)))
}

// wrongSegment returns a segment type that is not the packet's: the other IP's,
// or none that there is.
func (d *FaultyDevice) wrongSegment(f *ethstack.Frame) ethstack.SegmentType {
	if d.random.IntN(2) == 0 {
		return ethstack.SegmentUDP + 1 + ethstack.SegmentType(d.random.UintN(100))
	}
	if byteAt(f.Bufs, ethstack.HeaderLen)>>4 == 4 {
		return ethstack.SegmentTCPv6
	}
	return ethstack.SegmentTCPv4
}

// byteAt returns one byte of a frame's memory, 0 outside it.
func byteAt(bufs [][]byte, at int) byte {
	for _, b := range bufs {
		if at < len(b) {
			return b[at]
		}
		at -= len(b)
	}
	return 0
}
