package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ethlink/ethlink/ethstack"
)

// A usageError is about what was given on the command line.
type usageError struct{ error }

const (
	defaultSize    = 256 // MiB
	maxSize        = 1 << 20
	defaultTimeout = 2 * time.Minute
	defaultMTU     = 1500
	// minMTU is IPv6's least (RFC 8200 §5), maxMTU a TAP's most.
	minMTU = 1280
	maxMTU = 65521
)

// parseLab reads the arguments of the lab.
func parseLab(args []string) (labOptions, error) {
	o := labOptions{size: defaultSize << 20, mtu: defaultMTU, timeout: defaultTimeout}
	f := newFlags("demo")
	f.Func("via", "", func(s string) error {
		if s != viaTAP && s != viaVeth && s != viaMemory {
			return fmt.Errorf("%s, %s or %s is allowed, or no -via for the best there is", viaTAP, viaVeth, viaMemory)
		}
		o.via = s
		return nil
	})
	f.Func("size", "", func(s string) error {
		n, err := integer(s, 1, maxSize, "MiB")
		o.size = int64(n) << 20
		return err
	})
	f.Func("mtu", "", mtuFlag(&o.mtu))
	f.BoolVar(&o.verbose, "v", false, "")
	f.Func("timeout", "", func(s string) (err error) {
		if o.timeout, err = time.ParseDuration(s); err != nil || o.timeout <= 0 {
			return errors.New("want a duration such as 30s or 5m")
		}
		return nil
	})
	return o, parse(f, args)
}

// parseHost reads the arguments of a host.
func parseHost(args []string) (hostOptions, error) {
	o := hostOptions{fd: noFD}
	f := newFlags("demo host")
	f.StringVar(&o.tap, "tap", "", "")
	f.StringVar(&o.iface, "iface", "", "")
	f.Func("fd", "", func(s string) (err error) {
		o.fd, err = integer(s, 3, 1<<20, "the number of a file descriptor that was passed on")
		return err
	})
	f.Func("addr", "", func(s string) error {
		p, err := netip.ParsePrefix(s)
		if err != nil || !isUnicast(p.Addr()) {
			return errors.New("want a host's address with the length of its prefix, such as 192.0.2.2/24 or 2001:db8::2/64")
		}
		o.addrs = append(o.addrs, p)
		return nil
	})
	f.Func("gw", "", func(s string) error {
		a, err := netip.ParseAddr(s)
		if err != nil || !isUnicast(a) || a.Zone() != "" {
			return errors.New("want a gateway's address, such as 192.0.2.1")
		}
		o.gateways = append(o.gateways, a)
		return nil
	})
	f.Func("mac", "", func(s string) error {
		a, err := net.ParseMAC(s)
		if err != nil || len(a) != len(o.hardwareAddr) {
			return errors.New("want six bytes, such as 02:00:5e:00:53:01")
		}
		o.hardwareAddr = ethstack.HardwareAddr(a)
		if o.hardwareAddr.IsGroup() || o.hardwareAddr.IsZero() {
			return errors.New("want the address of one station: not all zero, and the lowest bit of the first byte 0")
		}
		return nil
	})
	f.Func("mtu", "", mtuFlag(&o.mtu))
	f.Func("vlan", "", func(s string) error {
		id, err := integer(s, 1, 4094, "the identifier of a VLAN")
		o.vlan = ethstack.VLAN{{ID: uint16(id)}}
		return err
	})
	if err := parse(f, args); err != nil {
		return o, err
	}
	return o, o.check()
}

func isUnicast(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && !a.Is4In6()
}

func mtuFlag(mtu *int) func(string) error {
	return func(s string) (err error) {
		*mtu, err = integer(s, minMTU, maxMTU, "bytes")
		return err
	}
}

func integer(s string, least, most int, what string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("want %d to %d (%s)", least, most, what)
	}
	return n, nil
}

func newFlags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors and usage are written by run
	f.Usage = func() {}
	return f
}

func parse(f *flag.FlagSet, args []string) error {
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return usageError{err}
	case f.NArg() > 0:
		return usageError{fmt.Errorf("%q is no flag, and no mode: lab (which may be left out) and host are, before all flags",
			strings.Join(f.Args(), " "))}
	}
	return nil
}
