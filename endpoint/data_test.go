package endpoint_test

import (
	"bytes"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/link/qdisc/fifo"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestLossy: TCP gets through a segment on which everything goes wrong.
func TestLossy(t *testing.T) {
	for _, o := range []ethstack.Offloads{0, allOffloads} {
		t.Run(o.String(), func(t *testing.T) {
			s := newSegment(t, ethtest.SegmentOptions{
				Seed: 1, MaxDelay: 200 * time.Microsecond, Loss: 0.01, Duplicate: 0.02, Reorder: 0.02, ReorderDelay: time.Millisecond, Trailing: 30,
			})
			a := newHost(t, s, 2, hostOptions{port: ethtest.PortOptions{Offloads: o}})
			b := newHost(t, s, 3, hostOptions{port: ethtest.PortOptions{Offloads: o}})
			for _, p := range protocols {
				t.Run(p.name, func(t *testing.T) { stream(t, a, b, p.number, size(512<<10, 64<<10)) })
			}
		})
	}
}

// TestUDP: datagrams of many sizes arrive as they were sent, both ways.
func TestUDP(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	a := newHost(t, s, 2, hostOptions{port: ethtest.PortOptions{Offloads: allOffloads}})
	b := newHost(t, s, 3, hostOptions{})
	for _, p := range protocols {
		for _, dir := range []struct{ from, to *host }{{a, b}, {b, a}} {
			from, to := udpPair(t, dir.from, dir.to, p.number)
			got := make([]byte, 65536)
			for _, n := range []int{0, 1, 17, 18, 100, 1472, 1473, 9000, 65000} {
				sent := bytes.Repeat([]byte{byte(n), 0xa5, byte(n >> 8)}, n/3+1)[:n]
				if _, err := from.Write(sent); err != nil {
					t.Fatal(err)
				}
				k, _, err := to.ReadFrom(got)
				if err != nil || !bytes.Equal(got[:k], sent) {
					t.Fatalf("%s, %d bytes: got %d (%v)", p.name, n, k, err)
				}
			}
			to.Close()
		}
	}
}

// TestQueues: with a queue before the endpoint or in it, whatever that does when
// it is full, lists are sent by a goroutine of its own.
func TestQueues(t *testing.T) {
	for _, o := range []hostOptions{
		{qdisc: func(ep stack.LinkWriter) stack.QueueingDiscipline { return fifo.New(ep, 2, 1000) }},
		{endpoint: endpoint.Options{Queue: endpoint.Queue{Len: 1000}}},
		{endpoint: endpoint.Options{Queue: endpoint.Queue{Len: 64, Full: endpoint.DropOldest}}},
		{endpoint: endpoint.Options{Queue: endpoint.Queue{Len: 16, Full: endpoint.Wait}}, port: ethtest.PortOptions{Queues: 3}},
	} {
		s := newSegment(t, ethtest.SegmentOptions{MinDelay: 100 * time.Microsecond})
		a, b := newHost(t, s, 2, o), newHost(t, s, 3, hostOptions{})
		for _, p := range protocols {
			stream(t, a, b, p.number, 1<<20)
		}
	}
}
