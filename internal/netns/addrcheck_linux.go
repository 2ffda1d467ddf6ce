package netns

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// AddAddrChecked gives an interface an IPv6 address that the kernel first asks
// for duplicates of, in its own time: [AddrFlags] tells what came of it.
func AddAddrChecked(name string, p netip.Prefix) error {
	i, err := index(name)
	if err != nil {
		return err
	}
	r := newRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	r.bytes(family(p.Addr()), byte(p.Bits()), 0, unix.RT_SCOPE_UNIVERSE).u32(uint32(i))
	r.attr(unix.IFA_ADDRESS, p.Addr().AsSlice())
	return failed(fmt.Sprintf("adding address %v to", p), name, r.do())
}

// AddrFlags returns the flags of an address of an interface, of unix.IFA_F_*.
func AddrFlags(name string, a netip.Addr) (flags uint32, err error) {
	i, err := index(name)
	if err != nil {
		return 0, err
	}
	answers, err := newRequest(unix.RTM_GETADDR, 0).bytes(family(a), 0, 0, 0).u32(0).dump()
	if err != nil {
		return 0, failed("listing the addresses of", name, err)
	}
	for _, b := range answers {
		if len(b) < unix.SizeofIfAddrmsg || int(binary.NativeEndian.Uint32(b[4:])) != i {
			continue
		}
		found := false
		for typ, v := range attrs(b[unix.SizeofIfAddrmsg:]) {
			switch {
			case typ == unix.IFA_ADDRESS:
				x, _ := netip.AddrFromSlice(v)
				found = x == a
			case typ == unix.IFA_FLAGS && len(v) == 4:
				flags = binary.NativeEndian.Uint32(v)
			}
		}
		if found {
			return flags, nil
		}
	}
	return 0, fmt.Errorf("netns: interface %q has no address %v", name, a)
}
