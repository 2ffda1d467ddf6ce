package endpoint_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
)

// listen listens for TCP connections.
func (h *host) listen(proto tcpip.NetworkProtocolNumber, port uint16) net.Listener {
	h.t.Helper()
	l, err := gonet.ListenTCP(h.stack, h.addr(proto, port), proto)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { l.Close() })
	return l
}

// dial connects to a TCP port.
func (h *host) dial(proto tcpip.NetworkProtocolNumber, to tcpip.FullAddress) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return gonet.DialContextTCP(ctx, h.stack, to, proto)
}

// stream sends size random bytes over a new connection from a to b, then as
// many back, and compares what arrives. (Not both at once: when the receive
// buffers of both sides are full, netstack's TCP drops acknowledgments together
// with the data that there is no room for, and an echo may never end.)
func stream(t testing.TB, a, b *host, proto tcpip.NetworkProtocolNumber, size int) {
	t.Helper()
	const port = 80
	l := b.listen(proto, port)
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			defer c.Close()
			if err = receive(c, a.n, size); err == nil {
				err = transmit(c, b.n, size)
			}
		}
		served <- err
	}()
	c, err := a.dial(proto, b.addr(proto, port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := transmit(c, a.n, size); err != nil {
		t.Fatal(err)
	}
	if err := receive(c, b.n, size); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
}

// transmit sends size bytes that follow from the seed, and then the end.
func transmit(c net.Conn, seed byte, size int) error {
	c.SetDeadline(time.Now().Add(3 * patience))
	if _, err := io.Copy(struct{ io.Writer }{c}, random(seed, size)); err != nil {
		return err
	}
	return c.(*gonet.TCPConn).CloseWrite()
}

// receive reads to the end, and compares with what transmit sends.
func receive(c net.Conn, seed byte, size int) error {
	c.SetDeadline(time.Now().Add(3 * patience))
	got, want := sha256.New(), sha256.New()
	n, err := io.Copy(got, c)
	if err != nil {
		return fmt.Errorf("after %d bytes of %d: %w", n, size, err)
	}
	io.Copy(want, random(seed, size))
	if n != int64(size) || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		return fmt.Errorf("the %d bytes that came are not the %d that were sent", n, size)
	}
	return nil
}

func random(seed byte, size int) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), int64(size))
}
