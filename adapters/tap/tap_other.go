//go:build !linux

package tap

import (
	"errors"
	"runtime"

	"github.com/ethlink/ethlink/ethstack"
)

var errOS = errors.New("tap: a TAP needs Linux, this is " + runtime.GOOS)

// Device does not exist here.
type Device struct{}

var _ ethstack.Device = (*Device)(nil)

// Open returns an error.
func Open(o Options) (*Device, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return nil, errOS
}

// Info returns nothing.
func (*Device) Info() ethstack.DeviceInfo { return ethstack.DeviceInfo{} }

// Queues returns 1.
func (*Device) Queues() int { return 1 }

// Read returns an error.
func (*Device) Read(int, []ethstack.Frame) (int, error) { return 0, ethstack.ErrDisconnected }

// Write returns an error.
func (*Device) Write(_ int, frames []ethstack.Frame) (int, error) {
	for i := range frames {
		frames[i].Err = ethstack.ErrDisconnected
	}
	return 0, ethstack.ErrDisconnected
}

// Notify tells that the link is gone.
func (*Device) Notify(f func(ethstack.LinkState)) {
	if f != nil {
		f(ethstack.LinkGone)
	}
}

// Close does nothing.
func (*Device) Close() error { return nil }

// Stats returns nothing.
func (*Device) Stats() Stats { return Stats{} }
