package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// A transfer moves a payload over a TCP connection that the sender dials.
type transfer struct {
	from, to station
	// at is the receiver's address.
	at   netip.Addr
	size int64
	seed uint64
	// done counts the bytes that have arrived.
	done atomic.Int64
}

// A digest is the SHA-256 of a payload.
type digest [sha256.Size]byte

// String returns the beginning of a digest, enough for people to compare.
func (d digest) String() string { return fmt.Sprintf("%x...", d[:4]) }

// A transferResult is what a transfer that went well found out.
type transferResult struct {
	took   time.Duration
	digest digest
}

// gbits returns the throughput in Gbit/s.
func (t transferResult) gbits(size int64) float64 { return float64(size) * 8 / t.took.Seconds() / 1e9 }

// run makes the connection and moves the payload. Whether sender and receiver
// have hashed the same bytes is part of the error.
func (t *transfer) run(ctx context.Context) (transferResult, error) {
	l, err := t.to.Listen(netip.AddrPortFrom(t.at, 0))
	if err != nil {
		return transferResult{}, fmt.Errorf("listening: %w", err)
	}
	// When one side fails, the other must not wait for it.
	both, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	start := time.Now()
	var received digest
	end := make(chan error, 1)
	go func() {
		var err error
		received, err = t.receive(both, l)
		if err != nil {
			cancel(fmt.Errorf("receiving: %w", err))
		}
		end <- err
	}()
	sent, err := t.send(both, portOf(l))
	if err != nil {
		cancel(fmt.Errorf("sending: %w", err))
	}
	err = firstOf(err, <-end)
	switch {
	case err != nil:
		return transferResult{}, context.Cause(both)
	case t.done.Load() != t.size:
		return transferResult{}, fmt.Errorf("%d bytes arrived of %d sent", t.done.Load(), t.size)
	case sent != received:
		return transferResult{}, fmt.Errorf("the bytes differ: SHA-256 is %v sent, %v received", sent, received)
	}
	return transferResult{time.Since(start), sent}, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// portOf returns the port that a listener was given.
func portOf(l net.Listener) uint16 { return l.Addr().(*net.TCPAddr).AddrPort().Port() }

// send dials and sends, and returns the hash of what it sent.
func (t *transfer) send(ctx context.Context, port uint16) (d digest, err error) {
	c, err := t.from.Dial(ctx, netip.AddrPortFrom(t.at, port))
	if err != nil {
		return d, err
	}
	defer c.Close()
	defer bind(ctx, c)()
	hash := sha256.New()
	p := newPayload(t.seed)
	for left := t.size; left > 0; {
		b := p.Next(left)
		if _, err := c.Write(b); err != nil {
			return d, err
		}
		hash.Write(b)
		left -= int64(len(b))
	}
	if err := c.CloseWrite(); err != nil {
		return d, err
	}
	// The receiver closes when it has read everything: closing before that
	// could lose the end.
	if n, err := io.Copy(io.Discard, c); err != nil || n > 0 {
		return d, fmt.Errorf("waiting for the receiver to close: %d bytes, %w", n, err)
	}
	return digest(hash.Sum(nil)), nil
}

// receive accepts one connection and returns the hash of what comes.
func (t *transfer) receive(ctx context.Context, l net.Listener) (d digest, err error) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	c, err := l.Accept()
	if stop() {
		l.Close()
	}
	if err != nil {
		return d, err
	}
	defer c.Close()
	defer bind(ctx, c)()
	hash := sha256.New()
	b := make([]byte, 256<<10)
	for {
		n, err := c.Read(b)
		hash.Write(b[:n])
		t.done.Add(int64(n))
		if err == io.EOF {
			return digest(hash.Sum(nil)), nil
		}
		if err != nil {
			return d, err
		}
	}
}
