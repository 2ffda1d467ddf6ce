package ethtest_test

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestQueues: a flow stays in order on one queue, flows are spread.
func TestQueues(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	a, b := newPort(t, s, ethtest.PortOptions{}), newPort(t, s, ethtest.PortOptions{Queues: 4})
	const flows, each = 32, 5
	for i := range each {
		for flow := range flows {
			f := frame(addrB, addrA, 0)
			binary.BigEndian.PutUint16(f[12:], uint16(ethstack.EtherTypeIPv4))
			f[14] = 0x45
			binary.BigEndian.PutUint16(f[34:], uint16(1000+flow)) // source port
			f[50] = byte(i)
			write(t, a, f)
		}
	}
	type arrival struct {
		Port uint16
		I    byte
	}
	var readers sync.WaitGroup
	got := make([][]arrival, b.Queues())
	for q := range got {
		readers.Go(func() {
			f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 2000)}}}
			for {
				if _, err := b.Read(q, f); err != nil {
					return
				}
				got[q] = append(got[q], arrival{binary.BigEndian.Uint16(f[0].Bufs[0][34:]), f[0].Bufs[0][50]})
			}
		})
	}
	waitUntilRead(t, b)
	b.Close()
	readers.Wait()

	next := make(map[uint16]byte)
	for q := range got {
		here := make(map[uint16]bool)
		if len(got[q]) == 0 {
			t.Errorf("nothing on queue %d", q)
		}
		for _, x := range got[q] {
			if x.I == 0 {
				here[x.Port] = true
			}
			if !here[x.Port] || x.I != next[x.Port] {
				t.Errorf("queue %d: frame %d of flow %d, expected %d there: %v", q, x.I, x.Port, next[x.Port], here[x.Port])
			}
			next[x.Port] = x.I + 1
		}
	}
	wantStats(t, b, ethtest.PortStats{Offered: flows * each, Delivered: flows * each})
}

// TestCloseEndsRead: a Read that waits ends when the port is closed, and when
// it is gone.
func TestCloseEndsRead(t *testing.T) {
	for _, end := range []func(*ethtest.Port){
		func(p *ethtest.Port) { p.Close() },
		func(p *ethtest.Port) { p.SetLinkState(ethstack.LinkGone) },
	} {
		s := newSegment(t, ethtest.SegmentOptions{})
		p := newPort(t, s, ethtest.PortOptions{Queues: 2})
		errs := make(chan error)
		for q := range 2 {
			go func() { _, err := p.Read(q, make([]ethstack.Frame, 1)); errs <- err }()
		}
		end(p)
		for range 2 {
			select {
			case err := <-errs:
				if !errors.Is(err, ethstack.ErrDisconnected) {
					t.Errorf("Read: %v, want %v", err, ethstack.ErrDisconnected)
				}
			case <-time.After(patience):
				t.Fatal("Read did not end")
			}
		}
	}
}

// TestConcurrent has every port write and read at once, with delays by the
// real clock; the sum must come out in the end.
func TestConcurrent(t *testing.T) {
	const seed, ports, each = 5, 4, 200
	s := newSegment(t, ethtest.SegmentOptions{
		Seed: seed, MaxDelay: time.Millisecond, Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, ReorderDelay: time.Millisecond,
	})
	var readers, writers sync.WaitGroup
	var all []*ethtest.Port
	for range ports {
		p := newPort(t, s, ethtest.PortOptions{QueueLen: 64})
		all = append(all, p)
		readers.Go(func() {
			f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 2000)}}, {Bufs: [][]byte{make([]byte, 2000)}}}
			for {
				if _, err := p.Read(0, f); err != nil {
					return
				}
			}
		})
	}
	for _, p := range all {
		writers.Go(func() {
			for i := range each {
				p.Write(0, []ethstack.Frame{{Bufs: [][]byte{frame(arp.Broadcast, addrA, i)}}})
			}
		})
	}
	writers.Wait()
	for _, p := range all {
		waitUntilRead(t, p)
	}
	s.Close()
	readers.Wait()
	for _, p := range all {
		got := p.Stats()
		if got.Sent != each || got.Offered < (ports-1)*each || got.Offered != got.Delivered+got.Dropped() {
			t.Errorf("seed %d: %+v does not add up to %d sent, at least %d offered", seed, got, each, (ports-1)*each)
		}
	}
}
