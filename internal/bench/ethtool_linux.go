package bench

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// offloadsOff switches an interface's offloads off, as `ethtool -K` does: what
// goes over it are then frames as on a wire, no longer than the MTU, with all
// their checksums.
func offloadsOff(iface string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bench: ethtool of %q: %w", iface, err)
	}
	defer unix.Close(fd)
	// The order is that of what depends on what.
	for _, c := range []struct {
		name    string
		command uint32
	}{
		{"tso", unix.ETHTOOL_STSO}, {"gso", unix.ETHTOOL_SGSO}, {"gro", unix.ETHTOOL_SGRO}, {"sg", unix.ETHTOOL_SSG}, {"tx", unix.ETHTOOL_STXCSUM},
	} {
		// struct ethtool_value, and a struct ifreq that points to it.
		value := struct{ command, data uint32 }{command: c.command}
		ifr := struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}{data: unsafe.Pointer(&value)}
		copy(ifr.name[:unix.IFNAMSIZ-1], iface)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr))); errno != 0 {
			return fmt.Errorf("bench: switching %s of interface %q off: %w", c.name, iface, errno)
		}
	}
	return nil
}
