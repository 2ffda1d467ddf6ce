package main

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/internal/netns"
)

// A place is where a device under test is.
type place struct {
	// name is the test interface's, or the TAP's.
	name string
	// tap: it is a TAP, and the address of this end is not the interface's.
	tap bool
	// ipv4 and ipv6 are netstack's addresses.
	ipv4, ipv6 netip.Prefix
	// listen is where the service listens.
	listen netip.AddrPort
}

// servicePort is the port of the service on a control interface. In a network
// namespace of its own nobody else has it.
const servicePort = 54321

// place finds out where the device under test is, and makes it netstack's.
func (o options) place() (place, error) {
	if o.tap != "" {
		return place{name: o.tap, tap: true, ipv4: o.ipv4, ipv6: o.ipv6, listen: o.listen}, nil
	}
	ctrl, err := waitAddrs(o.ctrl)
	if err != nil {
		return place{}, err
	}
	test, err := waitAddrs(o.test)
	if err != nil {
		return place{}, err
	}
	p := place{name: o.test, ipv4: test.ipv4, ipv6: test.ipv6, listen: netip.AddrPortFrom(ctrl.ipv4.Addr(), servicePort)}
	return p, takeAddrs(o.test)
}

// addrs are the addresses of an interface.
type addrs struct{ ipv4, ipv6 netip.Prefix }

// addrPatience is how long an interface has to get its addresses: the kernel
// gives it an IPv6 one soon after it has its carrier.
const addrPatience = 5 * time.Second

// waitAddrs returns an interface's addresses when it has one of each kind.
func waitAddrs(name string) (addrs, error) {
	for deadline := time.Now().Add(addrPatience); ; time.Sleep(10 * time.Millisecond) {
		a, err := addrsOf(name)
		switch {
		case err != nil:
			return a, err
		case a.ipv4.IsValid() && a.ipv6.IsValid():
			return a, nil
		case time.Now().After(deadline):
			return a, fmt.Errorf("interface %q: want an IPv4 and an IPv6 address on it, %v has only %+v", name, addrPatience, a)
		}
	}
}

// addrsOf returns the first address of each kind.
func addrsOf(name string) (a addrs, err error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return a, fmt.Errorf("interface %q: %w", name, err)
	}
	list, err := i.Addrs()
	if err != nil {
		return a, fmt.Errorf("interface %q: listing its addresses: %w", name, err)
	}
	for _, item := range list {
		p, err := netip.ParsePrefix(item.String())
		switch {
		case err != nil:
			return a, fmt.Errorf("interface %q: %w", name, err)
		case p.Addr().Is4() && !a.ipv4.IsValid():
			a.ipv4 = p
		case p.Addr().Is6() && !a.ipv6.IsValid():
			a.ipv6 = p
		}
	}
	return a, nil
}

// takeAddrs takes the addresses off an interface, which stays up: from then on
// the kernel answers nothing there.
func takeAddrs(name string) error {
	if err := netns.SetIPv6(name, false); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		err = ifr.SetInet4Addr(make([]byte, net.IPv4len))
	}
	if err == nil {
		// The unspecified address takes away the one that is there.
		err = unix.IoctlIfreq(fd, unix.SIOCSIFADDR, ifr)
	}
	if err != nil {
		return fmt.Errorf("interface %q: taking its IPv4 address away: %w", name, err)
	}
	return nil
}
