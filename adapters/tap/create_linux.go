package tap

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const devicePath = "/dev/net/tun"

// create opens a new TAP or one that exists by its name: a file descriptor for
// each queue and, where there are several, another one to write to.
//
// The kernel sends the frames of a flow to the queue that its last frame was
// written to (and forgets that after some seconds without one). So a flow would
// change its queue in the middle, and what is still in the old one would be
// overtaken by what comes in the new one. A queue that is detached receives
// nothing, and of what is written to it the kernel learns no queue: each flow
// stays where its hash puts it. The hash is the same for both directions.
func create(o Options) (fds []int, err error) {
	defer func() {
		if err != nil {
			closeAll(fds)
		}
	}()
	name := o.Name
	if name == "" {
		name = "tap%d"
	}
	n, flags := 1, uint16(unix.IFF_TAP|unix.IFF_NO_PI)
	if !o.NoOffload {
		flags |= unix.IFF_VNET_HDR
	}
	several := o.Queues > 1
	if several {
		n, flags = o.Queues+1, flags|unix.IFF_MULTI_QUEUE
	}
	for i := range n {
		fd, err := unix.Open(devicePath, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return fds, openError(err)
		}
		fds = append(fds, fd)
		made, err := setInterface(fd, name, flags)
		if err == unix.EINVAL && !several {
			// A TAP that was made for several queues wants to be opened as such.
			made, err = setInterface(fd, name, flags|unix.IFF_MULTI_QUEUE)
		}
		if err != nil {
			return fds, createError(name, several, err)
		}
		name = made
		// Before there is another one: frames in it would be lost.
		if several && i == 0 {
			if err := detach(fd); err != nil {
				return fds, fmt.Errorf("tap: %s: detaching the queue for writing: %w", name, err)
			}
		}
	}
	if several {
		fds = append(fds[1:], fds[0])
	}
	return fds, nil
}

// setInterface makes a descriptor a queue of the interface, and returns the
// name that this has.
func setInterface(fd int, name string, flags uint16) (string, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return name, err
	}
	ifr.SetUint16(flags)
	err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	return ifr.Name(), err
}

func detach(fd int) error {
	ifr, err := unix.NewIfreq("tap") // the name does not matter
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_DETACH_QUEUE)
	return unix.IoctlIfreq(fd, unix.TUNSETQUEUE, ifr)
}
