package channel

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/fifo"
)

// Next waits for a frame that the stack sends, and returns a copy that belongs
// to the caller.
//
// Errors: [ethstack.ErrDisconnected] when the device was closed, or its link
// is gone, and nothing is left; the context's; and one for a device with
// offloads, whose frames are not whole without their metadata: use NextFrames.
func (d *Device) Next(ctx context.Context) ([]byte, error) {
	if d.o.Offloads != 0 {
		return nil, fmt.Errorf("channel: Next would lose the metadata of a device with offloads (%v): use NextFrames", d.o.Offloads)
	}
	var one [1]*packet
	if d.out.queue.Pop(ctx.Done(), one[:]) == 0 {
		return nil, waitError(ctx)
	}
	b := bytes.Clone(one[0].data)
	d.release(one[0])
	return b, nil
}

// NextFrames waits until the stack has sent at least one frame, then fills in
// frames from index 0 and returns how many. It is what Read is on the other
// side: the caller gives each frame's memory in Bufs, NextFrames sets Len and
// Offload, and a frame that does not fit its memory ([ethstack.DeviceInfo].MaxFrame
// is enough) is dropped, counted. It allocates nothing. Its errors are Next's
// first two.
func (d *Device) NextFrames(ctx context.Context, frames []ethstack.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	n := d.take(&d.out, ctx.Done(), frames)
	if n == 0 {
		return 0, waitError(ctx)
	}
	return n, nil
}

// waitError says why waiting came to nothing.
func waitError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ethstack.ErrDisconnected
}

// Inject hands the stack a frame, header included, that came from the other
// side. It copies the frame and never waits.
//
// Errors: [ethstack.ErrNoBufferSpace] if the stack has not read what was injected
// before, or the link is down: the same frame may be taken later;
// [ethstack.ErrMessageTooLong] and [ethstack.ErrDisconnected].
func (d *Device) Inject(frame []byte) error {
	return d.put(&d.in, &ethstack.Frame{Bufs: [][]byte{frame}}, d.linkState())
}

// InjectFrames hands frames to the stack, in order, with their metadata. It is
// what Write is on the other side: it never waits, returns how many were taken,
// and sets Err on the others. It allocates nothing.
func (d *Device) InjectFrames(frames []ethstack.Frame) (int, error) {
	return d.offer(&d.in, frames)
}

// InjectContext is Inject, but waits while the queue is full; then its error
// is the context's when that ends. A link that is down is an error at once.
func (d *Device) InjectContext(ctx context.Context, frame []byte) error {
	f := ethstack.Frame{Bufs: [][]byte{frame}}
	if err := d.check(&d.in, &f, d.linkState()); err != nil {
		return err
	}
	k := d.copy(&f)
	o := d.in.queue.PushWait(ctx.Done(), k)
	if o != fifo.Taken {
		d.release(k)
	}
	err := d.in.outcome(o)
	if o == fifo.Full {
		return ctx.Err()
	}
	return err
}

// SetLinkState changes the state of the link, which the stack is told of.
// While it is down, the device refuses frames in both directions; what waits in
// its queues can be taken. [ethstack.LinkGone] is for good: when the queues are
// empty, both sides get [ethstack.ErrDisconnected].
func (d *Device) SetLinkState(state ethstack.LinkState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.linkState() == ethstack.LinkGone {
		return
	}
	d.state.Store(uint32(state))
	d.notifier.Set(state)
	if state == ethstack.LinkGone {
		d.out.queue.Close()
		d.in.queue.Close()
	}
}
