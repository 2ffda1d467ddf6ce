package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
)

// pings sends echo requests both ways.
func (l *labRun) pings(ctx context.Context) error {
	l.r.Section("ping", "")
	for _, d := range l.directions() {
		times, err := lab.Ping(ctx, d.from, d.at, lab.PingSize)
		found := ""
		if err == nil {
			found = roundTrips(times)
		}
		if err := l.check(fmt.Sprintf("%v  %-11s", d, d.at), found, err); err != nil {
			return err
		}
	}
	return nil
}

// IPv6 moves a part of the payload, but at least leastSize.
const (
	ipv6Share = 4
	leastSize = 1 << 20
)

// tcp moves payloads both ways.
func (l *labRun) tcp(ctx context.Context) error {
	l.r.Section("TCP", "random data, made and hashed with SHA-256 at both ends while the clock runs")
	for i, d := range l.directions() {
		t := &lab.Transfer{From: d.from, To: d.to, At: d.at, Size: l.o.size, Seed: uint64(i)}
		if d.at.Is6() {
			t.Size = max(l.o.size/ipv6Share, leastSize)
		}
		what := fmt.Sprintf("%v  %s", d, mebibytes(t.Size))
		end := l.r.Watch(what, &t.Done, t.Size)
		result, err := t.Run(ctx)
		end()
		found := ""
		if err == nil {
			found = fmt.Sprintf("%8s  %6.2f Gbit/s   SHA-256 %v at both ends",
				seconds(result.Took), result.Gbits(t.Size), result.Digest)
		}
		if err := l.check(what, found, err); err != nil {
			return err
		}
	}
	return nil
}

// udp has datagrams sent back, both ways.
func (l *labRun) udp(ctx context.Context) error {
	l.r.Section("UDP echo", "")
	for _, d := range l.directions() {
		list := udpSizes(l.o.mtu, d.at.Is6())
		err := lab.EchoUDP(ctx, d.from, d.to, d.at, list)
		if err := l.check(d.String(), sizes(list)+" bytes came back unchanged", err); err != nil {
			return err
		}
	}
	return nil
}

// absence dials a host that is not there: our ARP has to find out, and the
// socket has to be told.
func (l *labRun) absence(ctx context.Context) error {
	const noRoute = "no route to host"
	l.r.Section("absent host", "")
	start := time.Now()
	c, err := l.ours.Dial(ctx, netip.AddrPortFrom(absent, 80))
	took := seconds(time.Since(start))
	switch {
	case err == nil:
		c.Close()
		err = errors.New("the dial succeeded")
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case strings.Contains(err.Error(), noRoute):
		err = nil
	default:
		err = fmt.Errorf("after %s: %w; want %q", took, err, noRoute)
	}
	return l.check(fmt.Sprintf("%-18s  IPv4  %s", "netstack -> nobody", absent), noRoute+", after "+took, err)
}

// neighbors shows what the stations know of each other, and checks it.
func (l *labRun) neighbors(context.Context) error {
	l.r.Section("neighbors", "")
	var rows [][]string
	var wrong []error
	for _, pair := range [][2]lab.Station{{l.other, l.ours}, {l.ours, l.other}} {
		of, other := pair[0], pair[1]
		list, err := of.Neighbors()
		wrong = append(wrong, err)
		rows = append(rows, neighborRows("of "+of.Name(), list)...)
		for _, f := range l.families {
			a := f.ours
			if other == l.other {
				a = f.other
			}
			wrong = append(wrong, checkNeighbor(of.Name(), lab.FindNeighbor(list, a), other.HardwareAddr()))
		}
	}
	l.r.Table(rows)
	if err := errors.Join(wrong...); err != nil {
		l.r.Check("both tables", "", err)
	}
	return nil
}

// neighborRows returns a table of neighbors, with a title at its left.
func neighborRows(title string, list []lab.Neighbor) (rows [][]string) {
	for _, n := range list {
		hw := "-"
		if !n.HardwareAddr.IsZero() {
			hw = n.HardwareAddr.String()
		}
		rows = append(rows, []string{title, n.Addr.String(), hw, n.State})
		title = ""
	}
	return rows
}

func checkNeighbor(of string, n lab.Neighbor, want ethstack.HardwareAddr) error {
	if n.HardwareAddr == want {
		return nil
	}
	return fmt.Errorf("%s has %v at %v (%s), but it is at %v", of, n.Addr, n.HardwareAddr, n.State, want)
}

// counters shows what our interface has counted.
func (l *labRun) counters() {
	l.r.Section("counters of netstack's interface", "")
	l.r.Table(counterRows(l.ours.Endpoint().Interface().Stats()))
}
