package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Link returns what the kernel knows of an interface now.
func Link(name string) (LinkInfo, error) {
	if err := checkName(name); err != nil {
		return LinkInfo{}, err
	}
	answers, err := newRequest(unix.RTM_GETLINK, 0).link(0, 0, 0).attrString(unix.IFLA_IFNAME, name).ask(unix.NLM_F_ACK)
	if err != nil {
		return LinkInfo{}, failed("asking for", name, err)
	}
	if len(answers) != 1 || len(answers[0]) < unix.SizeofIfInfomsg {
		return LinkInfo{}, fmt.Errorf("netns: asking for interface %q: %d answers, want 1", name, len(answers))
	}
	b := answers[0]
	flags := binary.NativeEndian.Uint32(b[8:])
	info := LinkInfo{
		Name: name, Index: int(binary.NativeEndian.Uint32(b[4:])),
		Up: flags&unix.IFF_UP != 0, Running: flags&unix.IFF_UP != 0 && flags&unix.IFF_RUNNING != 0,
	}
	for typ, v := range attrs(b[unix.SizeofIfInfomsg:]) {
		switch {
		case typ == unix.IFLA_ADDRESS && len(v) == 6:
			info.HardwareAddr = [6]byte(v)
		case typ == unix.IFLA_MTU && len(v) == 4:
			info.MTU = int(binary.NativeEndian.Uint32(v))
		case typ == unix.IFLA_STATS64:
			info.Stats = parseStats(v)
		case typ == unix.IFLA_LINKINFO:
			for typ, v := range attrs(v) {
				if typ == unix.IFLA_INFO_KIND {
					info.Kind = cString(v)
				}
			}
		}
	}
	return info, nil
}

// parseStats reads a struct rtnl_link_stats64, of which older kernels have a
// shorter one.
func parseStats(b []byte) LinkStats {
	at := func(i int) uint64 {
		if len(b) < 8*(i+1) {
			return 0
		}
		return binary.NativeEndian.Uint64(b[8*i:])
	}
	return LinkStats{
		RxPackets: at(0), TxPackets: at(1), RxBytes: at(2), TxBytes: at(3),
		RxErrors: at(4), TxErrors: at(5), RxDropped: at(6), TxDropped: at(7),
		RxNoHandler: at(23),
	}
}

// SetUp brings an interface up.
func SetUp(name string) error {
	return change(name, "bringing up", unix.IFF_UP, unix.IFF_UP, nil)
}

// SetDown takes an interface down.
func SetDown(name string) error { return change(name, "taking down", 0, unix.IFF_UP, nil) }

// SetMTU sets the largest payload in bytes.
func SetMTU(name string, mtu int) error {
	return change(name, fmt.Sprintf("setting MTU %d of", mtu), 0, 0, func(r *request) {
		r.attrU32(unix.IFLA_MTU, uint32(mtu))
	})
}

// SetHardwareAddr sets the hardware address. Many kinds of interface take it
// only while they are down.
func SetHardwareAddr(name string, a [6]byte) error {
	return change(name, fmt.Sprintf("setting hardware address %v of", net.HardwareAddr(a[:])), 0, 0, func(r *request) {
		r.attr(unix.IFLA_ADDRESS, a[:])
	})
}

// SetBridge makes an interface a port of a bridge, or none's if bridge is
// empty.
func SetBridge(name, bridge string) error {
	master := 0
	if bridge != "" {
		var err error
		if master, err = index(bridge); err != nil {
			return err
		}
	}
	return change(name, fmt.Sprintf("adding to bridge %q", bridge), 0, 0, func(r *request) {
		r.attrU32(unix.IFLA_MASTER, uint32(master))
	})
}

// MoveLink moves an interface to another network namespace. There it is down
// and has no address.
func MoveLink(name string, to *Namespace) error {
	return change(name, "moving", 0, 0, func(r *request) {
		r.attrU32(unix.IFLA_NET_NS_FD, uint32(to.file.Fd()))
	})
}

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h.
const vethInfoPeer = 1

// AddVeth makes a pair of interfaces, each of which receives what the other
// sends. Both are down.
func AddVeth(name, peer string) error {
	if err := errors.Join(checkName(name), checkName(peer)); err != nil {
		return err
	}
	r := newRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL).link(0, 0, 0).attrString(unix.IFLA_IFNAME, name)
	r.nest(unix.IFLA_LINKINFO, func() {
		r.attrString(unix.IFLA_INFO_KIND, "veth")
		r.nest(unix.IFLA_INFO_DATA, func() {
			r.nest(vethInfoPeer, func() { r.link(0, 0, 0).attrString(unix.IFLA_IFNAME, peer) })
		})
	})
	return failed(fmt.Sprintf("making, with peer %q,", peer), name, r.do())
}

// DelLink deletes an interface; of a veth pair, both.
func DelLink(name string) error {
	i, err := index(name)
	if err != nil {
		return err
	}
	return failed("deleting", name, newRequest(unix.RTM_DELLINK, 0).link(i, 0, 0).do())
}

func change(name, doing string, flags, mask uint32, attrs func(*request)) error {
	i, err := index(name)
	if err != nil {
		return err
	}
	r := newRequest(unix.RTM_NEWLINK, 0).link(i, flags, mask)
	if attrs != nil {
		attrs(r)
	}
	return failed(doing, name, r.do())
}

func index(name string) (int, error) {
	info, err := Link(name)
	return info.Index, err
}

// checkName tells early and clearly what the kernel answers with "numerical
// result out of range".
func checkName(name string) error {
	if len(name) == 0 || len(name) >= unix.IFNAMSIZ {
		return fmt.Errorf("netns: interface name %q has %d bytes: from 1 to %d are allowed", name, len(name), unix.IFNAMSIZ-1)
	}
	return nil
}

// failed says what failed for which interface, and what is missing.
func failed(doing, name string, err error) error {
	if err == nil {
		return nil
	}
	hint := ""
	switch {
	case errors.Is(err, unix.EPERM):
		hint = ": needs CAP_NET_ADMIN; run in a namespace of your own (netns.Run) or as root"
	case errors.Is(err, unix.ENODEV):
		hint = ": there is no such interface in this network namespace"
	}
	return fmt.Errorf("netns: %s interface %q%s: %w", doing, name, hint, err)
}
