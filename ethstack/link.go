package ethstack

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// LinkOptions configure a [Link]. The zero value is ready for use.
type LinkOptions struct {
	// Clock is the time to live by; nil means [SystemClock].
	Clock Clock
	// Logger is told of what a person should know, never of single packets;
	// nil: nobody.
	Logger *slog.Logger
	// NewReceiver makes the receiver of one queue. Nil drops whatever is not
	// ARP, with [DropNoReceiver].
	NewReceiver func(queue int) Receiver
	// OnState is told of the link's state: once when the link is made, and on
	// each change, on a goroutine of the device. It may call Close.
	OnState func(LinkState)
}

// stations are the interfaces on a link.
type stations struct {
	untagged *Interface // nil if there is none
	tagged   map[VLAN]*Interface
}

// all returns the interfaces in no order.
func (s *stations) all() []*Interface {
	list := slices.Collect(maps.Values(s.tagged))
	if s.untagged != nil {
		list = append(list, s.untagged)
	}
	return list
}

// with returns s with i, or nil, at v.
func (s *stations) with(v VLAN, i *Interface) *stations {
	n := &stations{untagged: s.untagged, tagged: maps.Clone(s.tagged)}
	switch {
	case v == VLAN{}:
		n.untagged = i
	case i == nil:
		delete(n.tagged, v)
	default:
		n.tagged[v] = i
	}
	return n
}

// at returns the interface at v, nil if there is none.
func (s *stations) at(v VLAN) *Interface {
	if v == (VLAN{}) {
		return s.untagged
	}
	return s.tagged[v]
}

// A Link owns a [Device]: its queues, the goroutines that read them, and the
// state of the link.
type Link struct {
	dev     Device
	clock   Clock
	logger  *slog.Logger
	options LinkOptions
	state   atomic.Uint32
	soft    sync.Pool // *offloader
	taggers sync.Pool // *tagger
	strays  counters  // of frames that no interface is there for

	stations atomic.Pointer[stations] // replaced under mu

	mu      sync.Mutex
	started bool
	closed  bool
	stop    chan struct{} // closed by Close
	over    chan struct{} // closed when nothing is read any more
	overOne sync.Once
	readers sync.WaitGroup
	reading atomic.Int32
	closing sync.Once
	err     error // of the device's Close
}

// NewLink makes a link of a device, which belongs to the link from here on.
// Nothing is read or sent before there is an interface and Start is called.
func NewLink(dev Device, o LinkOptions) (*Link, error) {
	if dev == nil {
		return nil, errors.New("ethstack: NewLink needs a device, not nil")
	}
	info := dev.Info()
	if info.MTU < 68 || info.MTU > 65535 {
		return nil, fmt.Errorf("ethstack: device %q has an MTU of %d: want 68 (RFC 791 §3.2) to 65535", info.Name, info.MTU)
	}
	if n := dev.Queues(); n < 1 {
		return nil, fmt.Errorf("ethstack: device %q has %d queues: want at least 1", info.Name, n)
	}
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	l := &Link{
		dev: dev, clock: o.Clock, logger: o.Logger, options: o,
		stop: make(chan struct{}), over: make(chan struct{}),
		soft:    sync.Pool{New: func() any { return new(offloader) }},
		taggers: sync.Pool{New: func() any { return new(tagger) }},
	}
	l.stations.Store(&stations{tagged: map[VLAN]*Interface{}})
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	dev.Notify(l.notify)
	return l, nil
}

// NewInterface puts a station on the link, one for each VLAN at most. It may
// come after Start.
func (l *Link) NewInterface(o Options) (*Interface, error) {
	v, err := o.VLAN.normal()
	if err != nil {
		return nil, err
	}
	o.VLAN = v
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrDisconnected
	}
	set := l.stations.Load()
	if set.at(v) != nil {
		return nil, fmt.Errorf("ethstack: the link has an interface for frames that are %v already: close that one first", v)
	}
	i, err := newInterface(l, o)
	if err != nil {
		return nil, err
	}
	l.stations.Store(set.with(v, i))
	if s := l.State(); s != LinkUp {
		i.linkChanged(s)
	}
	return i, nil
}

// remove takes an interface off the link.
func (l *Link) remove(i *Interface) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if set := l.stations.Load(); set.at(i.vlan) == i {
		l.stations.Store(set.with(i.vlan, nil))
	}
}

// Device returns the device the link was made of.
func (l *Link) Device() Device { return l.dev }

// Stats returns the counters of the frames that no interface is there for.
func (l *Link) Stats() Stats { return l.strays.snapshot() }

// State returns the state of the link.
func (l *Link) State() LinkState { return LinkState(l.state.Load()) }

// Start starts one reading goroutine for each queue; again it does nothing.
func (l *Link) Start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.started || l.closed {
		return
	}
	l.started = true
	l.reading.Store(int32(l.dev.Queues()))
	for q := range l.dev.Queues() {
		var rcv Receiver = noReceiver{}
		if l.options.NewReceiver != nil {
			rcv = l.options.NewReceiver(q)
		}
		l.readers.Go(func() {
			l.read(q, rcv)
			if l.reading.Add(-1) == 0 {
				l.end()
			}
		})
	}
}

// end tells Listen that nothing comes any more.
func (l *Link) end() { l.overOne.Do(func() { close(l.over) }) }

// Close closes the device, ends the readers and drops what is pending. It
// waits until nothing of the link runs any more; so it must not be called from
// a [Receiver], a [Pending] or OnEvent, nor with a lock held that these wait
// for. It may be called more than once, from any number of goroutines.
func (l *Link) Close() error {
	l.closing.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		close(l.stop)
		l.err = l.dev.Close()
		l.readers.Wait()
		l.end()
		for _, i := range l.stations.Load().all() {
			i.res.close()
		}
	})
	return l.err
}

// notify is told by the device of the link's state.
func (l *Link) notify(s LinkState) {
	was := LinkState(l.state.Swap(uint32(s)))
	if was != s {
		for _, i := range l.stations.Load().all() {
			i.linkChanged(s)
		}
		l.logger.Info("link state changed", "device", l.dev.Info().Name, "state", s, "was", was)
	}
	if l.options.OnState != nil {
		l.options.OnState(s)
	}
}

// linkChanged flushes the neighbors of a link that is down, because nobody
// knows who will be there when it comes up again, and announces our addresses
// when it does.
func (i *Interface) linkChanged(s LinkState) {
	r := i.res
	a := r.begin()
	if s == LinkUp {
		r.h.LinkUp(r.clock.Now(), a)
	} else {
		r.h.LinkDown(r.clock.Now(), a)
	}
	r.kick(a)
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
func (l *Link) read(queue int, rcv Receiver) {
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
		n, err := l.dev.Read(queue, frames)
		mtu := l.dev.Info().MTU
		for k := range frames[:n] {
			l.input(rcv, &frames[k], mtu, &sums)
		}
		sums.flush()
		if err == nil {
			retry = minRetry
			continue
		}
		if errors.Is(err, ErrDisconnected) {
			return
		}
		l.rxErrors().Add(1)
		if retry == maxRetry/2 {
			l.logger.Warn("device keeps failing", "device", l.dev.Info().Name, "err", err)
		}
		if !l.pause(retry) {
			return
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

// pause waits for d, or reports false because the link was closed.
func (l *Link) pause(d time.Duration) bool {
	over := make(chan struct{})
	t := l.clock.AfterFunc(d, func() { close(over) })
	defer t.Stop()
	select {
	case <-over:
		return true
	case <-l.stop:
		return false
	}
}

// noReceiver drops everything.
type noReceiver struct{}

func (noReceiver) Prepare(f *Frame)                              { f.Bufs = append(f.Bufs, make([]byte, 4096)) }
func (noReceiver) Deliver(*Interface, *Frame, Header) DropReason { return DropNoReceiver }
func (noReceiver) Release(*Frame)                                {}
