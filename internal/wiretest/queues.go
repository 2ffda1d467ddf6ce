package wiretest

import (
	"bytes"
	"testing"

	"github.com/ethlink/ethlink/ethstack"
)

// QueuesOf returns the queues of a device that frames come in on. It calls send
// with the number of each, and once more for each queue among them. On a queue
// that is not among them a Read is left waiting. Frames with another Ethernet
// header than the first are somebody else's.
func QueuesOf(t testing.TB, d ethstack.Device, frames [][]byte, send func(frame int)) []int {
	t.Helper()
	came := make(chan int)
	more := make([]chan bool, d.Queues())
	for q := range more {
		more[q] = make(chan bool)
		go func() {
			memory := Memory(d, 1)
			for again := true; again; {
				if n, err := d.Read(q, memory); n != 1 || err != nil {
					return
				}
				if header := memory[0].Bufs[0][:ethstack.HeaderLen]; !bytes.Equal(header, frames[0][:ethstack.HeaderLen]) {
					continue
				}
				came <- q
				again = <-more[q]
			}
		}()
	}
	queues := make([]int, len(frames))
	last := map[int]int{}
	for i := range frames {
		send(i)
		queues[i] = <-came
		more[queues[i]] <- true
		last[queues[i]] = i
	}
	for q, i := range last {
		send(i)
		if got := <-came; got != q {
			t.Fatalf("frame %d came in on queue %d, and then on %d", i, q, got)
		}
		more[q] <- false
	}
	return queues
}

// OneQueue is a device of which one queue is used.
type OneQueue struct {
	ethstack.Device
	Queue int
}

// Queues returns 1.
func (d OneQueue) Queues() int { return 1 }

// Read reads from the queue that is used; of others there is only 0.
func (d OneQueue) Read(queue int, frames []ethstack.Frame) (int, error) {
	return d.Device.Read(d.Queue+queue, frames)
}
