package bench

import (
	"fmt"
	"net/netip"
)

// sendBatch is how many datagrams are made at a time.
const sendBatch = 32

// receiveDatagrams counts what comes. A datagram that comes twice, or after a
// later one, is not counted: a single flow is to keep its order.
func receiveDatagrams(s station, t Test, at netip.AddrPort, p pattern) (load, uint16, error) {
	d, err := s.receiveAt(at)
	if err != nil {
		return nil, 0, fmt.Errorf("receiving datagrams at %v: %w", at, err)
	}
	c := new(crew)
	c.keep(d)
	c.start(func() error {
		next := uint64(0)
		for {
			n, bad := uint64(0), error(nil)
			err := d.receive(func(b []byte) {
				number, err := p.datagram(b, t.Size)
				switch {
				case err != nil:
					bad = err
				case number < next:
					c.late.Add(1)
				default:
					next = number + 1
					n++
				}
			})
			c.units.Add(n)
			if err == nil {
				err = bad
			}
			if err != nil {
				return err
			}
		}
	})
	return c, d.port(), nil
}

// sendDatagrams sends numbered datagrams as fast as it goes.
func sendDatagrams(s station, t Test, to netip.AddrPort, p pattern) (load, error) {
	d, err := s.sendTo(to)
	if err != nil {
		return nil, fmt.Errorf("sending datagrams to %v: %w", to, err)
	}
	c := new(crew)
	c.keep(d)
	c.start(func() error {
		batch := make([][]byte, sendBatch)
		for i := range batch {
			batch[i] = append([]byte(nil), p[:t.Size]...)
		}
		for number := uint64(0); !c.stopped.Load(); {
			for _, b := range batch {
				p.fill(b, number)
				number++
			}
			d.send(batch)
		}
		return nil
	})
	return c, nil
}
