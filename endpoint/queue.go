package endpoint

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/fifo"
)

// Queue describes where packets wait for the device: they are written by
// goroutines of the endpoint, as many as there are CPUs or queues of the device,
// in batches, and while the device has no room they stay. A flow keeps to one of
// them, and so its order. The zero Queue is none: whoever sends writes to the
// device, and what it has no room for is dropped.
//
// It takes the place of netstack's link/qdisc/fifo. What is in it counts against
// the send buffers of the sockets that it came from, so that these bound its
// memory too, and a UDP socket's sender is told to wait.
type Queue struct {
	// Len is how many packets may wait for each of the goroutines, small ones and
	// super-frames of up to 64 KiB alike. 1000 is usual.
	Len int
	// Full is what becomes of a packet that there is no room for.
	Full WhenFull
	// MaxWait bounds how long a sender waits with [Wait], and in that time it
	// holds locks of netstack; 10 ms if it is zero.
	MaxWait time.Duration
}

// WhenFull is what becomes of a packet that a [Queue] has no room for. Whatever
// is dropped counts as [ethstack.DropTxFull].
type WhenFull uint8

const (
	// DropNewest drops that packet.
	DropNewest WhenFull = iota
	// DropOldest drops the one that has waited for longest, for what is late is
	// of less use than what is new: voice, video, games.
	DropOldest
	// Wait lets the sender wait for room, and drops the packet only after
	// Queue.MaxWait.
	Wait
)

const (
	defaultMaxWait = 10 * time.Millisecond
	maxQueue       = 1 << 20
)

func (q *Queue) check() error {
	switch {
	case q.Len < 0 || q.Len > maxQueue:
		return fmt.Errorf("a queue of %d packets: want 0 (none) to %d", q.Len, maxQueue)
	case q.Full > Wait:
		return fmt.Errorf("Queue.Full is %d: want DropNewest, DropOldest or Wait", q.Full)
	case q.MaxWait < 0:
		return fmt.Errorf("Queue.MaxWait is %v: want 0 (%v) or more", q.MaxWait, defaultMaxWait)
	}
	return nil
}

// A txQueue is an endpoint's [Queue].
type txQueue struct {
	e       *Endpoint
	lanes   []*fifo.Queue[*stack.PacketBuffer]
	full    WhenFull
	maxWait time.Duration
	clock   ethstack.Clock
	stop    chan struct{} // closed by close
	writers sync.WaitGroup
}

func newTxQueue(e *Endpoint, o Queue, clock ethstack.Clock) *txQueue {
	q := &txQueue{e: e, full: o.Full, maxWait: o.MaxWait, clock: clock, stop: make(chan struct{})}
	if clock == nil {
		q.clock = ethstack.SystemClock()
	}
	if q.maxWait == 0 {
		q.maxWait = defaultMaxWait
	}
	for range max(e.link.Device().Queues(), runtime.GOMAXPROCS(0)) {
		lane := fifo.New[*stack.PacketBuffer](o.Len)
		q.lanes = append(q.lanes, lane)
		q.writers.Go(func() { q.write(lane) })
	}
	return q
}

// push takes a packet, and its reference, from a sender.
func (q *txQueue) push(b *batch, pkt *stack.PacketBuffer) {
	lane := q.lanes[int(pkt.Hash%uint32(len(q.lanes)))]
	var outcome fifo.Outcome
	switch q.full {
	case DropOldest:
		var oldest *stack.PacketBuffer
		if oldest, outcome = lane.PushOut(pkt); oldest != nil {
			q.e.i.Drop(ethstack.DropTxFull)
			oldest.DecRef()
		}
	case Wait:
		outcome = q.pushWait(lane, pkt)
	default:
		outcome = lane.Push(pkt)
	}
	switch outcome {
	case fifo.Taken:
		b.sent++
		return
	case fifo.Full:
		q.e.i.Drop(ethstack.DropTxFull)
		b.fail(tcpipError(ethstack.ErrNoBufferSpace))
	case fifo.Closed:
		q.e.i.Drop(ethstack.DropTxDisconnected)
		b.fail(tcpipError(ethstack.ErrDisconnected))
	}
	pkt.DecRef()
}

func (q *txQueue) pushWait(lane *fifo.Queue[*stack.PacketBuffer], pkt *stack.PacketBuffer) fifo.Outcome {
	if o := lane.Push(pkt); o != fifo.Full {
		return o
	}
	over := make(chan struct{})
	defer q.clock.AfterFunc(q.maxWait, func() { close(over) }).Stop()
	return lane.PushWait(over, pkt)
}

// writeBatch is how many packets are written at once: as many as a super-frame
// of datagrams may stand for.
const writeBatch = 64

// write is the goroutine that writes what one lane has.
func (q *txQueue) write(lane *fifo.Queue[*stack.PacketBuffer]) {
	pkts := make([]*stack.PacketBuffer, writeBatch)
	b := &batch{stop: q.stop}
	for n := lane.Pop(nil, pkts); n > 0; n = lane.Pop(nil, pkts) {
		b.queue, b.queues = 0, q.e.link.Device().Queues()
		for _, pkt := range pkts[:n] {
			q.e.appendOwned(b, pkt)
		}
		clear(pkts[:n])
		q.e.flush(b)
	}
}

// close writes what there is room for and ends the goroutines. Nothing is taken any
// more.
func (q *txQueue) close() {
	if q == nil {
		return
	}
	for _, lane := range q.lanes {
		lane.Close()
	}
	close(q.stop)
	q.writers.Wait()
}
