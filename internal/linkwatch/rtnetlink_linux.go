package linkwatch

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
)

// A Message is what rtnetlink says of an interface.
type Message struct {
	// MTU is in bytes without the Ethernet header; 0: not said.
	MTU int
	// HardwareAddr is the interface's; zero: not said.
	HardwareAddr ethstack.HardwareAddr

	deleted bool
	index   int32
	flags   uint32
}

// IsUp reports whether the administrator wants the interface up.
func (m *Message) IsUp() bool { return m.flags&unix.IFF_UP != 0 }

// State returns the state of the link.
func (m *Message) State() ethstack.LinkState {
	// The carrier, not IFF_RUNNING, for that lags behind.
	if m.IsUp() && m.flags&unix.IFF_LOWER_UP != 0 {
		return ethstack.LinkUp
	}
	return ethstack.LinkDown
}

// parseLinks calls f for each message about an interface in b, and with a
// number for each error message. Messages that are cut short are left out.
func parseLinks(b []byte, f func(Message, unix.Errno)) {
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
					f(Message{}, unix.Errno(-errno))
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

func parseLink(body []byte, deleted bool) Message {
	m := Message{
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
			m.MTU = int(binary.NativeEndian.Uint32(value))
		case typ == unix.IFLA_ADDRESS && len(value) == len(m.HardwareAddr):
			m.HardwareAddr = ethstack.HardwareAddr(value)
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

// openSocket returns a socket that is told of the interfaces in the network
// namespace of the calling thread, and what there is to say of one now.
func openSocket(name string) (fd int, now Message, err error) {
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
func lookup(fd int, name string) (now Message, err error) {
	if err := askLink(fd, 0, name); err != nil {
		return now, err
	}
	own, err := unix.Getsockname(fd)
	if err != nil {
		return now, err
	}
	port := own.(*unix.SockaddrNetlink).Pid
	buf := make([]byte, bufferSize)
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
		parseLinks(buf[:n], func(m Message, e unix.Errno) { now, errno = m, e })
		if errno != 0 {
			return now, errno
		}
		return now, nil
	}
	return now, unix.ETIMEDOUT
}

// bufferSize is more than a message about an interface needs.
const bufferSize = 32 << 10
