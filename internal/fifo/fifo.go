// Package fifo is a bounded first-in first-out queue, between those who have
// frames and those who wait for them.
package fifo

import "sync"

// A Queue holds up to a fixed number of items. Its methods may be called from
// any number of goroutines. None of them allocates.
type Queue[T any] struct {
	// filled and emptied have a token while there may be something to take, or
	// room, for one who waits. Whoever takes a token and leaves something puts
	// it back.
	filled, emptied chan struct{}
	over            chan struct{} // closed by Close

	// mu guards what follows.
	mu     sync.Mutex
	ring   []T
	first  int
	n      int
	closed bool
}

// New makes a queue for size items, at least one.
func New[T any](size int) *Queue[T] {
	return &Queue[T]{
		ring:   make([]T, size),
		filled: make(chan struct{}, 1), emptied: make(chan struct{}, 1), over: make(chan struct{}),
	}
}

// Outcome is what became of an item that was to be put into a [Queue].
type Outcome uint8

const (
	// Taken: it is in the queue.
	Taken Outcome = iota
	// Full: there was no room.
	Full
	// Closed: the queue takes no more.
	Closed
)

// Push puts one item at the end, if there is room.
func (q *Queue[T]) Push(x T) Outcome {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return Closed
	case q.n == len(q.ring):
		q.mu.Unlock()
		return Full
	}
	q.ring[(q.first+q.n)%len(q.ring)] = x
	q.n++
	room := q.n < len(q.ring)
	q.mu.Unlock()
	signal(q.filled)
	if room {
		signal(q.emptied)
	}
	return Taken
}

// PushOut puts one item at the end, if need be in the room of the first, which
// it returns; otherwise out is T's zero value.
func (q *Queue[T]) PushOut(x T) (out T, o Outcome) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return out, Closed
	}
	if q.n == len(q.ring) {
		out = q.ring[q.first]
		q.first = (q.first + 1) % len(q.ring)
		q.n--
	}
	q.ring[(q.first+q.n)%len(q.ring)] = x
	q.n++
	signal(q.filled)
	return out, Taken
}

// PushWait puts one item at the end and waits for room, until done is closed:
// then the result is Full.
func (q *Queue[T]) PushWait(done <-chan struct{}, x T) Outcome {
	for {
		if o := q.Push(x); o != Full {
			return o
		}
		select {
		case <-q.emptied:
		case <-q.over:
		case <-done:
			return Full
		}
	}
}

// Pop takes the oldest items, as many as there are and fit dst, which must not
// be empty, and returns how many. It waits for the first until done is closed,
// or until the queue is closed and empty: then the result is 0.
func (q *Queue[T]) Pop(done <-chan struct{}, dst []T) int {
	for {
		n, closed := q.take(dst)
		if n > 0 || closed {
			return n
		}
		select {
		case <-q.filled:
		case <-q.over:
		case <-done:
			return 0
		}
	}
}

func (q *Queue[T]) take(dst []T) (n int, closed bool) {
	q.mu.Lock()
	var none T
	for n < len(dst) && q.n > 0 {
		dst[n] = q.ring[q.first]
		q.ring[q.first] = none
		q.first = (q.first + 1) % len(q.ring)
		q.n--
		n++
	}
	left := q.n > 0
	closed = q.closed
	q.mu.Unlock()
	if left {
		signal(q.filled)
	}
	if n > 0 {
		signal(q.emptied)
	}
	return n, closed
}

// signal puts a token into c, unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Len returns how many items there are.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

// Close ends the queue: nothing more is taken, and all who wait are woken. What
// is in it can still be popped. Again it does nothing.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.over)
	}
}
