package ethstack

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/ethlink/ethlink/arp"
)

// A ConflictError says that another host has, or wants, an address that was to
// be claimed. To try again with the same address is of no use while it does.
type ConflictError struct {
	// Addr is the address.
	Addr netip.Addr
	// HardwareAddr is the other host's.
	HardwareAddr HardwareAddr
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("ethstack: claim of %v: the address is in use by %v", e.Addr, e.HardwareAddr)
}

var (
	errDisabled = errors.New("the interface's host is not enabled")
	errPassed   = errors.New("ARP is passed to the network stack (SetPassARP)")
)

// Claim asks whether another host on the link has addr and, if none does, makes
// it ours as AddIPv4 does (RFC 5227 §2.1). It returns when that is known, which
// takes 4 to 7 s with the RFC's times and a third of a second with
// [arp.FastClaim]: nil if the address is ours, or free where that was all that
// was asked; a [ConflictError] if another host has it; [ErrDisconnected] when the
// interface is closed; or the context's end, which ends the claim. While the link
// is down it waits. Several may claim the same address: they get one answer.
//
// An address that it has made ours is defended as [arp.Config].Defense says, and
// given up by RemoveIPv4.
func (i *Interface) Claim(ctx context.Context, addr netip.Addr, o arp.ClaimOptions) error {
	addr = addr.Unmap()
	if err := ctx.Err(); err != nil {
		return claimError(addr, err)
	}
	switch {
	case i.passARP.Load():
		return claimError(addr, errPassed)
	case i.host != nil && !i.host.Enabled():
		return claimError(addr, errDisabled)
	}
	c := &claim{checkOnly: o.CheckOnly, done: make(chan struct{})}
	if err := i.res.claim(addr, o, c); err != nil {
		return err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		i.res.abandon(addr, c, ctx.Err())
		<-c.done
	}
	return c.err
}

func claimError(addr netip.Addr, err error) error {
	return fmt.Errorf("ethstack: claim of %v: %w", addr, err)
}

// claim is one call of Claim. Its fields are guarded by the resolver's lock until
// done is closed.
type claim struct {
	checkOnly bool
	rival     HardwareAddr // who was in conflict
	err       error
	done      chan struct{}
}

func (c *claim) end(err error) {
	c.err = err
	close(c.done)
}

func (r *resolver) claim(addr netip.Addr, o arp.ClaimOptions, c *claim) error {
	a := r.begin()
	if r.closed {
		r.end(a)
		return claimError(addr, ErrDisconnected)
	}
	r.claims[addr] = append(r.claims[addr], c)
	err := r.h.Claim(r.clock.Now(), addr, o, a)
	if err != nil {
		r.forget(addr, c)
		err = fmt.Errorf("ethstack: %w", err)
	}
	r.kick(a)
	return err
}

// abandon ends a call of Claim that is not over yet, and the claim if nobody
// else waits for it.
func (r *resolver) abandon(addr netip.Addr, c *claim, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.claims[addr], c) {
		return
	}
	if r.forget(addr, c); len(r.claims[addr]) == 0 {
		r.h.RemoveAddress(addr)
	}
	c.end(claimError(addr, err))
}

// forget takes one call out. Callers hold mu.
func (r *resolver) forget(addr netip.Addr, c *claim) {
	r.claims[addr] = slices.DeleteFunc(r.claims[addr], func(x *claim) bool { return x == c })
	if len(r.claims[addr]) == 0 {
		delete(r.claims, addr)
	}
}

// failClaims ends the claims of an address that cannot be gone on with.
func (r *resolver) failClaims(addr netip.Addr, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.h.HasAddress(addr) {
		r.h.RemoveAddress(addr)
	}
	r.endClaims(addr, claimError(addr, err))
}

// endClaims tells all who wait for an address what came of it. Callers hold mu.
func (r *resolver) endClaims(addr netip.Addr, err error) {
	for _, c := range r.claims[addr] {
		c.end(err)
	}
	delete(r.claims, addr)
}

// settle does what an event means for our addresses: from its first announcement
// on one is answered for, and when it is lost no longer. Callers hold mu.
func (r *resolver) settle(e arp.Event) {
	claims := r.claims[e.Addr]
	switch e.Kind {
	case arp.EventConflict:
		for _, c := range claims {
			c.rival = e.HardwareAddr
		}
	case arp.EventClaimed:
		if slices.ContainsFunc(claims, func(c *claim) bool { return !c.checkOnly }) {
			r.i.setExplicit(e.Addr, true)
		}
		r.endClaims(e.Addr, nil)
	case arp.EventFree:
		r.endClaims(e.Addr, nil)
	case arp.EventLost:
		if len(claims) == 0 { // it was ours
			r.i.setExplicit(e.Addr, false)
			r.lost[e.Addr] = true
			return
		}
		r.endClaims(e.Addr, &ConflictError{Addr: e.Addr, HardwareAddr: claims[0].rival})
	}
}
