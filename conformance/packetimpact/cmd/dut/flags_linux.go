package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

// options are what the flags say.
type options struct {
	// ctrl and test are the interfaces that upstream's runner makes.
	ctrl, test string
	// tap, and what upstream's runner would have given its interfaces.
	tap        string
	ipv4, ipv6 netip.Prefix
	listen     netip.AddrPort

	infoFD int
	link   string
	settle time.Duration
	trace  bool
	pcap   string
}

// Link layers.
const (
	linkEthlink = "ethlink"
	linkFdbased = "fdbased"
)

// parse reads the flags. It writes their list if that is asked for.
func parse(args []string, w io.Writer) (options, error) {
	o := options{infoFD: 3, link: linkEthlink, listen: netip.MustParseAddrPort("127.0.0.1:0")}
	f := flag.NewFlagSet("dut", flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors are written by status
	f.StringVar(&o.ctrl, "ctrl_iface", "", "the control `interface`, on whose IPv4 address the service listens")
	f.StringVar(&o.test, "test_iface", "", "the test `interface`, whose addresses netstack takes over")
	f.StringVar(&o.tap, "tap", "", "`name` of a TAP to be on, instead of these interfaces")
	f.Func("ipv4", "netstack's IPv4 `address` on the TAP, with the length of its prefix", prefixFlag(&o.ipv4, netip.Addr.Is4, 0))
	f.Func("ipv6", "netstack's IPv6 `address` on the TAP; /64 unless it has the length of its prefix", prefixFlag(&o.ipv6, netip.Addr.Is6, 64))
	f.Func("listen", "`address` and port of the service, with --tap (default 127.0.0.1:0: any port)", func(s string) (err error) {
		o.listen, err = netip.ParseAddrPort(s)
		return err
	})
	f.IntVar(&o.infoFD, "info-fd", o.infoFD, "`number` of the file descriptor that the JSON object is written to")
	f.StringVar(&o.link, "link", o.link, "`link layer`: ethlink, or fdbased for gVisor's own")
	f.DurationVar(&o.settle, "settle", 0, "pause before each call, for frames that are on their way")
	f.BoolVar(&o.trace, "trace", false, "write each call and its answer to the standard error")
	f.StringVar(&o.pcap, "pcap", "", "`file` to write the frames of the test interface to")
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		f.SetOutput(w)
		fmt.Fprintln(w, "A device under test for gVisor's packetimpact. Flags:")
		f.PrintDefaults()
		return o, err
	}
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("%q is no flag", strings.Join(f.Args(), " "))
	}
	if err == nil {
		err = o.check()
	}
	return o, err
}

// prefixFlag reads an address of one kind. Without the length of its prefix it
// has the usual one, if there is one.
func prefixFlag(p *netip.Prefix, kind func(netip.Addr) bool, usual int) func(string) error {
	return func(s string) (err error) {
		if usual > 0 && !strings.Contains(s, "/") {
			s = fmt.Sprintf("%s/%d", s, usual)
		}
		*p, err = netip.ParsePrefix(s)
		if err == nil && !kind(p.Addr()) {
			err = errors.New("the address is of the other version of IP")
		}
		return err
	}
}

// check finds what is missing, or contradicts itself.
func (o options) check() error {
	interfaces := o.ctrl != "" || o.test != ""
	switch {
	case interfaces && o.tap != "":
		return errors.New("--tap is given, and an interface: want one of them to be on")
	case interfaces && (o.ctrl == "" || o.test == ""):
		return errors.New("want both of --ctrl_iface and --test_iface")
	case !interfaces && o.tap == "":
		return errors.New("there is nothing to be on: want --ctrl_iface and --test_iface, or --tap")
	case o.tap != "" && (!o.ipv4.IsValid() || !o.ipv6.IsValid()):
		return errors.New("a TAP has no addresses: want --ipv4 and --ipv6, such as --ipv4 172.0.0.2/24 --ipv6 fe80::2")
	case interfaces && (o.ipv4.IsValid() || o.ipv6.IsValid()):
		return errors.New("--ipv4 and --ipv6 are for --tap: an interface has its addresses")
	case o.link != linkEthlink && o.link != linkFdbased:
		return fmt.Errorf("--link %s: want %s or %s", o.link, linkEthlink, linkFdbased)
	case o.settle < 0:
		return fmt.Errorf("--settle %v: want 0 or more", o.settle)
	}
	return nil
}
