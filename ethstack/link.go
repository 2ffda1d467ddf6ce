package ethstack

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
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

// A Link owns a [Device]: its queues, the goroutines that read them, and the
// state of the link.
type Link struct {
	clock   Clock
	logger  *slog.Logger
	options LinkOptions
	state   atomic.Uint32
	soft    sync.Pool // *Segmenter
	taggers sync.Pool // *tagger
	strays  counters  // of frames that no interface is there for

	// Both are replaced under mu.
	port     atomic.Pointer[port]
	stations atomic.Pointer[stations]

	mu       sync.Mutex // also makes changes of the state one at a time
	started  bool
	closed   bool
	replaced []*port // not closed yet
}

// NewLink makes a link of a device, which belongs to the link from here on.
// Nothing is read or sent before there is an interface and Start is called.
func NewLink(dev Device, o LinkOptions) (*Link, error) {
	if err := checkDevice(dev); err != nil {
		return nil, err
	}
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	l := &Link{
		clock: o.Clock, logger: o.Logger, options: o,
		soft:    sync.Pool{New: func() any { return new(Segmenter) }},
		taggers: sync.Pool{New: func() any { return new(tagger) }},
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	l.stations.Store(&stations{tagged: map[VLAN]*Interface{}})
	l.attach(dev)
	l.listen()
	return l, nil
}

func checkDevice(dev Device) error {
	if dev == nil {
		return errors.New("ethstack: a link needs a device, not nil")
	}
	info := dev.Info()
	if info.MTU < 68 || info.MTU > 65535 {
		return fmt.Errorf("ethstack: device %q has an MTU of %d: want 68 (RFC 791 §3.2) to 65535", info.Name, info.MTU)
	}
	if n := dev.Queues(); n < 1 {
		return fmt.Errorf("ethstack: device %q has %d queues: want at least 1", info.Name, n)
	}
	return nil
}

// attach makes dev the device. mu is held, or nobody else knows the link.
func (l *Link) attach(dev Device) {
	p := newPort(dev)
	l.port.Store(p)
	if l.started {
		p.start(l)
	}
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

// Device returns the device that the link has now.
func (l *Link) Device() Device { return l.port.Load().dev }

// Stats returns the counters of the frames that no interface is there for.
func (l *Link) Stats() Stats { return l.strays.snapshot() }

// State returns the state of the link.
func (l *Link) State() LinkState { return LinkState(l.state.Load()) }

// Start starts one reading goroutine for each queue; again it does nothing.
func (l *Link) Start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started && !l.closed {
		l.started = true
		l.port.Load().start(l)
	}
}

// Replace puts another device in the place of the present one, which it closes.
// Interfaces keep their hardware addresses, announce themselves anew, and see
// if their neighbors are still there; connections live on. What the new device
// cannot do, checksums and segmentation, is done in software.
//
// It waits until the readers of the old device have ended, so it must not be
// called from a [Receiver]. On an error the new device stays the caller's.
func (l *Link) Replace(dev Device) error {
	if err := checkDevice(dev); err != nil {
		return err
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return fmt.Errorf("ethstack: cannot replace the device: %w", ErrDisconnected)
	}
	old := l.port.Load()
	l.replaced = append(l.replaced, old)
	l.attach(dev)
	l.mu.Unlock()
	old.dev.Notify(nil)
	was := l.State()
	l.listen()
	// A link that comes up has no neighbors, and has announced itself.
	if was == LinkUp && l.State() == LinkUp {
		for _, i := range l.stations.Load().all() {
			i.reverify()
		}
	}
	// What it says on being closed is about a device that nobody has any more.
	_ = old.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.replaced = slices.DeleteFunc(l.replaced, func(p *port) bool { return p == old })
	return nil
}

// Close closes the device, ends the readers and drops what is pending. It
// waits until nothing of the link runs any more; so it must not be called from
// a [Receiver], a [Pending] or OnEvent, nor with a lock held that these wait
// for. It may be called more than once, from any number of goroutines.
func (l *Link) Close() error {
	l.mu.Lock()
	l.closed = true
	replaced := slices.Clone(l.replaced)
	l.mu.Unlock()
	err := l.port.Load().close()
	for _, p := range replaced {
		_ = p.close() // see Replace
	}
	for _, i := range l.stations.Load().all() {
		i.res.close()
	}
	return err
}

// listen has the device tell of the link's state.
func (l *Link) listen() {
	p := l.port.Load()
	p.dev.Notify(func(s LinkState) { l.notify(p, s) })
}

// notify is told by the device of a port of the link's state.
func (l *Link) notify(p *port, s LinkState) {
	was, ok := l.setState(p, s)
	if !ok {
		return
	}
	if was != s {
		l.logger.Info("link state changed", "device", p.dev.Info().Name, "state", s, "was", was)
	}
	if l.options.OnState != nil {
		l.options.OnState(s)
	}
}

// setState tells all interfaces of the link's state, unless the port's device
// has been replaced: what that says does not matter any more.
func (l *Link) setState(p *port, s LinkState) (was LinkState, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.port.Load() != p {
		return s, false
	}
	was = LinkState(l.state.Swap(uint32(s)))
	if was != s {
		for _, i := range l.stations.Load().all() {
			i.linkChanged(s)
		}
	}
	return was, true
}

// linkChanged tells the resolver of the link's state.
func (i *Interface) linkChanged(s LinkState) {
	i.change(func(u *usable) { u.link = s == LinkUp })
}

// SetEnabled stops ARP, as if the link were down, and restarts it. It may be
// called with locks held.
func (i *Interface) SetEnabled(on bool) {
	i.change(func(u *usable) { u.enabled = on })
}

// usable says what it takes for an interface to be of use.
type usable struct{ link, enabled bool }

// change flushes the neighbors of an interface that is of no use any more,
// because nobody knows who will be there when it is again, and announces our
// addresses when it is.
func (i *Interface) change(f func(*usable)) {
	r := i.res
	a := r.begin()
	was := r.usable
	f(&r.usable)
	now := r.usable == usable{link: true, enabled: true}
	switch before := was == (usable{link: true, enabled: true}); {
	case now && !before:
		r.h.LinkUp(r.clock.Now(), a)
	case before && !now:
		r.h.LinkDown(r.clock.Now(), a)
	}
	r.kick(a)
}

// reverify announces our addresses on what may be another segment, and probes
// the neighbors.
func (i *Interface) reverify() {
	r := i.res
	a := r.begin()
	r.h.Reverify(r.clock.Now(), a)
	r.kick(a)
}
