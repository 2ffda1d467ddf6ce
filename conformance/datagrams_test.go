package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/ethlink/ethlink/internal/lab"
)

// A numbered datagram has its number, as much of it as there is room for, and
// then bytes that follow from it.
func numbered(number, size int) []byte {
	b := lab.NewPayload(uint64(number)).Next(int64(size))
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(number))
	copy(b, n[:])
	return b
}

// mixedSizes are those of numbered datagrams, over and over: runs of one size
// with a shorter one behind, single ones, the largest and the smallest.
var mixedSizes = slices.Concat(
	slices.Repeat([]int{1000}, 6), []int{400}, // a run with its end
	slices.Repeat([]int{64}, 60), []int{1},
	slices.Repeat([]int{1452}, 50), // IPv6's largest, and more than one super-frame has room for
	[]int{0, 700, 701, 702, 0, 0},
)

func mixedSize(number int) int { return mixedSizes[number%len(mixedSizes)] }

// burst is how many datagrams are sent before those that have arrived are
// waited for: fewer than any socket or queue between has room for.
const burst = 64

// sendDatagrams sends numbered datagrams in bursts. Each must arrive as it was
// sent, in order and once.
func sendDatagrams(ctx context.Context, from, to lab.Station, at netip.Addr, count int) error {
	server, err := to.ListenUDP(netip.AddrPortFrom(at, 0))
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	defer server.Close()
	port := server.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	c, err := from.DialUDP(netip.AddrPortFrom(at, port))
	if err != nil {
		return err
	}
	defer c.Close()
	// The first finds the neighbor: what is sent before that may be lost.
	if _, err := c.Write(numbered(0, mixedSize(0))); err != nil {
		return err
	}
	next, err := receiveDatagrams(ctx, server, 0, 1)
	for next < count && err == nil {
		end := min(next+burst, count)
		for n := next; n < end; n++ {
			if err := write(ctx, c, numbered(n, mixedSize(n))); err != nil {
				return fmt.Errorf("sending datagram %d: %w", n, err)
			}
		}
		next, err = receiveDatagrams(ctx, server, next, end)
	}
	return err
}

// write writes a datagram. It does not trust gonet to wake it up when there is room
// for one: UDPConn.Write asks to be told only after it has found none, and what
// became free between the two it never hears of.
func write(ctx context.Context, c lab.PacketConn, b []byte) error {
	const doubt = 20 * time.Millisecond
	for {
		c.SetWriteDeadline(time.Now().Add(doubt))
		_, err := c.Write(b)
		var timeout net.Error
		if err == nil || !errors.As(err, &timeout) || !timeout.Timeout() {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// receiveDatagrams receives the datagrams from one number up to another, and
// returns the number that comes next.
func receiveDatagrams(ctx context.Context, c net.PacketConn, next, end int) (int, error) {
	deadline := time.Now().Add(patience)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	c.SetReadDeadline(deadline)
	for b := make([]byte, 1<<16); next < end; next++ {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return next, fmt.Errorf("waiting for datagram %d: %w", next, err)
		}
		if want := numbered(next, mixedSize(next)); !bytes.Equal(b[:n], want) {
			return next, fmt.Errorf("in place of datagram %d, %d bytes %.8x..., came %d bytes %.8x...", next, len(want), want, n, b[:n])
		}
	}
	return next, nil
}
