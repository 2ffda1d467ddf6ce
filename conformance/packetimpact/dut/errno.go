package dut

import (
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/syserr"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// errnoOf returns Linux's number of an error of netstack, 0 for nil.
func errnoOf(err tcpip.Error) errno.Errno {
	if err == nil {
		return errno.NOERRNO
	}
	return syserr.TranslateNetstackError(err).ToLinux()
}

// result returns what a call that has nothing to tell but its success returns,
// and its errno.
func result(e errno.Errno) (ret, number int32) {
	return value(0, e)
}

// value returns what a call that has a number to tell returns, and its errno.
func value(n int, e errno.Errno) (ret, number int32) {
	if e != errno.NOERRNO {
		return -1, int32(e)
	}
	return int32(n), 0
}
