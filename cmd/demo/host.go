package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
)

// hostOptions say what a host is on, and who it is.
type hostOptions struct {
	// tap, iface and fd say what it is on: one of them is given.
	tap, iface   string
	fd           int // noFD: not given
	addrs        []netip.Prefix
	gateways     []netip.Addr
	hardwareAddr ethstack.HardwareAddr
	mtu          int           // 0: as it is
	vlan         ethstack.VLAN // zero: untagged frames
}

const noFD = -1

// check finds options that contradict each other.
func (o hostOptions) check() error {
	given := 0
	for _, is := range []bool{o.tap != "", o.iface != "", o.fd != noFD} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return usageError{fmt.Errorf("host: %d of -tap, -iface and -fd are given: want one, the device that it is on", given)}
	case o.iface != "" && o.mtu != 0:
		return usageError{fmt.Errorf("host: -mtu is not for -iface, which has an MTU: `ip link set dev %s mtu %d` changes it", o.iface, o.mtu)}
	case len(o.addrs) == 0:
		return usageError{errors.New("host: no -addr is given: want one or more, such as -addr 192.0.2.2/24")}
	}
	for i, p := range o.addrs {
		if slices.Contains(o.addrs[:i], p) {
			return usageError{fmt.Errorf("host: -addr %v is given twice", p)}
		}
	}
	for i, gw := range o.gateways {
		if i > 1 || i == 1 && gw.Is4() == o.gateways[0].Is4() {
			return usageError{fmt.Errorf("host: -gw %v is one too many: want at most one for IPv4 and one for IPv6", gw)}
		}
		if !slices.ContainsFunc(o.addrs, func(p netip.Prefix) bool { return p.Contains(gw) }) {
			return usageError{fmt.Errorf("host: -gw %v is on no subnet of the -addr that are given, so it cannot be reached", gw)}
		}
	}
	return nil
}

// open opens the device.
func (o hostOptions) open() (ethstack.Device, error) {
	switch {
	case o.tap != "":
		return tap.Open(tap.Options{Name: o.tap, HardwareAddr: o.hardwareAddr, MTU: o.mtu})
	case o.iface != "":
		return fdbased.OpenPacket(o.iface, fdbased.Options{HardwareAddr: o.hardwareAddr})
	}
	file := os.NewFile(uintptr(o.fd), fmt.Sprintf("file descriptor %d", o.fd))
	return fdbased.New(file, fdbased.Options{HardwareAddr: o.hardwareAddr, MTU: o.mtu})
}

// errGone ends a host whose device will carry no frame again.
var errGone = errors.New("the link is gone for good: its interface was deleted, or the program at the other end has ended")

// runHost is a host until the context ends or the link is gone.
func runHost(ctx context.Context, o hostOptions, r *report) error {
	dev, err := o.open()
	if err != nil {
		return err
	}
	info := dev.Info()
	news := newNews()
	eo := endpoint.Options{OnEvent: news.event, OnLinkState: news.link}
	trunk, err := endpoint.New(dev, eo)
	if err != nil {
		dev.Close()
		return err
	}
	defer trunk.Close()
	ep := trunk
	if o.vlan != (ethstack.VLAN{}) {
		if ep, err = trunk.VLAN(o.vlan, eo); err != nil {
			return err
		}
	}
	n, err := lab.NewNetstackOn(ep, lab.NetstackOptions{Name: "host", Addrs: o.addrs, Gateways: o.gateways, Companion: true})
	if err != nil {
		return err
	}
	servers, err := serve(n, o.addrs)
	if err != nil {
		n.Close()
		return err
	}
	defer servers.Close()
	r.Heading("ethlink demo", "a host, until Ctrl-C")
	r.Section("device", "")
	r.Line("%s, MTU %d, offloads %v, %v", info.Name, info.MTU, info.Offloads, o.vlan)
	r.Table([][]string{append([]string{n.HardwareAddr().String()}, texts(o.addrs)...)})
	r.Section("to try", "from another shell, or another machine on that wire")
	for _, c := range o.commands(info.Name, n.Endpoint().Interface().Link().State()) {
		r.Line("%s", c)
	}
	r.Section("news", "")
	for {
		select {
		case text := <-news.texts:
			r.Line("%s", text)
		case <-news.gone:
			return errGone
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// news is what a host's goroutines tell. They must not wait for a terminal: what
// finds no room is left out.
type news struct {
	texts chan string
	gone  chan struct{}
}

func newNews() *news {
	return &news{texts: make(chan string, 64), gone: make(chan struct{}, 1)}
}

func (n *news) tell(text string) {
	select {
	case n.texts <- text:
	default:
	}
}

func (n *news) event(e arp.Event) {
	if e.Kind == arp.EventConflict || e.Kind == arp.EventMoved {
		n.tell(eventText(e))
	}
}

func (n *news) link(s ethstack.LinkState) {
	n.tell("the link is " + s.String())
	if s == ethstack.LinkGone {
		select {
		case n.gone <- struct{}{}:
		default:
		}
	}
}

// commands returns what to enter in another shell: first what gets the kernel's
// end of a TAP ready, if it is not.
func (o hostOptions) commands(name string, state ethstack.LinkState) (list []string) {
	if state == ethstack.LinkDown && o.fd == noFD {
		list = append(list, "sudo ip link set "+name+" up")
	}
	if id := o.vlan[0].ID; id != 0 && o.tap != "" {
		parent := name
		name = fmt.Sprintf("%s.%d", parent, id)
		list = append(list, fmt.Sprintf("sudo ip link add link %s name %s type vlan id %d", parent, name, id), "sudo ip link set "+name+" up")
	}
	if o.tap != "" {
		for _, p := range o.addrs {
			if !hasAddrIn(name, p) {
				list = append(list, fmt.Sprintf("sudo ip addr add %v dev %s", o.otherIn(p), name))
			}
		}
	}
	for _, p := range o.addrs {
		a := p.Addr().String()
		url := "http://" + a
		if p.Addr().Is6() {
			url = "http://[" + a + "]"
		}
		list = append(list, "ping "+a, "curl "+url+"/", "curl "+url+"/bytes/1000000000 | sha256sum",
			fmt.Sprintf("nc %s %d", a, echoPort), fmt.Sprintf("nc -u %s %d", a, echoPort))
	}
	return list
}

// hasAddrIn reports whether an interface has an address in the prefix.
func hasAddrIn(name string, p netip.Prefix) bool {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return false
	}
	addrs, _ := i.Addrs()
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
		has, err := netip.ParsePrefix(a.String())
		return err == nil && p.Contains(has.Addr())
	})
}

// otherIn returns an address in the prefix for the other end: the gateway's, or
// the first that is not ours.
func (o hostOptions) otherIn(p netip.Prefix) netip.Prefix {
	for _, gw := range o.gateways {
		if p.Contains(gw) {
			return netip.PrefixFrom(gw, p.Bits())
		}
	}
	a := p.Masked().Addr().Next()
	if a == p.Addr() {
		a = a.Next()
	}
	return netip.PrefixFrom(a, p.Bits())
}
