package bench

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// connectTime is how long connecting may take.
const connectTime = 5 * time.Second

// receiveStreams accepts the connections of a test, and reads and checks what
// comes.
func receiveStreams(s station, t Test, at netip.AddrPort, p pattern) (load, uint16, error) {
	l, err := s.listen(at)
	if err != nil {
		return nil, 0, fmt.Errorf("listening at %v: %w", at, err)
	}
	c := new(crew)
	c.accept(l, t.Flows, func(conn net.Conn) error {
		b := make([]byte, chunk)
		for offset := int64(0); ; {
			n, err := conn.Read(b)
			if err != nil {
				return fmt.Errorf("reading: %w", err)
			}
			if n == 0 {
				return errShort
			}
			if err := p.check(b[:n], offset); err != nil {
				return err
			}
			offset += int64(n)
			c.units.Add(uint64(n))
		}
	})
	return c, l.Addr().(*net.TCPAddr).AddrPort().Port(), nil
}

// sendStreams makes the connections of a test and writes into each as fast as it
// goes.
func sendStreams(s station, t Test, to netip.AddrPort, p pattern) (load, error) {
	c := new(crew)
	for range t.Flows {
		conn, err := connect(s, to)
		if err != nil {
			c.stop()
			return nil, err
		}
		c.keep(conn)
		c.start(func() error {
			for offset := int64(0); ; {
				n, err := conn.Write(p.at(offset, chunk))
				if err != nil {
					return fmt.Errorf("writing: %w", err)
				}
				offset += int64(n)
			}
		})
	}
	return c, nil
}

func connect(s station, to netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	conn, err := s.dial(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("connecting to %v: %w", to, err)
	}
	return conn, nil
}
