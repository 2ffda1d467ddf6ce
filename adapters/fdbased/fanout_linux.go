package fdbased

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// allProtocols is ETH_P_ALL in network byte order.
var allProtocols = binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL})

// openPackets opens n packet sockets on an interface. Of several each gets the
// flows whose hash is its own. Until all are together they let nothing in, or
// each would receive what is another's, too.
func openPackets(name string, n int) (fds []int, err error) {
	defer func() {
		if err != nil {
			closeAll(fds)
		}
	}()
	group := 0
	for range n {
		fd, err := openPacket(name, n > 1)
		if err != nil {
			return fds, err
		}
		fds = append(fds, fd)
		if n == 1 {
			return fds, nil
		}
		if group, err = fanOut(fd, group); err != nil {
			return fds, err
		}
	}
	for _, fd := range fds {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil {
			return fds, fmt.Errorf("letting frames in: %w", err)
		}
	}
	return fds, nil
}

// fanOut makes a socket one of a group, of a new one if that is 0, and returns
// the group.
func fanOut(fd, group int) (int, error) {
	// Choice: a frame for a socket that is full is dropped, as with one socket,
	// and not given to another (ROLLOVER), where it would overtake those before
	// it. Fragments are not put together (DEFRAG): a device passes frames on as
	// they are.
	how := unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_IGNORE_OUTGOING
	if group == 0 {
		how |= unix.PACKET_FANOUT_FLAG_UNIQUEID
	}
	err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, group|how<<16)
	if err == nil {
		group, err = unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	}
	switch err {
	case nil:
		return group & 0xffff, nil
	case unix.EINVAL:
		return 0, fmt.Errorf("sharing the frames among several sockets (PACKET_FANOUT; for this kernel the interface must be up: bring it up first, or leave Queues 0): %w", err)
	}
	return 0, fmt.Errorf("sharing the frames among several sockets (PACKET_FANOUT): %w", err)
}

// openPacket opens one packet socket. With others, it lets no frame in yet.
func openPacket(name string, others bool) (int, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return -1, fmt.Errorf("no interface can have this name: %w", err)
	}
	// Of no protocol, it receives nothing before it is bound.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%w%s", err, rights(err))
	}
	err = setOptions(fd)
	if err == nil && others {
		none := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
		err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &none})
	}
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: allProtocols, Ifindex: int(ifr.Uint32())})
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%w%s", err, rights(err))
	}
	return fd, nil
}
