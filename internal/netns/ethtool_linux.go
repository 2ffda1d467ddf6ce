package netns

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// offloads are ethtool's requests that switch off what [DisableOffloads] does, in
// the order of what depends on what.
var offloads = []struct {
	name    string
	command uint32
}{
	{"tso", unix.ETHTOOL_STSO}, {"gso", unix.ETHTOOL_SGSO}, {"gro", unix.ETHTOOL_SGRO},
	{"sg", unix.ETHTOOL_SSG}, {"tx", unix.ETHTOOL_STXCSUM}, {"rx", unix.ETHTOOL_SRXCSUM},
}

// DisableOffloads makes an interface one for frames as they are on a cable: what
// is sent is no longer than the MTU and has all its checksums, and the kernel
// verifies those of what is received. It is `ethtool -K tso off gso off gro off
// sg off tx off rx off`.
func DisableOffloads(name string) error {
	for _, o := range offloads {
		if err := switchOff(name, o.command); err != nil {
			return failed("switching off "+o.name+" of", name, err)
		}
	}
	return nil
}

func switchOff(name string, command uint32) error {
	if err := checkName(name); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// A struct ethtool_value, and a struct ifreq that points to it.
	value := struct{ command, data uint32 }{command: command}
	ifr := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(ifr.name[:], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr))); errno != 0 {
		return errno
	}
	return nil
}
