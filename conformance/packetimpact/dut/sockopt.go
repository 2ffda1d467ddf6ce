package dut

import (
	"bytes"
	"math"
	"time"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// setBindToDevice takes the name of an interface; an empty one unbinds.
func setBindToDevice(s *Server, sock *socket, v optionValue) errno.Errno {
	name, _, _ := bytes.Cut(v, []byte{0})
	if len(name) == 0 {
		return errnoOf(sock.ep.SocketOptions().SetBindToDevice(0))
	}
	for id, info := range s.stack.NICInfo() {
		if info.Name == string(name) {
			return errnoOf(sock.ep.SocketOptions().SetBindToDevice(int32(id)))
		}
	}
	return errno.ENODEV
}

func setBroadcast(_ *Server, sock *socket, v optionValue) errno.Errno {
	n, ok := v.integer()
	if !ok {
		return errno.EINVAL
	}
	sock.ep.SocketOptions().SetBroadcast(n != 0)
	return errno.NOERRNO
}

// getError takes the error, too: it is told once.
func getError(sock *socket) (optionValue, errno.Errno) {
	return intValue(int32(errnoOf(sock.ep.LastError()))), errno.NOERRNO
}

// setLinger takes struct linger: whether, and how many seconds.
func setLinger(_ *Server, sock *socket, v optionValue) errno.Errno {
	if len(v) < 2*intLen {
		return errno.EINVAL
	}
	on, _ := v.integer()
	seconds, _ := v[intLen:].integer()
	sock.ep.SocketOptions().SetLinger(tcpip.LingerOption{
		Enabled: on != 0, Timeout: time.Duration(uint32(seconds)) * time.Second,
	})
	return errno.NOERRNO
}

// setReceiveBuffer keeps to the limits and doubles the size, as Linux does:
// half of the buffer is for what it costs to keep packets (socket(7)).
func setReceiveBuffer(_ *Server, sock *socket, v optionValue) errno.Errno {
	n, ok := v.integer()
	if !ok {
		return errno.EINVAL
	}
	o := sock.ep.SocketOptions()
	least, most := o.ReceiveBufferLimits()
	o.SetReceiveBufferSize(max(least, 2*min(int64(n), most)), true)
	return errno.NOERRNO
}

func getReceiveBuffer(sock *socket) (optionValue, errno.Errno) {
	return intValue(int32(min(math.MaxInt32, sock.ep.SocketOptions().GetReceiveBufferSize()))), errno.NOERRNO
}

func setReceiveTimeout(_ *Server, sock *socket, v optionValue) errno.Errno {
	d, ok := v.duration()
	switch {
	case len(v) < timevalLen:
		return errno.EINVAL
	case !ok:
		return errno.EDOM
	}
	sock.recvTimeout.Store(int64(d))
	return errno.NOERRNO
}

func getReceiveTimeout(sock *socket) (optionValue, errno.Errno) {
	d := sock.timeout()
	return timeval(int64(d/time.Second), int64(d%time.Second/time.Microsecond)), errno.NOERRNO
}

// setMTUDiscover translates Linux's values, since netstack counts otherwise.
func setMTUDiscover(_ *Server, sock *socket, v optionValue) errno.Errno {
	n, ok := v.integer()
	if !ok {
		return errno.EINVAL
	}
	strategies := map[int]tcpip.PMTUDStrategy{
		linux.IP_PMTUDISC_DONT:  tcpip.PMTUDiscoveryDont,
		linux.IP_PMTUDISC_WANT:  tcpip.PMTUDiscoveryWant,
		linux.IP_PMTUDISC_DO:    tcpip.PMTUDiscoveryDo,
		linux.IP_PMTUDISC_PROBE: tcpip.PMTUDiscoveryProbe,
	}
	strategy, ok := strategies[n]
	if !ok {
		return errno.EINVAL
	}
	return errnoOf(sock.ep.SetSockOptInt(tcpip.MTUDiscoverOption, int(strategy)))
}
