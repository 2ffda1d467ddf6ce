package netns

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Neighbors returns the kernel's neighbor table for an interface, without the
// entries it makes for multicast and its own use (NOARP).
func Neighbors(name string) ([]Neighbor, error) {
	i, err := index(name)
	if err != nil {
		return nil, err
	}
	answers, err := neighborRequest(unix.RTM_GETNEIGH, 0, unix.AF_UNSPEC, 0, 0).dump()
	if err != nil {
		return nil, failed("listing the neighbors of", name, err)
	}
	var list []Neighbor
	for _, b := range answers {
		if len(b) < unix.SizeofNdMsg || int(binary.NativeEndian.Uint32(b[4:])) != i {
			continue
		}
		n := Neighbor{State: NeighborState(binary.NativeEndian.Uint16(b[8:]))}
		for typ, v := range attrs(b[unix.SizeofNdMsg:]) {
			switch {
			case typ == unix.NDA_DST:
				n.Addr, _ = netip.AddrFromSlice(v)
			case typ == unix.NDA_LLADDR && len(v) == 6:
				n.HardwareAddr = [6]byte(v)
			}
		}
		if n.State != NeighborNoARP && n.Addr.IsValid() {
			list = append(list, n)
		}
	}
	return list, nil
}

// NeighborOf returns the kernel's entry for one address; its state is
// NeighborNone if there is none.
func NeighborOf(name string, a netip.Addr) (Neighbor, error) {
	list, err := Neighbors(name)
	for _, n := range list {
		if n.Addr == a {
			return n, nil
		}
	}
	return Neighbor{Addr: a}, err
}

// SetNeighbor makes or changes an entry: NeighborPermanent for a static one.
func SetNeighbor(name string, n Neighbor) error {
	i, err := index(name)
	if err != nil {
		return err
	}
	r := neighborRequest(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, family(n.Addr), i, n.State)
	r.attr(unix.NDA_DST, n.Addr.AsSlice()).attr(unix.NDA_LLADDR, n.HardwareAddr[:])
	return failed(fmt.Sprintf("setting neighbor %v of", n.Addr), name, r.do())
}

// DelNeighbor deletes an entry, so that the kernel asks anew.
func DelNeighbor(name string, a netip.Addr) error {
	i, err := index(name)
	if err != nil {
		return err
	}
	r := neighborRequest(unix.RTM_DELNEIGH, 0, family(a), i, 0).attr(unix.NDA_DST, a.AsSlice())
	return failed(fmt.Sprintf("deleting neighbor %v of", a), name, r.do())
}

// neighborRequest begins with a struct ndmsg: family, padding, interface,
// state, flags, type.
func neighborRequest(typ, flags uint16, family byte, index int, state NeighborState) *request {
	r := newRequest(typ, flags).bytes(family, 0, 0, 0).u32(uint32(index))
	r.b = binary.NativeEndian.AppendUint16(r.b, uint16(state))
	return r.bytes(0, 0)
}
