package endpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/ethlink/ethlink/ethstack"
)

// trunk is what the endpoints on one device share: the link, and who is on it.
type trunk struct {
	link   *ethstack.Link
	logger *slog.Logger
	main   *Endpoint // of untagged frames; closing it closes the link

	mu    sync.Mutex // guards changes of vlans
	vlans atomic.Pointer[map[*ethstack.Interface]*Endpoint]
}

func newTrunk(dev ethstack.Device, o Options) (*trunk, error) {
	t := &trunk{logger: o.Logger}
	if t.logger == nil {
		t.logger = slog.New(slog.DiscardHandler)
	}
	t.vlans.Store(new(map[*ethstack.Interface]*Endpoint))
	var err error
	t.link, err = ethstack.NewLink(dev, ethstack.LinkOptions{
		Clock:       o.Clock,
		Logger:      o.Logger,
		OnState:     o.OnLinkState,
		NewReceiver: func(int) ethstack.Receiver { return &receiver{trunk: t} },
	})
	return t, err
}

// newEndpoint makes the endpoint of a VLAN.
func (t *trunk) newEndpoint(v ethstack.VLAN, o Options) (*Endpoint, error) {
	if err := o.Queue.check(); err != nil {
		return nil, err
	}
	e := &Endpoint{trunk: t, link: t.link, logger: t.logger, gsoMax: gsoMaxIP, open: o.OpenFilter, join: !o.NoJoin, closed: make(chan struct{})}
	e.txs.New = func() any { return new(batch) }
	e.waits.New = func() any { return new(pending) }
	var err error
	e.i, err = t.link.NewInterface(ethstack.Options{
		HardwareAddr: o.HardwareAddr,
		VLAN:         v,
		ARP:          o.ARP,
		Host:         host{e},
		Neighbors:    o.Neighbors,
		ProxyARP:     o.ProxyARP,
		OpenFilter:   o.OpenFilter,
		OnEvent:      o.OnEvent,
		OnARP:        e.showARP,
	})
	if err != nil {
		return nil, err
	}
	e.own.Store(newIdentity(e.i.HardwareAddr(), nil))
	if o.Queue.Len > 0 {
		e.queue = newTxQueue(e, o.Queue, o.Clock)
	}
	return e, nil
}

// endpoint returns whose a frame of an interface is; nil if it was closed.
func (t *trunk) endpoint(i *ethstack.Interface) *Endpoint {
	if i == t.main.i {
		return t.main
	}
	return (*t.vlans.Load())[i]
}

// close takes an endpoint off the trunk. With the main one everything ends.
func (t *trunk) close(e *Endpoint) {
	e.queue.close()
	if e == t.main {
		if err := t.link.Close(); err != nil {
			t.logger.Warn("closing the device failed", "device", t.link.Device().Info().Name, "err", err)
		}
		return
	}
	e.i.Close()
	t.change(func(m map[*ethstack.Interface]*Endpoint) { delete(m, e.i) })
}

func (t *trunk) change(f func(map[*ethstack.Interface]*Endpoint)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := maps.Clone(*t.vlans.Load())
	if m == nil {
		m = make(map[*ethstack.Interface]*Endpoint)
	}
	f(m)
	t.vlans.Store(&m)
}

// VLAN makes a further endpoint on the device, for the frames of one VLAN, with
// its own hardware address (the device's, unless o has one), ARP and counters.
// It is a link endpoint like any other, for a NIC of this or another stack; what
// it sends is segmented in software. Clock, Logger and OnLinkState are those of
// the endpoint that was made by [New]; when that is closed the device is, and
// this one is of no use any more. An endpoint that is for the frames of a VLAN
// makes others just the same: they are all on one device. Closing one does not
// wait for a delivery that is under way, since the device's reader goes on.
//
// The error tells of a VLAN that does not exist, or that has its endpoint.
func (e *Endpoint) VLAN(v ethstack.VLAN, o Options) (*Endpoint, error) {
	if v == (ethstack.VLAN{}) {
		return nil, errors.New("endpoint: a VLAN needs at least one tag, such as ethstack.VLAN{{ID: 5}}")
	}
	sub, err := e.trunk.newEndpoint(v, o)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	e.trunk.change(func(m map[*ethstack.Interface]*Endpoint) { m[sub.i] = sub })
	return sub, nil
}

// Replace puts another device in the place of the present one, for all
// endpoints on it; see [ethstack.Link.Replace].
func (e *Endpoint) Replace(dev ethstack.Device) error {
	if err := e.link.Replace(dev); err != nil {
		return fmt.Errorf("endpoint: %w", err)
	}
	return nil
}

// Status returns the state of the device's link; Options.OnLinkState is told of
// its changes.
func (e *Endpoint) Status() ethstack.LinkState { return e.link.State() }
