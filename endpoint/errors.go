package endpoint

import (
	"errors"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ethlink/ethlink/ethstack"
)

// tcpipError translates an error of the device: the one place where that is
// done.
//
// Netstack panics on errors for forwarded packets other than these three. What
// is none of the others is a packet dropped, as when there is no room.
func tcpipError(err error) tcpip.Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ethstack.ErrDisconnected):
		return &tcpip.ErrClosedForSend{}
	case errors.Is(err, ethstack.ErrMessageTooLong):
		return &tcpip.ErrMessageTooLong{}
	}
	return &tcpip.ErrNoBufferSpace{}
}
