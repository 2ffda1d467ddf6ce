package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/ethlink/ethlink/internal/checksum"
)

const (
	// pingCount is how many echo requests are sent, one after the other.
	pingCount = 5
	// pingPatience is how long each reply may take. The first one waits for ARP.
	pingPatience = time.Second
	// pingPayload is what ping sends by default.
	pingPayload = 56
	icmpHeader  = 8
)

// Types of ICMP messages: RFC 792, RFC 4443 §4.
const (
	echoRequest4, echoReply4 = 8, 0
	echoRequest6, echoReply6 = 128, 129
)

// ping sends echo requests, and returns the round-trip times of those that were
// answered.
func ping(ctx context.Context, from station, to netip.Addr) ([]time.Duration, error) {
	c, err := from.Ping(to)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var times []time.Duration
	for seq := range uint16(pingCount) {
		rtt, err := pingOnce(ctx, c, to.Is6(), seq+1)
		switch {
		case errors.Is(err, errNoReply) && ctx.Err() == nil:
		case err != nil:
			return times, cause(ctx, innermost(err))
		default:
			times = append(times, rtt)
		}
	}
	if len(times) < pingCount {
		return times, fmt.Errorf("%d of %d: the others had no reply within %v", len(times), pingCount, pingPatience)
	}
	return times, nil
}

// innermost takes off what package net says around an error: a ping socket of
// netstack is called a UDP socket there.
func innermost(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}

var errNoReply = errors.New("no reply")

func pingOnce(ctx context.Context, c packetConn, v6 bool, seq uint16) (time.Duration, error) {
	start := time.Now()
	c.SetDeadline(start.Add(pingPatience))
	defer bind(ctx, c)()
	if _, err := c.Write(echo(v6, seq)); err != nil {
		return 0, err
	}
	reply := make([]byte, 1<<16)
	for {
		// A raw socket gets all of the host's ICMP messages.
		n, _, err := c.ReadFrom(reply)
		if timeout, ok := err.(interface{ Timeout() bool }); ok && timeout.Timeout() {
			return 0, errNoReply
		}
		if err != nil {
			return 0, err
		}
		if isReply(reply[:n], v6, seq) {
			return time.Since(start), nil
		}
	}
}

// echo makes an echo request whose payload counts up. Netstack puts in the
// identifier of its socket; the kernel fills in the checksum of ICMPv6, which
// takes the addresses in.
func echo(v6 bool, seq uint16) []byte {
	m := make([]byte, icmpHeader+pingPayload)
	m[0] = echoRequest4
	if v6 {
		m[0] = echoRequest6
	}
	binary.BigEndian.PutUint16(m[4:], uint16(os.Getpid()))
	binary.BigEndian.PutUint16(m[6:], seq)
	for i := range pingPayload {
		m[icmpHeader+i] = byte(i)
	}
	if !v6 {
		binary.BigEndian.PutUint16(m[2:], ^checksum.Of(m))
	}
	return m
}

// isReply reports whether a message answers the request of that number.
func isReply(m []byte, v6 bool, seq uint16) bool {
	want := echo(v6, seq)
	typ := byte(echoReply4)
	if v6 {
		typ = echoReply6
	}
	return len(m) == len(want) && m[0] == typ && slices.Equal(m[6:], want[6:])
}

// roundTrips describes round-trip times for people.
func roundTrips(times []time.Duration) string {
	rest := times[1:]
	return fmt.Sprintf("%d of %d   first %s ms, then %s to %s ms",
		len(times), pingCount, ms(times[0]), ms(slices.Min(rest)), ms(slices.Max(rest)))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond)) }
