package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/arp"
)

// AddressOptions configure [Endpoint.AddAddress]. The zero value is ready for
// use.
type AddressOptions struct {
	// Properties are given on to netstack.
	Properties stack.AddressProperties
	// Claim asks first whether another host has the address, if it is an IPv4
	// address: RFC 5227 §2.1 wants that. AddAddress then takes seconds, or what
	// Timing says. (For IPv6 netstack does it by itself.)
	Claim bool
	// Timing has the times of the claim: zero stands for those of Options.ARP,
	// [arp.FastClaim] is for those who cannot wait.
	Timing arp.ClaimTiming
}

// AddAddress adds an address to the endpoint's NIC, as AddProtocolAddress of the
// stack does, and announces it if it is an IPv4 address. (Netstack tells nobody
// of an address. One that it was given by itself is announced when it is first
// sent from or asked for.) When the context has ended, nothing is added, and
// when another host has it: then the error is an [ethstack.ConflictError].
//
// Where the NIC cannot be asked for its addresses, or denies this one, it is
// added to the Interface, too, as with AddIPv4. [Endpoint.RemoveAddress] takes it
// away in either case.
func (e *Endpoint) AddAddress(ctx context.Context, s *stack.Stack, nic tcpip.NICID, prefix netip.Prefix, o AddressOptions) error {
	if err := e.checkAddress(ctx, s, nic, prefix); err != nil {
		return fmt.Errorf("endpoint: cannot add address %v: %w", prefix, err)
	}
	addr := prefix.Addr()
	a := tcpip.ProtocolAddress{
		Protocol: ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{
			Address: tcpip.AddrFromSlice(addr.AsSlice()), PrefixLen: prefix.Bits(),
		},
	}
	if addr.Is6() {
		a.Protocol = ipv6.ProtocolNumber
	}
	if o.Claim && addr.Is4() {
		if err := e.i.Claim(ctx, addr, arp.ClaimOptions{Timing: o.Timing, CheckOnly: true}); err != nil {
			return fmt.Errorf("endpoint: cannot add address %v: %w", prefix, err)
		}
	}
	if err := s.AddProtocolAddress(nic, a, o.Properties); err != nil {
		return fmt.Errorf("endpoint: cannot add address %v to NIC %d: %v", prefix, nic, err)
	}
	if addr.Is6() || e.i.RefreshIPv4(addr) {
		return nil
	}
	if err := e.i.AddIPv4(addr); err != nil {
		s.RemoveAddress(nic, a.AddressWithPrefix.Address)
		return fmt.Errorf("endpoint: %w", err)
	}
	return nil
}

// RemoveAddress takes an address off the endpoint's NIC, and off ARP at once.
func (e *Endpoint) RemoveAddress(s *stack.Stack, nic tcpip.NICID, addr netip.Addr) error {
	addr = addr.Unmap()
	if err := s.RemoveAddress(nic, tcpip.AddrFromSlice(addr.AsSlice())); err != nil {
		return fmt.Errorf("endpoint: cannot remove address %v from NIC %d: %v", addr, nic, err)
	}
	_ = e.i.RemoveIPv4(addr) // it is an error if it was not needed there
	e.i.RefreshIPv4(addr)
	return nil
}

// checkAddress says what is wrong with what AddAddress was given.
func (e *Endpoint) checkAddress(ctx context.Context, s *stack.Stack, nic tcpip.NICID, prefix netip.Prefix) error {
	switch {
	case !prefix.IsValid() || prefix.Addr().Is4In6():
		return errors.New("want an IPv4 or IPv6 address with the length of its prefix, such as 10.0.0.1/24")
	case s == nil:
		return errors.New("there is no stack to add it to")
	}
	if c := e.companion.Load(); c != nil && c.stack != s {
		return errors.New("the endpoint's NIC is another stack's")
	}
	if u := e.up.Load(); u != nil && u.nic != nil && u.nic.ID() != nic {
		return fmt.Errorf("the endpoint is NIC %d, not %d", u.nic.ID(), nic)
	}
	return ctx.Err()
}
