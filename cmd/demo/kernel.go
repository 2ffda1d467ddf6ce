package main

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
)

// A kernel is the Linux kernel's end of a wire, in the network namespace of
// this process.
type kernel struct {
	iface        string
	hardwareAddr ethstack.HardwareAddr
}

var _ station = (*kernel)(nil)

// newKernel takes the kernel's end, which is up, and gives it addresses.
func newKernel(iface string, addrs []netip.Prefix) (*kernel, error) {
	for _, p := range addrs {
		if err := netns.AddAddr(iface, p); err != nil {
			return nil, err
		}
	}
	info, err := netns.Link(iface)
	if err != nil {
		return nil, err
	}
	return &kernel{iface: iface, hardwareAddr: info.HardwareAddr}, nil
}

func (k *kernel) Name() string { return "kernel" }

func (k *kernel) HardwareAddr() ethstack.HardwareAddr { return k.hardwareAddr }

// Ping opens a raw socket, for which one must be root, as one is in a
// namespace of one's own. The kernel's ping sockets are for the groups of a
// sysctl only.
func (k *kernel) Ping(to netip.Addr) (packetConn, error) {
	network := "ip4:icmp"
	if to.Is6() {
		network = "ip6:ipv6-icmp"
	}
	c, err := net.Dial(network, to.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.IPConn), nil
}

func (k *kernel) Dial(ctx context.Context, to netip.AddrPort) (streamConn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

func (k *kernel) Listen(at netip.AddrPort) (net.Listener, error) {
	return net.Listen("tcp", at.String())
}

func (k *kernel) DialUDP(to netip.AddrPort) (packetConn, error) {
	c, err := net.Dial("udp", to.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

func (k *kernel) ListenUDP(at netip.AddrPort) (net.PacketConn, error) {
	return net.ListenPacket("udp", at.String())
}

func (k *kernel) Neighbors() ([]neighbor, error) {
	entries, err := netns.Neighbors(k.iface)
	if err != nil {
		return nil, err
	}
	var list []neighbor
	for _, e := range entries {
		list = append(list, neighbor{e.Addr, e.HardwareAddr, strings.ToLower(e.State.String())})
	}
	sortNeighbors(list)
	return list, nil
}
