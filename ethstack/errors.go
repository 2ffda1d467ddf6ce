package ethstack

import (
	"errors"
	"fmt"
)

// ErrUnreachable: nobody answered the ARP requests for an address.
var ErrUnreachable = errors.New("ethstack: no answer to ARP requests")

// UnknownError is an error of the device that is none of this package's: it
// carries over Unknown of the MirageOS interface and keeps the cause. Whether
// to retry is the cause's to say.
type UnknownError struct {
	// Op is what was being done.
	Op string
	// Err is what the device said.
	Err error
}

func (e *UnknownError) Error() string { return fmt.Sprintf("ethstack: %s: %v", e.Op, e.Err) }

// Unwrap returns the device's error.
func (e *UnknownError) Unwrap() error { return e.Err }

// wrapError maps a device's error to this package's errors: the one place
// where that is done.
func wrapError(op string, err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{
		ErrDisconnected, ErrUnimplemented, ErrNoBufferSpace, ErrMessageTooLong, ErrUnsupportedOffload, ErrUnreachable,
	} {
		if errors.Is(err, known) {
			return fmt.Errorf("ethstack: %s: %w", op, err)
		}
	}
	return &UnknownError{Op: op, Err: err}
}
