package netns

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Attributes of linux/if_link.h, IFLA_BR_*; times are in hundredths of a second.
const (
	bridgeAgeing           = 4
	bridgeSnooping         = 23
	bridgeQuerier          = 25
	bridgeResponseInterval = 34
)

// AddBridge makes a bridge. It is down and has no port.
func AddBridge(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	r := newRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL).link(0, 0, 0).attrString(unix.IFLA_IFNAME, name)
	r.nest(unix.IFLA_LINKINFO, func() { r.attrString(unix.IFLA_INFO_KIND, "bridge") })
	return failed("making bridge", name, r.do())
}

// FloodBridge makes a bridge forget at once which port a station is on, so that
// it sends each frame to all.
func FloodBridge(name string) error {
	return setBridge(name, bridgeAgeing, binary.NativeEndian.AppendUint32(nil, 0))
}

// SetQuerier makes a bridge ask who is in which multicast group (IGMP, MLD), give
// a tenth of a second for the answers, and forward what is for a group only to
// its members from then on.
func SetQuerier(name string) error {
	// The interval is used when the querier is switched on. In one request it
	// would come after that.
	err := setBridge(name, bridgeResponseInterval, binary.NativeEndian.AppendUint64(nil, 10))
	if err == nil {
		err = setBridge(name, bridgeSnooping, []byte{1})
	}
	if err == nil {
		err = setBridge(name, bridgeQuerier, []byte{1})
	}
	return err
}

// setBridge sets one attribute of a bridge.
func setBridge(name string, typ uint16, value []byte) error {
	return change(name, fmt.Sprintf("setting attribute %d of bridge", typ), 0, 0, func(r *request) {
		r.nest(unix.IFLA_LINKINFO, func() {
			r.attrString(unix.IFLA_INFO_KIND, "bridge")
			r.nest(unix.IFLA_INFO_DATA, func() { r.attr(typ, value) })
		})
	})
}
