package ethstack

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// A port is one device on a link, with the goroutines that read it.
type port struct {
	dev     Device
	stop    chan struct{} // closed by close
	over    chan struct{} // closed when nothing is read any more
	reading atomic.Int32
	readers sync.WaitGroup
	ending  sync.Once
	closing sync.Once
	err     error // of the device's Close
}

func newPort(dev Device) *port {
	return &port{dev: dev, stop: make(chan struct{}), over: make(chan struct{})}
}

// start starts one reading goroutine for each queue.
func (p *port) start(l *Link) {
	p.reading.Store(int32(p.dev.Queues()))
	for q := range p.dev.Queues() {
		var rcv Receiver = noReceiver{}
		if l.options.NewReceiver != nil {
			rcv = l.options.NewReceiver(q)
		}
		p.readers.Go(func() {
			p.read(l, q, rcv)
			if p.reading.Add(-1) == 0 {
				p.end()
			}
		})
	}
}

// end tells Listen that nothing comes any more.
func (p *port) end() { p.ending.Do(func() { close(p.over) }) }

// close closes the device and waits for the readers.
func (p *port) close() error {
	p.closing.Do(func() {
		close(p.stop)
		p.err = p.dev.Close()
		p.readers.Wait()
		p.end()
	})
	return p.err
}

// wait waits for the context's end, or until the device is gone and nobody has
// replaced it.
func (l *Link) wait(ctx context.Context) error {
	for {
		p := l.port.Load()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.over:
			if l.port.Load() == p {
				return ErrDisconnected
			}
		}
	}
}

const (
	// readBatch is how many frames are read at once. What a TAP or a socket
	// has waiting is rarely more, and each has up to 64 KiB of memory.
	readBatch = 8
	// A device whose Read fails is asked again after minRetry, and then after
	// twice as long each time up to maxRetry: an error that lasts must not
	// keep a CPU busy.
	minRetry = time.Millisecond
	maxRetry = 250 * time.Millisecond
)

// read is the loop of one queue. Nothing that comes in ends it, only the
// device's end.
func (p *port) read(l *Link, queue int, rcv Receiver) {
	frames := make([]Frame, readBatch)
	defer func() {
		for k := range frames {
			rcv.Release(&frames[k])
		}
	}()
	var sums batch
	retry := minRetry
	for {
		for k := range frames {
			if len(frames[k].Bufs) == 0 {
				rcv.Prepare(&frames[k])
			}
		}
		n, err := p.dev.Read(queue, frames)
		mtu := p.dev.Info().MTU
		for k := range frames[:n] {
			l.input(rcv, &frames[k], mtu, &sums)
		}
		rcv.Flush()
		sums.flush()
		if err == nil {
			retry = minRetry
			continue
		}
		if errors.Is(err, ErrDisconnected) {
			return
		}
		l.rxErrors().Add(1)
		if !pause(l.clock, retry, p.stop) {
			return
		}
		if retry < maxRetry && 2*retry >= maxRetry {
			l.logger.Warn("device keeps failing", "device", p.dev.Info().Name, "err", err)
		}
		retry = min(2*retry, maxRetry)
	}
}

// rxErrors is where errors of Read are counted: they are no interface's, but who
// has only one looks there.
func (l *Link) rxErrors() *atomic.Uint64 {
	if i := l.stations.Load().untagged; i != nil {
		return &i.stats.rxErrors
	}
	return &l.strays.rxErrors
}

// noReceiver drops everything.
type noReceiver struct{}

func (noReceiver) Prepare(f *Frame)                              { f.Bufs = append(f.Bufs, make([]byte, 4096)) }
func (noReceiver) Deliver(*Interface, *Frame, Header) DropReason { return DropNoReceiver }
func (noReceiver) Flush()                                        {}
func (noReceiver) Release(*Frame)                                {}
