package tap

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
)

// A linkMessage is what rtnetlink says of an interface.
type linkMessage struct {
	deleted bool
	index   int32
	flags   uint32
	mtu     int32 // 0: not said
	address ethstack.HardwareAddr
}

func (m *linkMessage) state() ethstack.LinkState {
	// The carrier, not IFF_RUNNING, for that lags behind.
	if m.flags&unix.IFF_UP != 0 && m.flags&unix.IFF_LOWER_UP != 0 {
		return ethstack.LinkUp
	}
	return ethstack.LinkDown
}

// parseLinks calls f for each message about an interface in b, and with a
// number for each error message. Messages that are cut short are left out.
func parseLinks(b []byte, f func(linkMessage, unix.Errno)) {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return
		}
		body := b[unix.SizeofNlMsghdr:size]
		switch typ := binary.NativeEndian.Uint16(b[4:]); typ {
		case unix.NLMSG_ERROR:
			if len(body) >= 4 {
				if errno := int32(binary.NativeEndian.Uint32(body)); errno < 0 {
					f(linkMessage{}, unix.Errno(-errno))
				}
			}
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			// A bridge reports in the same way, but of family AF_BRIDGE, that
			// an interface is not its port any more: that is no deletion.
			if len(body) >= unix.SizeofIfInfomsg && body[0] == unix.AF_UNSPEC {
				f(parseLink(body, typ == unix.RTM_DELLINK), 0)
			}
		}
		b = b[min((size+3)&^3, len(b)):]
	}
}

func parseLink(body []byte, deleted bool) linkMessage {
	m := linkMessage{
		deleted: deleted,
		index:   int32(binary.NativeEndian.Uint32(body[4:])),
		flags:   binary.NativeEndian.Uint32(body[8:]),
	}
	for b := body[unix.SizeofIfInfomsg:]; len(b) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			break
		}
		value := b[unix.SizeofRtAttr:size]
		switch typ := binary.NativeEndian.Uint16(b[2:]); {
		case typ == unix.IFLA_MTU && len(value) == 4:
			m.mtu = int32(binary.NativeEndian.Uint32(value))
		case typ == unix.IFLA_ADDRESS && len(value) == len(m.address):
			m.address = ethstack.HardwareAddr(value)
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return m
}

// askLink asks for an interface by its number, or by its name if that is 0.
func askLink(fd int, index int32, name string) error {
	b := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg, 64)
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_GETLINK)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+4:], uint32(index))
	if index == 0 {
		b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(name)+1))
		b = binary.NativeEndian.AppendUint16(b, unix.IFLA_IFNAME)
		b = append(append(b, name...), 0)
		b = append(b, make([]byte, -len(b)&3)...)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// openWatch returns a socket that is told of the interfaces in the network
// namespace of the calling thread, and what there is to say of one now.
func openWatch(name string) (fd int, now linkMessage, err error) {
	fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, now, fmt.Errorf("rtnetlink socket: %w", err)
	}
	// First listen, then ask: so no change is missed.
	if err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err == nil {
		now, err = lookup(fd, name)
	}
	if err != nil {
		unix.Close(fd)
		return -1, now, fmt.Errorf("rtnetlink: %w", err)
	}
	return fd, now, nil
}

// lookup asks for an interface and waits for the answer, which the kernel
// gives at once.
func lookup(fd int, name string) (now linkMessage, err error) {
	if err := askLink(fd, 0, name); err != nil {
		return now, err
	}
	own, err := unix.Getsockname(fd)
	if err != nil {
		return now, err
	}
	port := own.(*unix.SockaddrNetlink).Pid
	buf := make([]byte, netlinkBuffer)
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case err == unix.EAGAIN:
			unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10)
			continue
		case err == unix.EINTR:
			continue
		case err != nil:
			return now, err
		}
		// Others are news that the answer is newer than.
		if n < unix.SizeofNlMsghdr || binary.NativeEndian.Uint32(buf[12:]) != port {
			continue
		}
		var errno unix.Errno
		parseLinks(buf[:n], func(m linkMessage, e unix.Errno) { now, errno = m, e })
		if errno != 0 {
			return now, errno
		}
		return now, nil
	}
	return now, unix.ETIMEDOUT
}

// netlinkBuffer is more than a message about an interface needs.
const netlinkBuffer = 32 << 10
