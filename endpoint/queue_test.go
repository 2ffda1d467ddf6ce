package endpoint

import (
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// A narrow device has room for so many frames, and then for none.
type narrow struct {
	*tape
	room, asked atomic.Int64
}

func (d *narrow) Write(queue int, frames []ethstack.Frame) (n int, first error) {
	d.asked.Add(1)
	for k := range frames {
		if d.room.Add(-1) < 0 {
			d.room.Add(1)
			frames[k].Err, first = ethstack.ErrNoBufferSpace, ethstack.ErrNoBufferSpace
			continue
		}
		if _, err := d.tape.Write(queue, frames[k:k+1]); err != nil {
			return n, err
		}
		n++
	}
	return n, first
}

// A queueTest is an endpoint with a queue of 4 packets before a device that has
// no room, and with one packet that its goroutine is trying to write.
type queueTest struct {
	t     *testing.T
	d     *narrow
	e     *Endpoint
	clock ethtest.ManualClock
	next  int
}

func newQueueTest(t *testing.T, o Queue) *queueTest {
	q := &queueTest{t: t, d: &narrow{tape: newTape(0)}}
	o.Len = 4
	var err error
	if q.e, err = New(q.d, Options{Queue: o, Clock: &q.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.e.Close)
	q.mustSend(1)
	q.until("the packet is tried", func() bool { return q.d.asked.Load() > 0 })
	return q
}

func (q *queueTest) until(what string, ok func() bool) {
	q.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			q.t.Fatalf("never: %s", what)
		}
	}
}

// send sends n packets in a list. Their IPv4 identification is their number.
func (q *queueTest) send(n int) (int, tcpip.Error) {
	var list stack.PacketBufferList
	for range n {
		pkt := newOutgoing(linked(routeTo("10.0.0.5"), tcpip.LinkAddress(hwB[:])), 4)
		header.IPv4(pkt.NetworkHeader().Slice()).SetID(uint16(q.next))
		q.next++
		q.e.AddHeader(pkt)
		list.PushBack(pkt)
	}
	defer list.DecRef()
	return q.e.WritePackets(list)
}

func (q *queueTest) mustSend(n int) {
	q.t.Helper()
	if sent, err := q.send(n); sent != n || err != nil {
		q.t.Fatalf("WritePackets of %d: %d, %v", n, sent, err)
	}
}

// written makes room, lets time pass until n packets have been written, and
// returns their numbers.
func (q *queueTest) written(n int) (numbers []int) {
	q.t.Helper()
	q.d.room.Store(1 << 20)
	q.until("all is written", func() bool {
		q.clock.Advance(10 * time.Millisecond) // no device is left alone for longer
		for _, w := range q.d.take() {
			for _, f := range w.frames {
				numbers = append(numbers, int(binary.BigEndian.Uint16(f[ethstack.HeaderLen+4:])))
			}
		}
		return len(numbers) >= n
	})
	return numbers
}

func (q *queueTest) dropped() uint64 { return q.e.i.Stats().Drops[ethstack.DropTxFull] }

// TestQueueFull: what becomes of packets that come when the queue is full, and
// that all the others are sent, once each and in order, when there is room again.
func TestQueueFull(t *testing.T) {
	for _, tt := range []struct {
		full WhenFull
		sent int // of 7
		err  tcpip.Error
		want []int
	}{
		{DropNewest, 4, &tcpip.ErrNoBufferSpace{}, []int{0, 1, 2, 3, 4}},
		{DropOldest, 7, nil, []int{0, 4, 5, 6, 7}},
	} {
		q := newQueueTest(t, Queue{Full: tt.full})
		sent, err := q.send(7)
		if sent != tt.sent || cmp.Diff(tt.err, err) != "" || q.dropped() != 3 {
			t.Errorf("policy %d: WritePackets gave %d, %v, and %d are counted as dropped; want %d, %v, 3",
				tt.full, sent, err, q.dropped(), tt.sent, tt.err)
		}
		if d := cmp.Diff(tt.want, q.written(5)); d != "" {
			t.Errorf("policy %d: packets on the wire (-want +got):\n%s", tt.full, d)
		}
	}
}

// TestQueueWait: a sender waits until there is room, but for no longer than it
// may.
func TestQueueWait(t *testing.T) {
	q := newQueueTest(t, Queue{Full: Wait, MaxWait: time.Second})
	q.mustSend(4)
	type result struct {
		sent int
		err  tcpip.Error
	}
	results := make(chan result)
	send := func() {
		sent, err := q.send(1)
		results <- result{sent, err}
	}

	go send() // number 5
	var got result
	q.until("it has waited for long enough", func() bool {
		q.clock.Advance(100 * time.Millisecond)
		select {
		case got = <-results:
			return true
		default:
			return false
		}
	})
	if got.sent != 0 || cmp.Diff(tcpip.Error(&tcpip.ErrNoBufferSpace{}), got.err) != "" || q.dropped() != 1 {
		t.Errorf("after MaxWait: %+v, %d dropped; want 0 sent, no buffer space, 1 dropped", got, q.dropped())
	}
	if now := q.clock.Now(); now < time.Second {
		t.Errorf("the sender gave up after %v, want 1s", now)
	}

	go send() // number 6
	if d := cmp.Diff([]int{0, 1, 2, 3, 4, 6}, q.written(6)); d != "" {
		t.Errorf("packets on the wire (-want +got):\n%s", d)
	}
	if got := <-results; got.sent != 1 || got.err != nil {
		t.Errorf("with room again: %+v, want 1 sent", got)
	}
}

// TestQueueClose: Close ends a sender's wait, and what there is no room for is
// given up, counted.
func TestQueueClose(t *testing.T) {
	q := newQueueTest(t, Queue{Full: Wait, MaxWait: time.Hour})
	q.mustSend(4)
	done := make(chan tcpip.Error)
	go func() {
		_, err := q.send(1)
		done <- err
	}()
	q.e.Close()
	if err := <-done; cmp.Diff(tcpip.Error(&tcpip.ErrClosedForSend{}), err) != "" {
		t.Errorf("a sender that waited got %v", err)
	}
	st := q.e.i.Stats()
	if full, gone := st.Drops[ethstack.DropTxFull], st.Drops[ethstack.DropTxDisconnected]; full != 5 || gone != 1 {
		t.Errorf("%d dropped for lack of room and %d because of Close, want 5 and 1", full, gone)
	}
}

// TestQueueRefused: options that make no sense are named.
func TestQueueRefused(t *testing.T) {
	for _, tt := range []struct {
		q    Queue
		want string
	}{
		{Queue{Len: -1}, "endpoint: a queue of -1 packets: want 0 (none) to 1048576"},
		{Queue{Len: 1, Full: 7}, "endpoint: Queue.Full is 7: want DropNewest, DropOldest or Wait"},
		{Queue{Len: 1, MaxWait: -1}, "endpoint: Queue.MaxWait is -1ns: want 0 (10ms) or more"},
	} {
		if _, err := New(newTape(0), Options{Queue: tt.q}); err == nil || err.Error() != tt.want {
			t.Errorf("%+v: error %v, want %s", tt.q, err, tt.want)
		}
	}
}
