package lab

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// udpPatience is how long the echo of a datagram may take.
const udpPatience = 5 * time.Second

// EchoUDP sends datagrams of the given sizes, each of which has to come back as
// it was.
func EchoUDP(ctx context.Context, from, to Station, at netip.Addr, sizes []int) error {
	server, err := to.ListenUDP(netip.AddrPortFrom(at, 0))
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- ServeEcho(server) }()
	defer func() {
		server.Close()
		<-served
	}()
	port := server.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	c, err := from.DialUDP(netip.AddrPortFrom(at, port))
	if err != nil {
		return err
	}
	defer c.Close()
	for i, size := range sizes {
		if err := Echo(ctx, c, NewPayload(uint64(i)).Next(int64(size))); err != nil {
			return cause(ctx, fmt.Errorf("%d bytes: %w", size, err))
		}
	}
	return nil
}

// Echo sends a datagram that has to come back as it was.
func Echo(ctx context.Context, c PacketConn, b []byte) error {
	c.SetDeadline(time.Now().Add(udpPatience))
	defer bind(ctx, c)()
	if _, err := c.Write(b); err != nil {
		return err
	}
	back := make([]byte, 1<<16)
	n, _, err := c.ReadFrom(back)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(back[:n], b):
		return fmt.Errorf("%d bytes came back, and not the same", n)
	}
	return nil
}

// ServeEcho sends each datagram back, until the socket is closed. What cannot
// be sent is lost, as with every datagram.
func ServeEcho(c net.PacketConn) error {
	b := make([]byte, 1<<16)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return err
		}
		c.WriteTo(b[:n], from)
	}
}
