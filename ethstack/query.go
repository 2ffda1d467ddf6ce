package ethstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/ethlink/ethlink/arp"
)

// QueryARPv4 returns the hardware address of an on-link IPv4 neighbor; see
// [Stack.QueryARPv4].
func (i *Interface) QueryARPv4(ctx context.Context, addr netip.Addr) (net.HardwareAddr, error) {
	addr = addr.Unmap()
	if !usableIPv4(addr) {
		return nil, fmt.Errorf("ethstack: cannot query %v: want a unicast IPv4 address other than 0.0.0.0/8 and 127.0.0.0/8", addr)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ethstack: query of %v: %w", addr, err)
	}
	if hw, ok := i.Lookup(addr.As4()); ok {
		return hw[:], nil
	}
	w := &waiter{done: make(chan struct{})}
	i.wait(addr, w)
	select {
	case <-w.done:
	case <-ctx.Done():
		i.cancel(addr, w)
		return nil, fmt.Errorf("ethstack: query of %v: %w", addr, ctx.Err())
	}
	if w.err != nil {
		return nil, fmt.Errorf("ethstack: query of %v: %w", addr, w.err)
	}
	return w.hw[:], nil
}

var errOwnAddress = errors.New("the address is our own: see HardwareAddr")

// waiter is a query that waits: a Pending that is nobody's packet.
type waiter struct {
	hw   HardwareAddr
	err  error
	done chan struct{}
}

func (w *waiter) Resolved(hw HardwareAddr) {
	w.hw = hw
	close(w.done)
}

func (w *waiter) Dropped(reason arp.DropReason) {
	switch reason {
	case arp.DropUnreachable:
		w.err = ErrUnreachable
	case arp.DropClosed:
		w.err = ErrDisconnected
	case arp.DropNoARP:
		w.err = fmt.Errorf("%w: add a static neighbor", arp.ErrNoARP)
	case arp.DropInvalid:
		w.err = errOwnAddress // the others are refused before
	default:
		w.err = fmt.Errorf("%v: ask again later", reason)
	}
	close(w.done)
}

func (i *Interface) wait(addr netip.Addr, w *waiter) {
	r := i.res
	a := r.begin()
	if r.closed {
		r.end(a)
		i.stats.pending[arp.DropClosed].Add(1)
		w.Dropped(arp.DropClosed)
		return
	}
	r.h.Wait(r.clock.Now(), addr, netip.Addr{}, w, a)
	r.kick(a)
}

// cancel takes one waiter out; it may be released at the same moment.
func (i *Interface) cancel(addr netip.Addr, w *waiter) {
	r := i.res
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Cancel(addr, func(p Pending) bool { return p == Pending(w) })
}
