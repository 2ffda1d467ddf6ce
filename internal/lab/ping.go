package lab

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
	// PingCount is how many echo requests are sent, one after the other.
	PingCount = 5
	// PingPatience is how long each reply may take. The first one waits for ARP.
	PingPatience = time.Second
	// PingSize is how many bytes ping sends by default behind the ICMP header.
	PingSize   = 56
	icmpHeader = 8
)

// Types of ICMP messages: RFC 792, RFC 4443 §4.
const (
	echoRequest4, echoReply4 = 8, 0
	echoRequest6, echoReply6 = 128, 129
)

// Ping sends [PingCount] echo requests with so many bytes, and returns the
// round-trip times of those that were answered. That some were not is an error.
func Ping(ctx context.Context, from Station, to netip.Addr, size int) ([]time.Duration, error) {
	c, err := from.Ping(to)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var times []time.Duration
	for seq := range uint16(PingCount) {
		rtt, err := pingOnce(ctx, c, echo(to.Is6(), seq+1, size))
		switch {
		case errors.Is(err, errNoReply) && ctx.Err() == nil:
		case err != nil:
			return times, cause(ctx, innermost(err))
		default:
			times = append(times, rtt)
		}
	}
	if len(times) < PingCount {
		return times, fmt.Errorf("%d of %d: the others had no reply within %v", len(times), PingCount, PingPatience)
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

func pingOnce(ctx context.Context, c PacketConn, request []byte) (time.Duration, error) {
	start := time.Now()
	c.SetDeadline(start.Add(PingPatience))
	defer bind(ctx, c)()
	if _, err := c.Write(request); err != nil {
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
		if isReply(reply[:n], request) {
			return time.Since(start), nil
		}
	}
}

// echo makes an echo request with so many bytes that count up. Netstack puts in the
// identifier of its socket; the kernel fills in the checksum of ICMPv6, which
// takes the addresses in.
func echo(v6 bool, seq uint16, size int) []byte {
	m := make([]byte, icmpHeader+size)
	m[0] = echoRequest4
	if v6 {
		m[0] = echoRequest6
	}
	binary.BigEndian.PutUint16(m[4:], uint16(os.Getpid()))
	binary.BigEndian.PutUint16(m[6:], seq)
	for i := range size {
		m[icmpHeader+i] = byte(i)
	}
	if !v6 {
		binary.BigEndian.PutUint16(m[2:], ^checksum.Of(m))
	}
	return m
}

// isReply reports whether a message answers a request.
func isReply(m, request []byte) bool {
	typ := byte(echoReply4)
	if request[0] == echoRequest6 {
		typ = echoReply6
	}
	return len(m) == len(request) && m[0] == typ && slices.Equal(m[6:], request[6:])
}
