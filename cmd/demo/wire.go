package main

import (
	"errors"
	"net/netip"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
)

// A wire connects our netstack to another station.
type wire struct {
	// what it is, for people.
	what string
	// dev is our end. It belongs to the netstack that is made on it.
	dev ethstack.Device
	// other makes the station at the other end.
	other func(addrs []netip.Prefix) (lab.Station, error)
	// noIPv6 says why the other end has no IPv6.
	noIPv6 error
	// close takes down what is left when our end is closed.
	close func()
}

// The kinds of wires, the best first.
const (
	viaTAP    = "tap"
	viaVeth   = "veth"
	viaMemory = "memory"
)

// openWire opens the wire that was asked for, or if none was the best that can
// be had, and says why it is not a better one. noNamespace is why there is no
// network namespace, without which there is no kernel to talk to.
func openWire(via string, mtu int, noNamespace error, r *report) (*wire, error) {
	switch {
	case via == viaMemory:
		return openMemory(mtu)
	case noNamespace != nil && via != "":
		return nil, noNamespace
	case noNamespace != nil:
		r.Line("no network namespace, so the other side is a second netstack: %v", noNamespace)
		return openMemory(mtu)
	case via == viaTAP:
		return openTAP(mtu)
	case via == viaVeth:
		return openVeth(mtu)
	}
	w, err := openTAP(mtu)
	if err == nil {
		return w, nil
	}
	r.Line("no TAP, so a veth pair and a packet socket take its place: %v", err)
	if w, err = openVeth(mtu); err == nil {
		return w, nil
	}
	r.Line("no veth pair either, so the other side is a second netstack: %v", err)
	return openMemory(mtu)
}

// openTAP makes a TAP, of which the kernel has the other end.
func openTAP(mtu int) (*wire, error) {
	dev, err := tap.Open(tap.Options{Name: "ethlink%d", MTU: mtu, Up: true})
	if err != nil {
		return nil, err
	}
	name := dev.Info().Name
	return &wire{
		what:   "TAP " + name + ", in a network namespace of its own",
		dev:    dev,
		other:  func(addrs []netip.Prefix) (lab.Station, error) { return lab.NewKernel(name, addrs) },
		noIPv6: netns.SetIPv6(name, true),
		close:  func() {},
	}, nil
}

// openVeth makes a veth pair: one end is the kernel's, on the other we have a
// packet socket.
func openVeth(mtu int) (*wire, error) {
	const theirs, ours = "ethlink-kernel", "ethlink-ours"
	if err := netns.AddVeth(theirs, ours); err != nil {
		return nil, err
	}
	remove := func() { netns.DelLink(ours) }
	err := errors.Join(netns.SetMTU(theirs, mtu), netns.SetMTU(ours, mtu))
	// The kernel is to be silent at our end. Where it has no IPv6 it is.
	noIPv6 := netns.SetIPv6(ours, false)
	err = errors.Join(err, netns.SetUp(theirs), netns.SetUp(ours))
	var dev *fdbased.Device
	if err == nil {
		dev, err = fdbased.OpenPacket(ours, fdbased.Options{})
	}
	if err != nil {
		remove()
		return nil, err
	}
	return &wire{
		what:   "veth pair " + theirs + " - " + ours + ", in a network namespace of its own",
		dev:    dev,
		other:  func(addrs []netip.Prefix) (lab.Station, error) { return lab.NewKernel(theirs, addrs) },
		noIPv6: noIPv6,
		close:  remove,
	}, nil
}

// openMemory connects our netstack to a second one.
func openMemory(mtu int) (*wire, error) {
	// With the offloads of a TAP. The queue holds what TCP has under way.
	const offloads = ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6
	o := ethtest.PortOptions{MTU: mtu, Offloads: offloads, QueueLen: 8192}
	ours, theirs, err := ethtest.Pipe(o, o)
	if err != nil {
		return nil, err
	}
	w := &wire{what: "a segment in memory, with a second netstack as peer", dev: ours, close: func() { theirs.Close() }}
	w.other = func(addrs []netip.Prefix) (lab.Station, error) {
		n, err := lab.NewNetstack(theirs, lab.NetstackOptions{Name: "peer", Addrs: addrs})
		if err != nil {
			return nil, err
		}
		w.close = n.Close
		return n, nil
	}
	return w, nil
}
