// Package dut makes netstack a device under test of gVisor's packetimpact: a
// [Server] has the socket calls that the suite's test binaries make over gRPC,
// each on an endpoint of netstack.
//
// # Sockets without a kernel
//
// What Linux keeps in a file descriptor is in this package: the numbers, whether
// a call waits and for how long, what poll tells. The rest is netstack's own,
// and is called directly: there is nothing between the suite and netstack that
// could hide what netstack does. Errors are translated as gVisor's sentry
// translates them (pkg/syserr).
//
// A call that waits ends when it can be done, when its socket's time is over,
// when its socket is closed (EBADF), or when its client gives up (EINTR, which
// nobody sees).
//
// # Which options there are
//
// Those that the suite uses. Any other is ENOPROTOOPT, as Linux says it.
package dut
