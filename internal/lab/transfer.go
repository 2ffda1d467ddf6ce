package lab

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

// A Transfer moves a payload over a TCP connection that the sender dials.
type Transfer struct {
	From, To Station
	// At is the receiver's address.
	At netip.Addr
	// Size is how many bytes there are, Seed which ones.
	Size int64
	Seed uint64
	// Done counts the bytes that have arrived.
	Done atomic.Int64
}

// A Digest is the SHA-256 of a payload.
type Digest [sha256.Size]byte

// String returns the beginning of a digest, enough for people to compare.
func (d Digest) String() string { return fmt.Sprintf("%x...", d[:4]) }

// A TransferResult is what a transfer that went well found out.
type TransferResult struct {
	Took   time.Duration
	Digest Digest
}

// Gbits returns the throughput of so many bytes in Gbit/s.
func (t TransferResult) Gbits(size int64) float64 { return float64(size) * 8 / t.Took.Seconds() / 1e9 }

// Run makes the connection and moves the payload. Whether sender and receiver
// have hashed the same bytes is part of the error.
func (t *Transfer) Run(ctx context.Context) (TransferResult, error) {
	l, err := t.To.Listen(netip.AddrPortFrom(t.At, 0))
	if err != nil {
		return TransferResult{}, fmt.Errorf("listening: %w", err)
	}
	// When one side fails, the other must not wait for it.
	both, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	start := time.Now()
	var received Digest
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
		return TransferResult{}, context.Cause(both)
	case t.Done.Load() != t.Size:
		return TransferResult{}, fmt.Errorf("%d bytes arrived of %d sent", t.Done.Load(), t.Size)
	case sent != received:
		return TransferResult{}, fmt.Errorf("the bytes differ: SHA-256 is %v sent, %v received", sent, received)
	}
	return TransferResult{time.Since(start), sent}, nil
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
func (t *Transfer) send(ctx context.Context, port uint16) (d Digest, err error) {
	c, err := t.From.Dial(ctx, netip.AddrPortFrom(t.At, port))
	if err != nil {
		return d, err
	}
	defer c.Close()
	defer bind(ctx, c)()
	hash := sha256.New()
	p := NewPayload(t.Seed)
	for left := t.Size; left > 0; {
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
	return Digest(hash.Sum(nil)), nil
}

// receive accepts one connection and returns the hash of what comes.
func (t *Transfer) receive(ctx context.Context, l net.Listener) (d Digest, err error) {
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
		t.Done.Add(int64(n))
		if err == io.EOF {
			return Digest(hash.Sum(nil)), nil
		}
		if err != nil {
			return d, err
		}
	}
}
