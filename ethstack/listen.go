package ethstack

import (
	"context"
	"errors"
	"sync"
)

// listener is one call of Listen.
type listener struct {
	handlers Handlers
	// mu is held while a handler runs: Listen takes it to be sure that none
	// does any more.
	mu sync.RWMutex
}

// Listen reads the device and calls the handlers with what comes in, until
// the context ends, whose error it returns, or until Disconnect or the end of
// the device: [ErrDisconnected]. No handler runs any more when it returns.
// Handlers of one queue run one at a time; those of a device with several
// queues run side by side.
//
// One Listen may be under way at a time. Between two of them frames are still
// read: ARP is answered and everything else dropped, counted.
func (s *Stack) Listen(ctx context.Context, h Handlers) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l := &listener{handlers: h}
	if !s.listener.CompareAndSwap(nil, l) {
		return errors.New("ethstack: Listen is under way already: cancel its context first")
	}
	s.link.Start()
	err := s.link.wait(ctx)
	s.listener.Store(nil)
	l.mu.Lock() // a handler may still be running
	defer l.mu.Unlock()
	return err
}

// listenReceiver hands the frames of one queue to handlers, its own or those
// of the Listen that is under way.
type listenReceiver struct {
	s        *Stack
	handlers *Handlers
}

// Prepare gives a frame one buffer: handlers get packets in one piece.
func (r *listenReceiver) Prepare(f *Frame) {
	f.Bufs = append(f.Bufs, make([]byte, MaxSuperFrame))
}

// Deliver calls a handler.
func (r *listenReceiver) Deliver(_ *Interface, f *Frame, h Header) DropReason {
	if r.handlers != nil {
		return r.handlers.call(f, h)
	}
	l := r.s.listener.Load()
	if l == nil {
		return DropNoReceiver
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if r.s.listener.Load() != l {
		return DropNoReceiver
	}
	return l.handlers.call(f, h)
}

// Release has nothing to give back.
func (r *listenReceiver) Release(*Frame) {}

// Flush has nothing to do: nothing is held back.
func (r *listenReceiver) Flush() {}

// call hands the payload of a frame, which lies in one piece, to its handler.
func (hs *Handlers) call(f *Frame, h Header) DropReason {
	if f.Offload.Flags&NeedsChecksum != 0 {
		// A handler knows nothing of metadata.
		completeChecksum(f)
	}
	packet := f.Bufs[0][h.Len:f.Len]
	switch {
	case h.EtherType == EtherTypeIPv4 && hs.IPv4 != nil:
		hs.IPv4(packet)
	case h.EtherType == EtherTypeIPv6 && hs.IPv6 != nil:
		hs.IPv6(packet)
	case h.EtherType != EtherTypeIPv4 && h.EtherType != EtherTypeIPv6 && hs.Other != nil:
		hs.Other(h, packet)
	default:
		return DropNoReceiver
	}
	return DropNone
}
