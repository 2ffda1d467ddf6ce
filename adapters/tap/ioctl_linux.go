package tap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
)

// ifreq is a struct ifreq, of which package unix does not give the hardware
// address: 16 bytes of name, then a struct sockaddr.
type ifreq [40]byte

const ifreqData = 18

func getHardwareAddr(fd int) (a ethstack.HardwareAddr, err error) {
	var r ifreq
	err = ioctl(fd, unix.SIOCGIFHWADDR, &r)
	copy(a[:], r[ifreqData:])
	return a, err
}

func setHardwareAddr(fd int, a ethstack.HardwareAddr) error {
	var r ifreq
	binary.NativeEndian.PutUint16(r[16:], unix.ARPHRD_ETHER)
	copy(r[ifreqData:], a[:])
	return ioctl(fd, unix.SIOCSIFHWADDR, &r)
}

func ioctl(fd int, request uint, r *ifreq) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(r))); errno != 0 {
		return errno
	}
	return nil
}

// setMTU and setUp act on the interface of that name in the network namespace
// of the calling thread.
func setMTU(name string, mtu int) error {
	err := control(name, unix.SIOCSIFMTU, func(r *unix.Ifreq) { r.SetUint32(uint32(mtu)) })
	if err != nil {
		return fmt.Errorf("setting MTU %d on %s%s: %w", mtu, name, rights(err), err)
	}
	return nil
}

func setUp(name string) error {
	var flags uint16
	err := control(name, unix.SIOCGIFFLAGS, nil, func(r *unix.Ifreq) { flags = r.Uint16() })
	if err == nil {
		err = control(name, unix.SIOCSIFFLAGS, func(r *unix.Ifreq) { r.SetUint16(flags | unix.IFF_UP) })
	}
	if err != nil {
		return fmt.Errorf("bringing %s up%s: %w", name, rights(err), err)
	}
	return nil
}

// control makes one request about an interface.
func control(name string, request uint, before func(*unix.Ifreq), after ...func(*unix.Ifreq)) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if before != nil {
		before(r)
	}
	if err := unix.IoctlIfreq(fd, request, r); err != nil {
		return err
	}
	for _, f := range after {
		f(r)
	}
	return nil
}

// rights says what to do about an error, if it is a lack of them.
func rights(err error) string {
	if errors.Is(err, unix.EPERM) {
		return " (needs CAP_NET_ADMIN: run as root, or in a user and network namespace of your own)"
	}
	return ""
}

// openError says what to do where there is no /dev/net/tun.
func openError(err error) error {
	what := ""
	switch err {
	case unix.ENOENT:
		what = " (load the kernel's module with `modprobe tun`; a container must be given the device: --device " + devicePath + ")"
	case unix.ENXIO, unix.ENODEV:
		what = " (the kernel has no driver for it: CONFIG_TUN, `modprobe tun`)"
	case unix.EACCES, unix.EPERM:
		what = " (no access: `chmod 0666 " + devicePath + "`, which is safe, or run as root, or have a TAP opened for you and pass it in Files)"
	}
	return fmt.Errorf("tap: opening %s%s: %w", devicePath, what, err)
}

// createError says why the kernel gives no TAP of that name.
func createError(name string, several bool, err error) error {
	what := ""
	exists := control(name, unix.SIOCGIFINDEX, nil) == nil
	switch {
	case err == unix.EPERM && exists:
		what = ": it is another user's, or the process lacks CAP_NET_ADMIN: run as root, or make it with `ip tuntap add " + name + " mode tap user $USER`"
	case err == unix.EPERM:
		what = ": needs CAP_NET_ADMIN: run as root, or in a user and network namespace of your own, or make it first with `ip tuntap add " + name + " mode tap user $USER`"
	case err == unix.EBUSY:
		what = ": another program has it open"
	case err == unix.EINVAL && exists && several:
		what = ": the interface of this name is no TAP, or one with a single queue: make it with `ip tuntap add " + name + " mode tap multi_queue`, or leave Queues 0"
	case err == unix.EINVAL && exists:
		what = ": the interface of this name is no TAP"
	case err == unix.E2BIG:
		what = ": other programs have queues of it, and there are no more left"
	case err == unix.EINVAL:
		what = ": the kernel does not take the name, or lacks IFF_VNET_HDR (then set NoOffload)"
	}
	return fmt.Errorf("tap: opening TAP %q%s: %w", name, what, err)
}
