package tap

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// identify finds file descriptors that are not those of one TAP.
func identify(fds []int, o Options) (t opened, flags uint16, err error) {
	for i, fd := range fds {
		name, is, err := getInterface(fd)
		switch {
		case err == unix.EBADFD:
			return t, 0, fmt.Errorf("tap: Files[%d] is /dev/net/tun without an interface: do TUNSETIFF first, or leave Files out and give the Name", i)
		case err != nil:
			return t, 0, fmt.Errorf("tap: Files[%d] is no TAP (want /dev/net/tun, opened, with TUNSETIFF done): %w", i, err)
		case i > 0 && name != t.name:
			return t, 0, fmt.Errorf("tap: Files[%d] is interface %q, but Files[0] is %q: a device is of one interface", i, name, t.name)
		}
		t.name, flags = name, is
		switch {
		case flags&unix.IFF_TAP == 0:
			return t, 0, fmt.Errorf("tap: %s is a TUN, which carries IP packets: want a TAP (IFF_TAP)", t.name)
		case len(o.Files) > 1 && flags&unix.IFF_MULTI_QUEUE == 0:
			return t, 0, fmt.Errorf("tap: there are %d Files, but %s has one queue (no IFF_MULTI_QUEUE): give one", len(o.Files), t.name)
		case len(o.Files) > 0 && flags&unix.IFF_DETACH_QUEUE != 0:
			return t, 0, fmt.Errorf("tap: Files[%d] is a queue of %s that is detached: attach it first (TUNSETQUEUE)", i, t.name)
		case len(o.Files) > 0 && o.Name != "" && o.Name != t.name:
			return t, 0, fmt.Errorf("tap: Files[%d] is interface %q, but Name is %q: leave Name out", i, t.name, o.Name)
		}
	}
	return t, flags, nil
}

// getInterface returns the name and the flags of a queue's interface.
func getInterface(fd int) (name string, flags uint16, err error) {
	// The name does not matter, it is filled in.
	ifr, err := unix.NewIfreq("tap")
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.TUNGETIFF, ifr)
	}
	if err != nil {
		return "", 0, err
	}
	return ifr.Name(), ifr.Uint16(), nil
}

// hasPacketInfo reports whether 4 bytes come before each frame, for want of
// IFF_NO_PI. The kernel gives the same bit to IFF_NOFILTER, which is only clear
// while there is a filter: so one that lets everything pass is put in to see.
func hasPacketInfo(fd int) bool {
	_, flags, err := getInterface(fd)
	if err == nil && flags&unix.IFF_NO_PI != 0 {
		all := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 1<<32 - 1}
		filter := unix.SockFprog{Len: 1, Filter: &all}
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TUNATTACHFILTER, uintptr(unsafe.Pointer(&filter)))
		if errno != 0 {
			return false
		}
		_, flags, err = getInterface(fd)
		unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TUNDETACHFILTER, uintptr(unsafe.Pointer(&filter)))
	}
	return err == nil && flags&unix.IFF_NO_PI == 0
}
