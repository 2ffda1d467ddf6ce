package tap

import (
	"encoding/binary"

	"github.com/ethlink/ethlink/ethstack"
)

// The virtio network header, virtio 1.2 §5.1.6, as a TAP has it: in the
// machine's byte order, without the number of buffers; further bytes that the
// kernel was told to add are of no concern here.
const (
	vnetLen = 10
	// maxVnetLen is more than any kernel's header.
	maxVnetLen = 64

	vnetNeedsChecksum = 1
	vnetDataValid     = 2

	vnetTCPv4 = 1
	vnetTCPv6 = 4
	vnetUDP   = 5 // VIRTIO_NET_HDR_GSO_UDP_L4; 3 is for IP fragments
	vnetECN   = 0x80
)

// getVnet reads the header in b, which has at least vnetLen bytes. It reports
// false for a kind of super-frame that ethstack has no name for.
func getVnet(b []byte) (ethstack.Offload, bool) {
	_ = b[vnetLen-1]
	var o ethstack.Offload
	flags, kind := b[0], b[1]
	if flags&vnetNeedsChecksum != 0 {
		o.Flags |= ethstack.NeedsChecksum
		o.ChecksumStart = binary.NativeEndian.Uint16(b[6:])
		o.ChecksumOffset = binary.NativeEndian.Uint16(b[8:])
	}
	if flags&vnetDataValid != 0 {
		o.Flags |= ethstack.DataValid
	}
	switch kind &^ vnetECN {
	case 0:
		return o, kind == 0
	case vnetTCPv4:
		o.Segment = ethstack.SegmentTCPv4
	case vnetTCPv6:
		o.Segment = ethstack.SegmentTCPv6
	case vnetUDP:
		o.Segment = ethstack.SegmentUDP
	default:
		return ethstack.Offload{}, false
	}
	if kind&vnetECN != 0 {
		o.Flags |= ethstack.ECN
	}
	o.HeaderLen = binary.NativeEndian.Uint16(b[2:])
	o.SegmentSize = binary.NativeEndian.Uint16(b[4:])
	return o, true
}

// putVnet writes the first vnetLen bytes of b. It reports false if the metadata
// makes no sense to a device with the given offloads; what b holds is then of
// no use.
func putVnet(b []byte, o ethstack.Offload, have ethstack.Offloads) bool {
	_ = b[vnetLen-1]
	if o.Flags&^(ethstack.NeedsChecksum|ethstack.DataValid|ethstack.ECN) != 0 || !have.Has(o.Needs()) {
		return false
	}
	clear(b[:vnetLen])
	if o.Flags&ethstack.NeedsChecksum != 0 {
		b[0] = vnetNeedsChecksum
		binary.NativeEndian.PutUint16(b[6:], o.ChecksumStart)
		binary.NativeEndian.PutUint16(b[8:], o.ChecksumOffset)
	}
	// virtio 1.2 §5.1.6.2: DATA_VALID is not for this direction.
	tcp := true
	switch o.Segment {
	case ethstack.SegmentNone:
		return o.Flags&ethstack.ECN == 0
	case ethstack.SegmentTCPv4:
		b[1] = vnetTCPv4
	case ethstack.SegmentTCPv6:
		b[1] = vnetTCPv6
	case ethstack.SegmentUDP:
		b[1], tcp = vnetUDP, false
	}
	if o.Flags&ethstack.ECN != 0 {
		if !tcp {
			return false
		}
		b[1] |= vnetECN
	}
	binary.NativeEndian.PutUint16(b[2:], o.HeaderLen)
	binary.NativeEndian.PutUint16(b[4:], o.SegmentSize)
	return true
}
