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
	// files are the queues, and one more to write to if there is one.
	files      []*os.File
	queues     int
	name       string
	kernelAddr ethstack.HardwareAddr
	vnetLen    int
	offloads   ethstack.Offloads
}

// openTAP opens or takes over the file descriptors, and finds out what they can
// do. The TAP is of the network namespace of the calling thread.
func openTAP(o Options) (opened, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fds, err := obtain(o)
	if err != nil {
		return opened{}, err
	}
	t, err := inspect(fds, o)
	if err != nil {
		closeAll(fds)
		return t, err
	}
	t.queues = max(len(o.Files), o.Queues, 1)
	if t.files, err = pollable(fds); err != nil {
		return t, fmt.Errorf("tap: %s cannot be waited for: %w", t.name, err)
	}
	return t, nil
}

// obtain returns the file descriptors of the queues, and another one to write
// to if there is one.
func obtain(o Options) (fds []int, err error) {
	if len(o.Files) == 0 {
		return create(o)
	}
	for i, f := range o.Files {
		fd, err := frameio.Duplicate(f)
		if err != nil {
			closeAll(fds)
			return nil, fmt.Errorf("tap: Files[%d]: %w", i, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// pollable makes files of the descriptors, which it closes on an error.
func pollable(fds []int) (files []*os.File, err error) {
	for _, fd := range fds {
		// Only now: the poller takes a TAP only once it has its interface.
		failed := unix.SetNonblock(fd, true)
		f := os.NewFile(uintptr(fd), devicePath)
		files = append(files, f)
		err = errors.Join(err, failed, f.SetDeadline(time.Time{}))
	}
	if err != nil {
		closeFiles(files)
		return nil, err
	}
	return files, nil
}

// inspect finds out what the file descriptors are, and has the kernel use the
// offloads.
func inspect(fds []int, o Options) (opened, error) {
	t, flags, err := identify(fds, o)
	if err != nil {
		return t, err
	}
	fd := fds[0] // what is asked and set here is the interface's
	if hasPacketInfo(fd) {
		return t, fmt.Errorf("tap: %s was opened without IFF_NO_PI: want frames without the extra 4 bytes", t.name)
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
