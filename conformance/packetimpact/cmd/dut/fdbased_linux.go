package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/internal/netns"
)

// gsoMaxSize is runsc's: the largest IP packet.
const gsoMaxSize = 65535

// openFdbased puts gVisor's own link layer there, as runsc does: a packet
// socket with segmentation offload. On a TAP it has none, since gVisor's gives
// offload to sockets only.
func (p place) openFdbased() (link, error) {
	fd, hw, err := p.openFile()
	if err != nil {
		return link{}, err
	}
	i, err := net.InterfaceByName(p.name)
	if err != nil {
		unix.Close(fd)
		return link{}, fmt.Errorf("interface %q: %w", p.name, err)
	}
	gone := newOnce()
	ep, err := fdbased.New(&fdbased.Options{
		FDs:                []int{fd},
		MTU:                uint32(i.MTU),
		EthernetHeader:     true,
		Address:            tcpip.LinkAddress(hw),
		GSOMaxSize:         gsoMaxSize,
		PacketDispatchMode: fdbased.RecvMMsg,
		ClosedFunc:         func(tcpip.Error) { gone.set() },
	})
	if err != nil {
		unix.Close(fd)
		return link{}, fmt.Errorf("gVisor's fdbased on %q: %w", p.name, err)
	}
	// It and the stack end with the process: to stop its readers the interface
	// has to be removed, and that can wait for ever (gVisor issue 11456).
	return link{ep: ep, arp: arp.NewProtocol, gone: gone.c, close: func(*stack.Stack) {}}, nil
}

// openFile opens what frames come out of, and returns the hardware address to
// be had there.
func (p place) openFile() (int, net.HardwareAddr, error) {
	if p.tap {
		fd, err := openTAP(p.name)
		return fd, randomAddr(), err
	}
	i, err := net.InterfaceByName(p.name)
	if err != nil {
		return 0, nil, fmt.Errorf("interface %q: %w", p.name, err)
	}
	fd, err := openPacketSocket(i.Index)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("a packet socket on %q: %w", p.name, err)
	}
	return fd, i.HardwareAddr, nil
}

func openTAP(name string) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("opening /dev/net/tun: %w", err)
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	if err == nil {
		err = netns.SetUp(name)
	}
	if err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("TAP %q: %w", name, err)
	}
	return fd, nil
}

// openPacketSocket opens a socket for all frames of an interface.
func openPacketSocket(index int) (int, error) {
	// Bound only when the interface is known: before, frames of all would come.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	all := binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL})
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}); err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// randomAddr returns an address that is locally administered.
func randomAddr() net.HardwareAddr {
	a := make(net.HardwareAddr, 6)
	rand.Read(a)
	a[0] = a[0]&^1 | 2
	return a
}
