package lab

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
)

// A Kernel is the Linux kernel's end of a wire.
type Kernel struct {
	iface        string
	hardwareAddr ethstack.HardwareAddr
	// do calls a function in the network namespace of the interface.
	do func(func() error) error
}

var _ Station = (*Kernel)(nil)

// NewKernel takes the kernel's end, which is up, in the network namespace of
// this process, and gives it addresses.
func NewKernel(iface string, addrs []netip.Prefix) (*Kernel, error) {
	return newKernel(iface, addrs, func(f func() error) error { return f() })
}

// NewKernelIn is [NewKernel] in another network namespace.
func NewKernelIn(ns *netns.Namespace, iface string, addrs []netip.Prefix) (*Kernel, error) {
	return newKernel(iface, addrs, ns.Do)
}

func newKernel(iface string, addrs []netip.Prefix, do func(func() error) error) (*Kernel, error) {
	k := &Kernel{iface: iface, do: do}
	err := do(func() error {
		for _, p := range addrs {
			if err := netns.AddAddr(iface, p); err != nil {
				return err
			}
		}
		info, err := netns.Link(iface)
		k.hardwareAddr = info.HardwareAddr
		return err
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Name returns "kernel".
func (k *Kernel) Name() string { return "kernel" }

// HardwareAddr returns the interface's.
func (k *Kernel) HardwareAddr() ethstack.HardwareAddr { return k.hardwareAddr }

// Ping opens a raw socket, for which one must be root, as one is in a
// namespace of one's own. The kernel's ping sockets are for the groups of a
// sysctl only.
func (k *Kernel) Ping(to netip.Addr) (PacketConn, error) {
	network := "ip4:icmp"
	if to.Is6() {
		network = "ip6:ipv6-icmp"
	}
	c, err := within(k, func() (net.Conn, error) { return net.Dial(network, to.String()) })
	if err != nil {
		return nil, err
	}
	return c.(*net.IPConn), nil
}

// Dial makes a TCP connection.
func (k *Kernel) Dial(ctx context.Context, to netip.AddrPort) (StreamConn, error) {
	var d net.Dialer
	c, err := within(k, func() (net.Conn, error) { return d.DialContext(ctx, "tcp", to.String()) })
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// Listen waits for TCP connections.
func (k *Kernel) Listen(at netip.AddrPort) (net.Listener, error) {
	return within(k, func() (net.Listener, error) { return net.Listen("tcp", at.String()) })
}

// DialUDP opens a connected UDP socket.
func (k *Kernel) DialUDP(to netip.AddrPort) (PacketConn, error) {
	c, err := within(k, func() (net.Conn, error) { return net.Dial("udp", to.String()) })
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

// ListenUDP opens a UDP socket.
func (k *Kernel) ListenUDP(at netip.AddrPort) (net.PacketConn, error) {
	return within(k, func() (net.PacketConn, error) { return net.ListenPacket("udp", at.String()) })
}

// Neighbors returns the kernel's table for the interface.
func (k *Kernel) Neighbors() ([]Neighbor, error) {
	entries, err := within(k, func() ([]netns.Neighbor, error) { return netns.Neighbors(k.iface) })
	if err != nil {
		return nil, err
	}
	var list []Neighbor
	for _, e := range entries {
		list = append(list, Neighbor{e.Addr, e.HardwareAddr, strings.ToLower(e.State.String())})
	}
	sortNeighbors(list)
	return list, nil
}

// within calls f in the network namespace of the kernel's interface.
func within[T any](k *Kernel, f func() (T, error)) (v T, err error) {
	err = k.do(func() error {
		v, err = f()
		return err
	})
	return v, err
}
