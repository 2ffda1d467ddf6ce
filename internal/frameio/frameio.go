// Package frameio has what the adapters share about handing frames to a kernel:
// how long a frame may be, and its memory as vectors of system calls.
package frameio

import (
	"encoding/binary"

	"github.com/ethlink/ethlink/ethstack"
)

// TagLen is the length of an IEEE 802.1Q tag, which does not count as payload.
const TagLen = 4

// MaxPlain returns the length in bytes of the longest frame with an MTU that is
// no super-frame.
func MaxPlain(mtu int) int { return mtu + ethstack.HeaderLen + TagLen }

// MaxFrame returns the length of the longest frame for a device with an MTU and
// offloads.
func MaxFrame(mtu int, have ethstack.Offloads) int {
	if have&(ethstack.OffloadTCPv4|ethstack.OffloadTCPv6|ethstack.OffloadUDP) != 0 {
		return max(ethstack.MaxSuperFrame, MaxPlain(mtu))
	}
	return MaxPlain(mtu)
}

// Limit returns how long a frame to be written may be.
func Limit(f *ethstack.Frame, mtu int, have ethstack.Offloads) int {
	if f.Offload.Segment != ethstack.SegmentNone {
		return MaxFrame(mtu, have)
	}
	var head [ethstack.HeaderLen]byte
	n := 0
	for _, b := range f.Bufs {
		if n += copy(head[n:], b); n == len(head) {
			break
		}
	}
	if ethstack.EtherType(binary.BigEndian.Uint16(head[12:])) == ethstack.EtherTypeVLAN {
		return mtu + ethstack.HeaderLen + TagLen
	}
	return mtu + ethstack.HeaderLen
}

// Refuse gives all frames one error, and returns what Write returns then.
func Refuse(frames []ethstack.Frame, err error) (int, error) {
	for i := range frames {
		frames[i].Err = err
	}
	return 0, err
}
