package tap

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/ethlink/ethlink/ethstack"
)

// Options say what [Open] opens. The zero value makes a new TAP interface with
// a name that the kernel chooses, which is down and ends with the device.
type Options struct {
	// Name is the interface's: an existing TAP that nobody has open, as
	// `ip tuntap add` makes it, or a new one. "%d" in it stands for the first
	// number that is free. Empty means "tap%d", or File's.
	Name string
	// Files are a TAP that somebody else opened, with TUNSETIFF done: one, or of
	// a TAP with several queues (IFF_MULTI_QUEUE) one for each. Once Open has
	// returned without an error they belong to the device and are not to be used
	// any more; otherwise they stay the caller's. The TAP may be of another
	// network namespace.
	Files []*os.File
	// Queues is how many queues the device has, from 1 to 255; 0 means 1, or as
	// many as there are Files. An interface that exists must have been made for
	// several: `ip tuntap add ... mode tap multi_queue`.
	Queues int
	// HardwareAddr is this end's; zero means a random one.
	HardwareAddr ethstack.HardwareAddr
	// KernelHardwareAddr is set on the interface; zero leaves it as it is.
	KernelHardwareAddr ethstack.HardwareAddr
	// MTU is set on the interface, in bytes without the Ethernet header, from
	// 68 to 65521; 0 leaves it as it is.
	MTU int
	// Up brings the interface up.
	Up bool
	// NoOffload makes the device read and write plain frames only. It cannot be
	// had for Files that were opened with IFF_VNET_HDR, where it only keeps the
	// kernel from using the offloads.
	NoOffload bool
}

const (
	// minMTU and maxMTU are the kernel's bounds for a TAP.
	minMTU = 68
	maxMTU = 65535 - ethstack.HeaderLen
	// maxName is the longest name of an interface: IFNAMSIZ without its zero.
	maxName = 15
	// maxQueues is the kernel's MAX_TAP_QUEUES without the one for writing.
	maxQueues = 255
)

// check finds options that no kernel would take.
func (o *Options) check() error {
	switch {
	case len(o.Name) > maxName:
		return fmt.Errorf("tap: interface name %q has %d bytes: at most %d are allowed", o.Name, len(o.Name), maxName)
	case o.Name == "." || o.Name == ".." || strings.ContainsAny(o.Name, "/: \t\n\v\f\r\x00"):
		return fmt.Errorf("tap: interface name %q: slashes, colons and white space are not allowed", o.Name)
	case o.Queues < 0 || o.Queues > maxQueues:
		return fmt.Errorf("tap: %d queues: from 1 to %d are allowed, or 0 for one", o.Queues, maxQueues)
	case len(o.Files) > 0 && o.Queues != 0 && o.Queues != len(o.Files):
		return fmt.Errorf("tap: %d queues, but %d Files: each file is a queue, leave Queues 0", o.Queues, len(o.Files))
	case slices.Contains(o.Files, nil):
		return errors.New("tap: one of Files is nil: want open files, or none")
	case o.MTU != 0 && (o.MTU < minMTU || o.MTU > maxMTU):
		return fmt.Errorf("tap: MTU %d: from %d to %d is allowed, or 0 to leave it as it is", o.MTU, minMTU, maxMTU)
	case o.HardwareAddr.IsGroup():
		return fmt.Errorf("tap: hardware address %v is a group's: the lowest bit of the first byte must be 0", o.HardwareAddr)
	case o.KernelHardwareAddr.IsGroup():
		return fmt.Errorf("tap: kernel hardware address %v is a group's: the lowest bit of the first byte must be 0", o.KernelHardwareAddr)
	case !o.HardwareAddr.IsZero() && o.HardwareAddr == o.KernelHardwareAddr:
		return fmt.Errorf("tap: hardware address %v is given to both ends: each must have its own", o.HardwareAddr)
	}
	return nil
}

// Stats counts the frames that a [Device] dropped by itself. What it passed
// on is counted above it, what the kernel dropped at the interface.
type Stats struct {
	// ReadTooLong: frames that did not fit the memory given to Read.
	ReadTooLong uint64
	// ReadUnknownSegment: super-frames of a kind that has no
	// [ethstack.SegmentType], such as tunnelled ones.
	ReadUnknownSegment uint64
	// ReadMalformed: what the kernel returned was shorter than its own
	// metadata.
	ReadMalformed uint64
	// WriteDown: frames that were not taken because the interface was down.
	WriteDown uint64
	// WriteFull: frames that were not taken for want of kernel memory.
	WriteFull uint64
	// WriteTooLong: frames longer than the device takes.
	WriteTooLong uint64
	// WriteInvalid: frames shorter than an Ethernet header, or with metadata
	// that the device does not have or the kernel found wrong.
	WriteInvalid uint64
	// WriteGone: frames offered to a device that was gone or closed.
	WriteGone uint64
}
