//go:build !linux

package fdbased

import (
	"errors"
	"os"
	"runtime"
)

var errOS = errors.New("fdbased: frames over a file descriptor need Linux, this is " + runtime.GOOS)

// New returns an error.
func New(_ *os.File, o Options) (*Device, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return nil, errOS
}

// OpenPacket returns an error.
func OpenPacket(_ string, o Options) (*Device, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return nil, errOS
}
