package tap

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/vnet"
)

// opened is a TAP with what is known of it.
type opened struct {
	file       *os.File
	name       string
	kernelAddr ethstack.HardwareAddr
	vnetLen    int
	offloads   ethstack.Offloads
}

const devicePath = "/dev/net/tun"

// openTAP opens or takes over the file descriptor, and finds out what it can
// do. The TAP is of the network namespace of the calling thread.
func openTAP(o Options) (t opened, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var fd int
	if o.File != nil {
		if fd, err = frameio.Duplicate(o.File); err != nil {
			err = fmt.Errorf("tap: File: %w", err)
		}
	} else {
		fd, err = create(o)
	}
	if err != nil {
		return opened{}, err
	}
	defer func() {
		if err != nil && t.file == nil {
			unix.Close(fd)
		} else if err != nil {
			t.file.Close()
		}
	}()
	if t, err = inspect(fd, o); err != nil {
		return t, err
	}
	// Only now: the poller takes a TAP only once it has its interface.
	if err = unix.SetNonblock(fd, true); err != nil {
		return t, fmt.Errorf("tap: %s: %w", t.name, err)
	}
	t.file = os.NewFile(uintptr(fd), devicePath)
	if err = t.file.SetDeadline(time.Time{}); err != nil {
		return t, fmt.Errorf("tap: %s cannot be waited for: %w", t.name, err)
	}
	return t, nil
}

// create opens a new TAP or one that exists by its name.
func create(o Options) (int, error) {
	fd, err := unix.Open(devicePath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, openError(err)
	}
	name := o.Name
	if name == "" {
		name = "tap%d"
	}
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if !o.NoOffload {
		flags |= unix.IFF_VNET_HDR
	}
	err = setInterface(fd, name, flags)
	if err == unix.EINVAL {
		// A TAP that was made for several queues wants to be opened as such.
		err = setInterface(fd, name, flags|unix.IFF_MULTI_QUEUE)
	}
	if err != nil {
		unix.Close(fd)
		return 0, createError(name, err)
	}
	return fd, nil
}

func setInterface(fd int, name string, flags uint16) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(flags)
	return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
}

// inspect finds out what a file descriptor is, and has the kernel use the
// offloads.
func inspect(fd int, o Options) (opened, error) {
	// The name does not matter, it is filled in.
	ifr, err := unix.NewIfreq("tap")
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.TUNGETIFF, ifr)
	}
	switch {
	case err == unix.EBADFD:
		return opened{}, errors.New("tap: File is /dev/net/tun without an interface: do TUNSETIFF first, or leave File out and give the Name")
	case err != nil:
		return opened{}, fmt.Errorf("tap: File is no TAP (want /dev/net/tun, opened, with TUNSETIFF done): %w", err)
	}
	t, flags := opened{name: ifr.Name()}, ifr.Uint16()
	switch {
	case flags&unix.IFF_TAP == 0:
		return t, fmt.Errorf("tap: %s is a TUN, which carries IP packets: want a TAP (IFF_TAP)", t.name)
	case flags&unix.IFF_NO_PI == 0:
		return t, fmt.Errorf("tap: %s was opened without IFF_NO_PI: want frames without the extra 4 bytes", t.name)
	case o.File != nil && o.Name != "" && o.Name != t.name:
		return t, fmt.Errorf("tap: File is interface %q, but Name is %q: leave Name out", t.name, o.Name)
	}
	if flags&unix.IFF_VNET_HDR != 0 {
		if t.vnetLen, err = unix.IoctlGetInt(fd, unix.TUNGETVNETHDRSZ); err != nil {
			return t, fmt.Errorf("tap: asking for the length of the vnet header of %s: %w", t.name, err)
		}
		if t.vnetLen < vnet.Len || t.vnetLen > vnet.MaxLen {
			return t, fmt.Errorf("tap: %s has a vnet header of %d bytes: from %d to %d are known", t.name, t.vnetLen, vnet.Len, vnet.MaxLen)
		}
		t.offloads = setOffloads(fd, o.NoOffload)
	}
	if !o.KernelHardwareAddr.IsZero() {
		if err := setHardwareAddr(fd, o.KernelHardwareAddr); err != nil {
			return t, fmt.Errorf("tap: setting hardware address %v on %s: %w", o.KernelHardwareAddr, t.name, err)
		}
	}
	if t.kernelAddr, err = getHardwareAddr(fd); err != nil {
		return t, fmt.Errorf("tap: asking for the hardware address of %s: %w", t.name, err)
	}
	return t, nil
}

// setOffloads tells the kernel what it may leave to us, and returns what may
// be left to the kernel: it takes whatever has a vnet header, but for UDP
// super-frames, which came with TUN_F_USO4.
func setOffloads(fd int, none bool) ethstack.Offloads {
	const checksum, tcp = unix.TUN_F_CSUM, unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6
	set := func(bits int) bool { return unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, bits) == nil }
	if none {
		set(0)
		return 0
	}
	have := ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6 | ethstack.OffloadECN
	if set(checksum | unix.TUN_F_USO4 | unix.TUN_F_USO6) {
		have |= ethstack.OffloadUDP
	}
	// This takes USO back, see the package's documentation.
	_ = set(tcp|unix.TUN_F_TSO_ECN) || set(tcp) || set(checksum) || set(0)
	return have
}

// chooseHardwareAddr returns the address of our end: one that is not the
// kernel's.
func chooseHardwareAddr(want, kernel ethstack.HardwareAddr) (ethstack.HardwareAddr, error) {
	if want == kernel {
		return want, fmt.Errorf("hardware address %v is the kernel's own: each end must have its own", want)
	}
	for want.IsZero() || want == kernel {
		rand.Read(want[:])
		// IEEE 802 §8.4: locally administered, of one station.
		want[0] = want[0]&^1 | 2
	}
	return want, nil
}
