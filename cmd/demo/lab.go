package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/internal/lab"
)

// labOptions say what the lab does.
type labOptions struct {
	// via forces a kind of wire; empty means the best there is.
	via string
	// size is how much TCP moves in each direction over IPv4, in bytes.
	size int64
	mtu  int
	// verbose shows what happens in the table of neighbors.
	verbose bool
	timeout time.Duration
}

// The lab's addresses are those for documentation: RFC 5737 §3, RFC 3849 §2.
const (
	subnet4Bits = 24
	subnet6Bits = 64
)

var (
	otherIPv4 = netip.MustParseAddr("192.0.2.1")
	oursIPv4  = netip.MustParseAddr("192.0.2.2")
	absent    = netip.MustParseAddr("192.0.2.99")
	otherIPv6 = netip.MustParseAddr("2001:db8::1")
	oursIPv6  = netip.MustParseAddr("2001:db8::2")
)

// A family is IPv4 or IPv6, with the addresses of both ends.
type family struct {
	name        string
	bits        int
	ours, other netip.Addr
}

// A labRun is our netstack and another station, on one wire.
type labRun struct {
	o        labOptions
	r        *report
	w        *wire
	families []family
	ours     *lab.Netstack
	other    lab.Station
}

// runLab does all that the lab does, on the wire that was asked for. The error
// tells that checks failed, or what ended the lab before its end.
func runLab(ctx context.Context, o labOptions, noNamespace error, r *report) error {
	r.Heading("ethlink demo", "a netstack behind our own Ethernet and ARP")
	r.Section("wire", "")
	w, err := openWire(o.via, o.mtu, noNamespace, r)
	if err != nil {
		return err
	}
	return runOn(ctx, w, o, r)
}

// runOn is runLab on a wire, which it takes down at the end.
func runOn(ctx context.Context, w *wire, o labOptions, r *report) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, timeout{o.timeout})
	defer cancel()
	start := time.Now()
	l := &labRun{o: o, r: r, w: w}
	if err := l.open(); err != nil {
		return err
	}
	err := l.run(ctx)
	if !errors.As(err, new(interruption)) {
		l.counters()
	}
	l.close()
	if n := r.Failed(); err == nil && n > 0 {
		err = checksFailed(n)
	}
	if err == nil {
		r.Closing(green, "all of it matched, in %s", seconds(time.Since(start)))
	}
	return err
}

// checksFailed is how many checks of a lab failed.
type checksFailed int

func (n checksFailed) Error() string { return fmt.Sprintf("%d of the checks above failed", int(n)) }

// open makes the stations at the ends of the wire, and shows them.
func (l *labRun) open() (err error) {
	l.families = []family{{"IPv4", subnet4Bits, oursIPv4, otherIPv4}, {"IPv6", subnet6Bits, oursIPv6, otherIPv6}}
	if l.w.noIPv6 != nil {
		l.r.Line("the kernel has no IPv6, so that is left out: %v", l.w.noIPv6)
		l.families = l.families[:1]
	}
	var ours, theirs []netip.Prefix
	for _, f := range l.families {
		ours = append(ours, netip.PrefixFrom(f.ours, f.bits))
		theirs = append(theirs, netip.PrefixFrom(f.other, f.bits))
	}
	var eo endpoint.Options
	if l.o.verbose {
		eo.OnEvent = l.event()
	}
	info := l.w.dev.Info()
	if l.ours, err = lab.NewNetstack(l.w.dev, lab.NetstackOptions{Name: "netstack", Addrs: ours, Companion: true, Endpoint: eo}); err != nil {
		l.w.close()
		return err
	}
	if l.other, err = l.w.other(theirs); err != nil {
		l.close()
		return err
	}
	l.r.Line("%s", l.w.what)
	l.r.Line("MTU %d, offloads %v", info.MTU, info.Offloads)
	l.r.Table([][]string{
		append([]string{l.other.Name(), l.other.HardwareAddr().String()}, texts(theirs)...),
		append([]string{l.ours.Name(), l.ours.HardwareAddr().String()}, texts(ours)...),
	})
	return nil
}

func texts(prefixes []netip.Prefix) (list []string) {
	for _, p := range prefixes {
		list = append(list, p.String())
	}
	return list
}

// event returns a function that notes what happens in the table of neighbors.
func (l *labRun) event() func(arp.Event) {
	start := time.Now()
	return func(e arp.Event) {
		l.r.Later("%7s  %s", seconds(time.Since(start)), eventText(e))
	}
}

// eventText describes an event for people.
func eventText(e arp.Event) string {
	switch e.Kind {
	case arp.EventConflict:
		return fmt.Sprintf("ARP: %v has our address %v, too", e.HardwareAddr, e.Addr)
	case arp.EventMoved:
		return fmt.Sprintf("ARP: %v has moved from %v to %v", e.Addr, e.Old, e.HardwareAddr)
	case arp.EventRemoved:
		return fmt.Sprintf("ARP: %v is forgotten", e.Addr)
	}
	if e.HardwareAddr.IsZero() {
		return fmt.Sprintf("ARP: %v is %v", e.Addr, e.State)
	}
	return fmt.Sprintf("ARP: %v is %v at %v", e.Addr, e.State, e.HardwareAddr)
}

// close ends everything, and returns when it has ended.
func (l *labRun) close() {
	l.ours.Close()
	l.w.close()
}

// run takes one step after the other, until the context ends.
func (l *labRun) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{l.pings, l.tcp, l.udp, l.absence, l.neighbors} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// check reports the outcome of one step. It returns an error only if the lab is
// over.
func (l *labRun) check(what, found string, err error) error {
	if isOver(err) {
		return err
	}
	l.r.Check(what, found, err)
	return nil
}

// A direction is one way over the wire.
type direction struct {
	from, to lab.Station
	family   string
	at       netip.Addr // the receiver's
}

// String returns the direction, padded to the width of a column.
func (d direction) String() string {
	return fmt.Sprintf("%-18s  %s", d.from.Name()+" -> "+d.to.Name(), d.family)
}

// directions returns all there are: to us first, so that the first packet of
// all is one that the other side sends.
func (l *labRun) directions() (list []direction) {
	for _, f := range l.families {
		list = append(list, direction{l.other, l.ours, f.name, f.ours}, direction{l.ours, l.other, f.name, f.other})
	}
	return list
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// sizes returns numbers for people: "1, 2 and 3".
func sizes(list []int) string {
	s := strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ", "), "[]")
	if at := strings.LastIndex(s, ", "); at >= 0 {
		s = s[:at] + " and " + s[at+2:]
	}
	return s
}
