// Package vnet reads and writes the virtio network header, virtio 1.2 §5.1.6, as
// a TAP and a packet socket have it before each frame: in the machine's byte
// order, without the number of buffers. Further bytes that the kernel was told
// to add are of no concern here.
package vnet

import (
	"encoding/binary"

	"github.com/ethlink/ethlink/ethstack"
)

const (
	// Len is the length in bytes of what is read and written here.
	Len = 10
	// MaxLen is more than any kernel's header.
	MaxLen = 64
)

const (
	needsChecksum = 1
	dataValid     = 2

	tcpv4 = 1
	tcpv6 = 4
	udp   = 5 // VIRTIO_NET_HDR_GSO_UDP_L4; 3 is for IP fragments
	ecn   = 0x80
)

// Get reads the header in b, which has at least Len bytes. It reports false for
// a kind of super-frame that ethstack has no name for.
func Get(b []byte) (ethstack.Offload, bool) {
	_ = b[Len-1]
	var o ethstack.Offload
	flags, kind := b[0], b[1]
	if flags&needsChecksum != 0 {
		o.Flags |= ethstack.NeedsChecksum
		o.ChecksumStart = binary.NativeEndian.Uint16(b[6:])
		o.ChecksumOffset = binary.NativeEndian.Uint16(b[8:])
	}
	if flags&dataValid != 0 {
		o.Flags |= ethstack.DataValid
	}
	switch kind &^ ecn {
	case 0:
		return o, kind == 0
	case tcpv4:
		o.Segment = ethstack.SegmentTCPv4
	case tcpv6:
		o.Segment = ethstack.SegmentTCPv6
	case udp:
		o.Segment = ethstack.SegmentUDP
	default:
		return ethstack.Offload{}, false
	}
	if kind&ecn != 0 {
		o.Flags |= ethstack.ECN
	}
	o.HeaderLen = binary.NativeEndian.Uint16(b[2:])
	o.SegmentSize = binary.NativeEndian.Uint16(b[4:])
	return o, true
}

// Put writes the first Len bytes of b. It reports false if the metadata makes no
// sense to a device with the given offloads; what b holds is then of no use.
func Put(b []byte, o ethstack.Offload, have ethstack.Offloads) bool {
	_ = b[Len-1]
	if o.Flags&^(ethstack.NeedsChecksum|ethstack.DataValid|ethstack.ECN) != 0 || !have.Has(o.Needs()) {
		return false
	}
	clear(b[:Len])
	if o.Flags&ethstack.NeedsChecksum != 0 {
		b[0] = needsChecksum
		binary.NativeEndian.PutUint16(b[6:], o.ChecksumStart)
		binary.NativeEndian.PutUint16(b[8:], o.ChecksumOffset)
	}
	// virtio 1.2 §5.1.6.2: DATA_VALID is not for this direction.
	tcp := true
	switch o.Segment {
	case ethstack.SegmentNone:
		return o.Flags&ethstack.ECN == 0
	case ethstack.SegmentTCPv4:
		b[1] = tcpv4
	case ethstack.SegmentTCPv6:
		b[1] = tcpv6
	case ethstack.SegmentUDP:
		b[1], tcp = udp, false
	}
	if o.Flags&ethstack.ECN != 0 {
		if !tcp {
			return false
		}
		b[1] |= ecn
	}
	binary.NativeEndian.PutUint16(b[2:], o.HeaderLen)
	binary.NativeEndian.PutUint16(b[4:], o.SegmentSize)
	return true
}
