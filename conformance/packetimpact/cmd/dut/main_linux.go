// Command dut is a device under test for gVisor's packetimpact: netstack on a
// link endpoint, with the suite's socket calls served by gRPC.
//
// On an interface of this network namespace, as upstream's own runner starts it
// (its --dut_arg values are further flags of this program):
//
//	dut --ctrl_iface dut-0-ctrl --test_iface dut-0-test
//
// The addresses are taken off the test interface and given to netstack, whose
// frames then go through a packet socket. The service listens on the control
// interface's IPv4 address, port 54321.
//
// On a TAP, which is made if there is none of that name, and brought up:
//
//	dut --tap tap0 --ipv4 172.0.0.2/24 --ipv6 fe80::2 --listen 127.0.0.1:0
//
// The kernel's end of the TAP is the test bench, and has no address from here:
// whoever runs the test gives it those. --ipv6 is link-local, or has a prefix.
//
// Either way one JSON object, without the Local fields, is written to file
// descriptor --info-fd (3 unless given) when the service is ready, and the
// descriptor is closed. The hardware address, which a TAP has at random, and
// the address of the service are in it. SIGTERM and SIGINT end the program with
// status 0; an error is one line on the standard error, and status 1, or 2 if
// it is in the flags.
//
// Further flags:
//
//	--link ethlink   the link layer: ethlink, or fdbased for gVisor's own
//	--settle 3ms     a pause before each call, for frames that are on their way
//	--trace          write each call and its answer to the standard error
//	--pcap FILE      write the frames of the test interface to a file
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/conformance/packetimpact/dut"
)

// Exit statuses.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

func main() { os.Exit(status(os.Args[1:], os.Stderr)) }

// status runs the program and returns its exit status.
func status(args []string, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return statusOK
	case err != nil:
		fmt.Fprintf(stderr, "dut: %v (--help lists the flags)\n", err)
		return statusUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, o, stderr); err != nil {
		fmt.Fprintf(stderr, "dut: %v\n", err)
		return statusFailed
	}
	return statusOK
}

// run is a device under test until the context ends.
func run(ctx context.Context, o options, trace io.Writer) (err error) {
	// Before anything else is opened, which could be given that number.
	report, err := openReport(o.infoFD)
	if err != nil {
		return err
	}
	defer report.Close()
	p, err := o.place()
	if err != nil {
		return err
	}
	l, err := p.open(o.link)
	if err != nil {
		return err
	}
	var s *stack.Stack
	defer func() { l.close(s) }()
	if o.pcap != "" {
		c, err := startCapture(p.name, o.pcap)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	s, err = dut.NewStack(dut.StackOptions{Endpoint: l.ep, ARP: l.arp, Name: p.name, IPv4: p.ipv4, IPv6: p.ipv6})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", p.listen.String())
	if err != nil {
		return err
	}
	server := dut.NewServer(s)
	defer server.Abort()
	so := dut.ServiceOptions{Settle: o.settle}
	if o.trace {
		so.Trace = trace
	}
	service := dut.NewService(server, so)
	defer service.Stop()
	failed := make(chan error, 1)
	go func() { failed <- service.Serve(listener) }()
	if err := writeReport(report, p.info(l.ep.LinkAddress(), listener.Addr())); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-l.gone:
		return fmt.Errorf("the link is gone for good: interface %q was deleted, or moved to another network namespace", p.name)
	case err := <-failed:
		return fmt.Errorf("serving at %v: %w", listener.Addr(), err)
	}
}
