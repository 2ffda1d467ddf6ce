package bench

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A load is what one end does in a test.
type load interface {
	// done returns how many units have arrived, or come back.
	done() uint64
	// end announces the end: connections may break from now on.
	end()
	// finish ends it, and returns what was found out. Of a ping-pong that is
	// about the round trips from a number on, and up to another.
	finish(from, to uint64) outcome
}

// An outcome is what an end has found out when its load has ended.
type outcome struct {
	// Problem makes the test fail: data that is not as it was sent, a
	// connection that broke.
	Problem string
	// Late counts datagrams that came after a later one, or twice.
	Late uint64
	// Lost counts round trips that did not end in time.
	Lost     uint64
	P50, P99 time.Duration
	// Digest is the SHA-256 of a payload.
	Digest []byte
}

// A crew is the goroutines of a load, and what they use.
type crew struct {
	units   atomic.Uint64
	late    atomic.Uint64
	ending  atomic.Bool
	stopped atomic.Bool
	wg      sync.WaitGroup

	mu      sync.Mutex
	closers []io.Closer
	problem error
}

// keep remembers what is to be closed at the end; then that is at once.
func (c *crew) keep(x io.Closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped.Load() {
		closeNow(x)
		return
	}
	c.closers = append(c.closers, x)
}

// start runs a function on a goroutine. An error of it is a problem, unless the
// end was announced.
func (c *crew) start(f func() error) {
	c.wg.Go(func() {
		if err := f(); err != nil && !c.ending.Load() {
			c.fail(err)
		}
	})
}

// fail keeps the first problem.
func (c *crew) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.problem == nil {
		c.problem = err
	}
}

func (c *crew) done() uint64 { return c.units.Load() }

func (c *crew) end() { c.ending.Store(true) }

// stop closes everything and waits for the goroutines.
func (c *crew) stop() (o outcome) {
	c.end()
	c.mu.Lock()
	c.stopped.Store(true)
	for _, x := range c.closers {
		closeNow(x)
	}
	c.mu.Unlock()
	return c.wait()
}

// wait waits for the goroutines.
func (c *crew) wait() (o outcome) {
	c.wg.Wait()
	if c.problem != nil {
		o.Problem = c.problem.Error()
	}
	o.Late = c.late.Load()
	return o
}

func (c *crew) finish(_, _ uint64) outcome { return c.stop() }

// closeNow closes something, and ends what waits for it.
func closeNow(x io.Closer) {
	if d, ok := x.(interface{ SetDeadline(time.Time) error }); ok {
		d.SetDeadline(time.Unix(1, 0))
	}
	x.Close()
}

// accept accepts so many connections and starts a function with each.
func (c *crew) accept(l net.Listener, flows int, serve func(net.Conn) error) {
	c.keep(l)
	c.start(func() error {
		for range flows {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			c.keep(conn)
			c.start(func() error { return serve(conn) })
		}
		return nil
	})
}

// errShort: a connection took or gave less than it should, without an error.
var errShort = errors.New("a connection moved less than it was asked to")
