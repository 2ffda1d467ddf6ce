package endpoint

import (
	"context"
	"errors"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

var _ stack.DuplicateAddressDetector = (*companion)(nil)

// checks are the calls of CheckDuplicateAddress that are under way.
type checks struct {
	mu      sync.Mutex
	config  *stack.DADConfigurations // nil: RFC 5227's times
	running map[tcpip.Address][]stack.DADCompletionHandler
	stop    context.CancelFunc // ends all; nil: none has been made
	ctx     context.Context    // of all
}

// DuplicateAddressProtocol returns IPv4's.
func (*companion) DuplicateAddressProtocol() tcpip.NetworkProtocolNumber {
	return ipv4.ProtocolNumber
}

// SetDADConfigurations sets how many probes there are and how far apart, in
// place of RFC 5227's three at 1 to 2 s. No probes means that nothing is checked.
func (c *companion) SetDADConfigurations(d stack.DADConfigurations) {
	d.Validate()
	c.checks.mu.Lock()
	defer c.checks.mu.Unlock()
	c.checks.config = &d
}

// CheckDuplicateAddress asks whether another host has an address (RFC 5227
// §2.1.1), and calls done with the answer from another goroutine. Who asks for
// an address that is being asked for gets the same answer.
func (c *companion) CheckDuplicateAddress(addr tcpip.Address, done stack.DADCompletionHandler) stack.DADCheckAddressDisposition {
	k := &c.checks
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.e == nil || k.config != nil && k.config.DupAddrDetectTransmits == 0 {
		return stack.DADDisabled
	}
	handlers, running := k.running[addr]
	if k.running == nil {
		k.running = make(map[tcpip.Address][]stack.DADCompletionHandler)
		k.ctx, k.stop = context.WithCancel(context.Background())
	}
	k.running[addr] = append(handlers, done)
	if running {
		return stack.DADAlreadyRunning
	}
	go c.check(k.ctx, addr, k.timing())
	return stack.DADStarting
}

// timing returns the times of a check; the zero value stands for RFC 5227's.
func (k *checks) timing() (t arp.ClaimTiming) {
	if d := k.config; d != nil {
		interval := max(d.RetransmitTimer, 10*time.Millisecond) // the least that arp takes
		t.ProbeNum = int(min(d.DupAddrDetectTransmits, 100))    // the most
		t.ProbeMin, t.ProbeMax, t.AnnounceWait = interval, interval, interval
		t.ProbeWait = interval
	}
	return t
}

// check makes one check and tells all who want to know.
func (c *companion) check(ctx context.Context, addr tcpip.Address, t arp.ClaimTiming) {
	err := c.e.i.Claim(ctx, addrFrom(addr), arp.ClaimOptions{Timing: t, CheckOnly: true})
	c.checks.mu.Lock()
	handlers := c.checks.running[addr]
	delete(c.checks.running, addr)
	c.checks.mu.Unlock()
	for _, done := range handlers {
		done(dadResult(err))
	}
}

// dadResult says what came of a check in netstack's words.
func dadResult(err error) stack.DADResult {
	var conflict *ethstack.ConflictError
	switch {
	case err == nil:
		return &stack.DADSucceeded{}
	case errors.As(err, &conflict):
		return &stack.DADDupAddrDetected{HolderLinkAddress: tcpip.LinkAddress(conflict.HardwareAddr[:])}
	case errors.Is(err, context.Canceled), errors.Is(err, ethstack.ErrDisconnected):
		return &stack.DADAborted{}
	}
	return &stack.DADError{Err: &tcpip.ErrInvalidEndpointState{}}
}

// abort ends all checks: the NIC is removed.
func (k *checks) abort() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stop != nil {
		k.stop()
	}
}
