package ethstack

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"

	"github.com/ethlink/ethlink/arp"
)

// Options configure an [Interface]. The zero value is ready for use.
type Options struct {
	// HardwareAddr is the interface's address. Zero means the device's own,
	// or where it has none a random one that is locally administered.
	HardwareAddr HardwareAddr
	// VLAN is the one that the interface is on; zero: that of untagged frames.
	VLAN VLAN
	// ARP has the resolver's limits and times. Its HardwareAddr is ignored.
	ARP arp.Config
	// Host tells which protocol addresses are ours besides those added with
	// AddIPv4; nil: none.
	Host Host
	// Neighbors are known from the start: what [Interface.Neighbors] yielded
	// before, or static ones. See [Interface.RestoreNeighbors].
	Neighbors []arp.Entry
	// ProxyARP is whom to answer for besides; nobody by default.
	ProxyARP ProxyARP
	// OpenFilter lets frames for other hosts pass to the receiver, marked
	// [ToOther]. ARP never looks at them.
	OpenFilter bool
	// OnEvent is told of changes in the neighbor table and of address
	// conflicts, in order, on a goroutine of the Interface. It must not wait
	// for anything: so it may call neither QueryARPv4 nor Close.
	OnEvent func(arp.Event)
	// OnARP is shown each ARP frame that is sent or taken in, on a goroutine of
	// the Interface with no lock held, before anything comes of it. The frame is
	// valid during the call, and may lack what follows its first [HeadLen] bytes.
	OnARP func(frame []byte, h Header, sent bool)
}

// A Host tells an [Interface] which protocol addresses are its own. It is
// asked only from goroutines of the Interface, with no lock held.
type Host interface {
	// Enabled reports whether ARP may be sent and answered now.
	Enabled() bool
	// IsLocal reports whether addr is one of ours, to be answered for. A
	// broadcast address of a subnet is not.
	IsLocal(addr netip.Addr) bool
	// OnLink reports whether addr is in a subnet of the link, or may be where that
	// is not known. Who is not is no neighbor because of what it says.
	OnLink(addr netip.Addr) bool
	// SourceFor returns the address of ours to send a request for nextHop
	// from: preferred if it is ours, or the best other one, or the zero Addr
	// if there is none.
	SourceFor(nextHop, preferred netip.Addr) netip.Addr
}

// An Interface is one station on a [Link]: a hardware address with its
// filter, its ARP resolver and its counters.
type Interface struct {
	link    *Link
	vlan    VLAN
	host    Host
	open    bool
	proxy   ProxyARP
	onEvent func(arp.Event)
	onARP   func([]byte, Header, bool)
	hwaddr  atomic.Uint64 // addrValue of the address
	passARP atomic.Bool
	res     *resolver
	stats   counters

	explicit atomic.Pointer[[]netip.Addr] // added with AddIPv4; replaced under the resolver's lock
}

func newInterface(l *Link, o Options) (*Interface, error) {
	hw := o.HardwareAddr
	if hw.IsZero() {
		hw = l.Device().Info().HardwareAddr
	}
	if hw.IsZero() {
		hw = RandomHardwareAddr()
	}
	if hw.IsGroup() {
		return nil, fmt.Errorf("ethstack: hardware address %v has the group bit set: an interface needs a unicast address", hw)
	}
	if err := o.ProxyARP.check(); err != nil {
		return nil, err
	}
	i := &Interface{link: l, vlan: o.VLAN, host: o.Host, open: o.OpenFilter, proxy: o.ProxyARP, onEvent: o.OnEvent, onARP: o.OnARP}
	i.hwaddr.Store(addrValue(hw))
	i.explicit.Store(new([]netip.Addr))
	o.ARP.HardwareAddr = hw
	var err error
	if i.res, err = newResolver(i, o.ARP, l.clock); err != nil {
		return nil, err
	}
	if len(o.Neighbors) > 0 {
		if err := i.RestoreNeighbors(o.Neighbors); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// RandomHardwareAddr returns a random unicast address from the locally
// administered range (IEEE 802 §8.4).
func RandomHardwareAddr() HardwareAddr {
	var a HardwareAddr
	rand.Read(a[:]) // never fails
	a[0] = a[0]&^1 | 2
	return a
}

// Link returns the link that the interface is on.
func (i *Interface) Link() *Link { return i.link }

// VLAN returns the VLAN that the interface is on.
func (i *Interface) VLAN() VLAN { return i.vlan }

// Close takes the interface off its link, which goes on, and drops what is
// pending. It waits until nothing of the interface's resolver runs, so it must
// not be called from a [Pending] or OnEvent. Closing the link closes its
// interfaces.
func (i *Interface) Close() {
	i.res.close()
	i.link.remove(i)
}

// MTU returns the largest payload in bytes: the device's MTU, less what the tags
// of the VLAN take of it.
func (i *Interface) MTU() int { return i.link.Device().Info().MTU - i.vlan.cost() }

// HardwareAddr returns the interface's address. It takes no lock.
func (i *Interface) HardwareAddr() HardwareAddr { return valueAddr(i.hwaddr.Load()) }

// SetHardwareAddr changes the interface's address and announces its protocol
// addresses anew. It returns at once: the announcements come from another
// goroutine, so that it may be called with locks held. An address with the
// group bit set, or zero, is refused.
func (i *Interface) SetHardwareAddr(a HardwareAddr) error {
	if a.IsGroup() || a.IsZero() {
		return fmt.Errorf("ethstack: hardware address %v: an interface needs a unicast address", a)
	}
	r := i.res
	acts := r.begin()
	i.hwaddr.Store(addrValue(a))
	r.h.SetHardwareAddr(r.clock.Now(), a, acts)
	r.kick(acts)
	return nil
}

// Lookup returns the hardware address of an on-link IPv4 neighbor, if it is
// known. It takes no lock and allocates nothing; it may be called from
// anywhere.
func (i *Interface) Lookup(addr [4]byte) (HardwareAddr, bool) {
	hw, ok, use := i.res.table.lookup(tableKey(addr))
	if use {
		r := i.res
		a := r.begin()
		r.h.Use(r.clock.Now(), netip.AddrFrom4(addr), netip.Addr{}, a)
		r.kick(a)
	}
	return hw, ok
}

// Resolve asks for the hardware address of nextHop on behalf of p, a packet
// of size bytes that Lookup knew no address for. source is the address that a
// request should carry.
//
// With [arp.Resolved] the address is returned and p is not kept: send it now.
// With any other result p is kept and exactly one of its methods is called
// later, from another goroutine: Dropped, if the result is [arp.Unreachable]
// or [arp.Rejected]; see [Pending] for when it may come at once. Resolve writes nothing to the device and may be called
// with locks held.
func (i *Interface) Resolve(nextHop, source netip.Addr, size int, p Pending) (HardwareAddr, arp.Result) {
	r := i.res
	a := r.begin()
	if r.closed || r.busy(maxTodo) {
		reason := arp.DropPendingFull
		if r.closed {
			reason = arp.DropClosed
		}
		r.end(a)
		i.stats.pending[reason].Add(1)
		p.Dropped(reason)
		return HardwareAddr{}, arp.Rejected
	}
	res := r.h.Query(r.clock.Now(), nextHop, source, size, p, a)
	var hw HardwareAddr
	if res == arp.Resolved {
		// The caller sends it, ahead of what it sends next.
		n := len(a.Release) - 1
		hw = a.Release[n].HardwareAddr
		a.Release[n] = arp.Release[Pending]{}
		a.Release = a.Release[:n]
	}
	r.kick(a)
	return hw, res
}

// SetPassARP hands ARP frames to the receiver and answers none, for a network
// stack that has an ARP of its own.
func (i *Interface) SetPassARP(on bool) { i.passARP.Store(on) }

// Stats returns the counters.
func (i *Interface) Stats() Stats { return i.stats.snapshot() }

// Drop counts one frame that the receiver or sender above dropped.
func (i *Interface) Drop(r DropReason) { i.stats.drops[r].Add(1) }

// Write sends frames through the device, as [Device] says. What the device
// cannot do itself, checksums and segmentation, is done here first.
func (i *Interface) Write(queue int, frames []Frame) (int, error) {
	return i.write(outlet{dev: i.link.Device(), queue: queue}, frames)
}

// WriteWait is Write for a caller that can wait: while the link is up and the
// device has no room, frames are offered again, until stop is closed.
func (i *Interface) WriteWait(stop <-chan struct{}, queue int, frames []Frame) (int, error) {
	return i.write(outlet{dev: i.link.Device(), queue: queue, link: i.link, stop: stop}, frames)
}

func (i *Interface) write(o outlet, frames []Frame) (int, error) {
	n, err := i.link.write(o, frames, i.vlan)
	var bytes uint64
	for k := range frames {
		if e := frames[k].Err; e != nil && n < len(frames) {
			i.Drop(txReason(e))
		} else {
			bytes += uint64(frames[k].WireLen())
		}
	}
	if err != nil && txReason(err) == DropTxError {
		i.stats.txErrors.Add(1)
	}
	i.stats.txFrames.Add(uint64(n))
	i.stats.txBytes.Add(bytes)
	return n, err
}

// txReason returns what a frame with a write error counts as.
func txReason(err error) DropReason {
	switch {
	case errors.Is(err, ErrNoBufferSpace):
		return DropTxFull
	case errors.Is(err, ErrMessageTooLong):
		return DropTxTooLong
	case errors.Is(err, ErrUnsupportedOffload):
		return DropTxOffload
	case errors.Is(err, ErrDisconnected):
		return DropTxDisconnected
	}
	return DropTxError
}
