package bench

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// pingPatience is how long the answer to a datagram may take before the next
// one is sent.
const pingPatience = 200 * time.Millisecond

// answer sends back whatever comes.
func answer(s station, t Test, at netip.AddrPort) (load, uint16, error) {
	c := new(crew)
	if t.Kind == kindPingUDP {
		conn, err := s.listenUDP(at)
		if err != nil {
			return nil, 0, fmt.Errorf("receiving datagrams at %v: %w", at, err)
		}
		c.keep(conn)
		c.start(func() error {
			var b [2]byte
			for {
				n, from, err := conn.ReadFrom(b[:])
				if err != nil {
					return err
				}
				conn.WriteTo(b[:n], from)
			}
		})
		return c, conn.LocalAddr().(*net.UDPAddr).AddrPort().Port(), nil
	}
	l, err := s.listen(at)
	if err != nil {
		return nil, 0, fmt.Errorf("listening at %v: %w", at, err)
	}
	c.accept(l, 1, func(conn net.Conn) error {
		var b [2]byte
		for {
			n, err := conn.Read(b[:])
			if err == nil {
				_, err = conn.Write(b[:n])
			}
			if err != nil {
				return err
			}
		}
	})
	return c, l.Addr().(*net.TCPAddr).AddrPort().Port(), nil
}

// An asker sends one byte, waits for it to come back, and so on.
type asker struct {
	crew
	mu    sync.Mutex
	trips []time.Duration
	lost  uint64
}

func ask(s station, t Test, to netip.AddrPort) (load, error) {
	conn, err := net.Conn(nil), error(nil)
	if t.Kind == kindPingUDP {
		conn, err = s.dialUDP(to)
	} else {
		conn, err = connect(s, to)
	}
	if err != nil {
		return nil, err
	}
	a := new(asker)
	a.keep(conn)
	a.start(func() error {
		for n := byte(0); ; n++ {
			start := time.Now()
			if t.Kind == kindPingUDP {
				conn.SetReadDeadline(start.Add(pingPatience))
			}
			err := roundTrip(conn, n)
			switch {
			case err == nil:
				a.add(time.Since(start))
			case t.Kind == kindPingUDP && errors.Is(err, os.ErrDeadlineExceeded) && !a.stopped.Load():
				a.lose()
			default:
				return err
			}
		}
	})
	return a, nil
}

// roundTrip sends a byte and waits until it is back. What comes before that is
// the answer to an earlier one that was given up.
func roundTrip(conn net.Conn, n byte) error {
	b := [1]byte{n}
	if _, err := conn.Write(b[:]); err != nil {
		return fmt.Errorf("asking: %w", err)
	}
	for {
		if _, err := io.ReadFull(conn, b[:]); err != nil {
			return fmt.Errorf("waiting for the answer: %w", err)
		}
		if b[0] == n {
			return nil
		}
	}
}

func (a *asker) add(trip time.Duration) {
	a.mu.Lock()
	a.trips = append(a.trips, trip)
	a.mu.Unlock()
	a.units.Add(1)
}

func (a *asker) lose() {
	a.mu.Lock()
	a.lost++
	a.mu.Unlock()
}

func (a *asker) finish(from, to uint64) outcome {
	o := a.stop()
	o.Lost = a.lost
	if list := a.trips[from:to]; len(list) > 0 {
		list = slices.Sorted(slices.Values(list))
		o.P50, o.P99 = list[len(list)/2], list[len(list)*99/100]
	}
	return o
}
