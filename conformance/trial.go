package conformance

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// A trial is one run of a check: a subject, the stack on it, and what was found.
// Its methods are for the goroutine of the check only.
type trial struct {
	*Subject
	patience time.Duration
	stack    *stack.Stack // nil in a bare check
	own      hardwareAddr
	// present are the peers that answer requests for their addresses.
	present []peer
	// seen are the frames that were received and that no check took yet.
	seen    []frame
	sockets []*socket
	// cleanups are called at the end, the last one first.
	cleanups []func()
	// How many of each there were.
	tokens    int
	strangers byte
	ports     uint16

	details       []string
	failed        bool
	notApplicable bool
	hung          bool // something did not return: end nothing
}

const nicID = 1

// do runs the check, ends the subject, and says that it is done.
func (t *trial) do(c *check, f Factory, done chan<- *trial) {
	defer func() { done <- t }()
	defer t.end()
	defer func() {
		if p := recover(); p != nil {
			t.errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	var err error
	if t.Subject, err = f(); err != nil {
		t.fatalf("there is no subject: %v", err)
	}
	if len(t.HardwareAddr) != len(t.own) {
		t.fatalf("HardwareAddr of the Subject is %q: want 6 bytes", t.HardwareAddr)
	}
	copy(t.own[:], t.HardwareAddr)
	if c.reports {
		var protocols []stack.NetworkProtocolFactory
		for _, p := range t.NetworkProtocols {
			protocols = append(protocols, reporting(p))
		}
		t.NetworkProtocols = protocols // the caller's may be shared
	}
	if !c.bare {
		t.makeStack(stack.NICOptions{})
	}
	c.test(t)
}

// stackOptions are those of the host.
func (t *trial) stackOptions() stack.Options {
	o := stack.Options{
		NetworkProtocols: t.NetworkProtocols,
		TransportProtocols: []stack.TransportProtocolFactory{
			tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
		},
		RawFactory: raw.EndpointFactory{},
	}
	if t.Clock != nil {
		o.Clock = t.Clock
	}
	return o
}

// makeStack makes a host of the endpoint.
func (t *trial) makeStack(nic stack.NICOptions) {
	t.stack = stack.New(t.stackOptions())
	t.noError("CreateNIC", t.stack.CreateNICWithOptions(nicID, t.Endpoint, nic))
	t.configure()
}

// configure gives the NIC its addresses, and the stack its routes.
func (t *trial) configure() {
	t.addAddress(ipv4.ProtocolNumber, ownIPv4, 24)
	t.addAddress(ipv6.ProtocolNumber, ownIPv6, 64)
	onLink := tcpip.AddressWithPrefix{Address: ownIPv4, PrefixLen: 24}.Subnet()
	t.stack.SetRouteTable([]tcpip.Route{
		{Destination: onLink, NIC: nicID},
		{Destination: header.IPv4EmptySubnet, Gateway: gateway.ipv4, NIC: nicID},
		{Destination: header.IPv6EmptySubnet, NIC: nicID},
	})
}

func (t *trial) addAddress(proto tcpip.NetworkProtocolNumber, a tcpip.Address, prefix int) {
	t.noError("AddProtocolAddress", t.stack.AddProtocolAddress(nicID, tcpip.ProtocolAddress{
		Protocol:          proto,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: a, PrefixLen: prefix},
	}, stack.AddressProperties{}))
}

// end ends what was begun, in the order in which an owner does.
func (t *trial) end() {
	if t.hung || t.Subject == nil {
		return
	}
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
	for _, s := range t.sockets {
		s.Close()
	}
	t.within("ending the stack and the endpoint", func() {
		if t.stack != nil {
			t.stack.Destroy()
		} else {
			t.Endpoint.Attach(nil)
			t.Endpoint.Wait()
		}
		t.Endpoint.Close()
	})
	if !t.hung && t.Subject.Close != nil {
		t.Subject.Close()
	}
}

// within calls f, which the endpoint must let return soon, and reports whether
// it did.
func (t *trial) within(what string, f func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return true
	case <-time.After(t.patience):
		t.hung = true
		t.errorf("%s did not return within %v", what, t.patience)
		return false
	}
}

// takes skips a check that takes too long without a clock.
func (t *trial) takes(d time.Duration) {
	if t.Clock == nil {
		t.skip("it takes %v, and the subject has no Clock", d)
	}
}

// elapse lets time pass.
func (t *trial) elapse(d time.Duration) {
	if t.Clock != nil {
		t.Clock.Advance(d)
	} else {
		time.Sleep(d)
	}
}

func (t *trial) errorf(format string, args ...any) {
	t.failed = true
	t.details = append(t.details, fmt.Sprintf(format, args...))
}

// fatalf ends the check.
func (t *trial) fatalf(format string, args ...any) {
	t.errorf(format, args...)
	runtime.Goexit()
}

// skip ends a check that the subject cannot be asked.
func (t *trial) skip(format string, args ...any) {
	t.notApplicable = true
	t.details = append(t.details, fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (t *trial) noError(what string, err tcpip.Error) {
	if err != nil {
		t.fatalf("%s: %v", what, err)
	}
}

func (t *trial) outcome() Outcome {
	switch {
	case t.failed:
		return Failed
	case t.notApplicable:
		return NotApplicable
	}
	return Passed
}
