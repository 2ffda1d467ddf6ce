package dut

import (
	"context"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

// An optionName names an option of a socket.
type optionName struct{ level, name int32 }

// options are those that there are: those that the suite uses.
var options = map[optionName]option{
	{linux.SOL_SOCKET, linux.SO_BINDTODEVICE}: {set: setBindToDevice},
	{linux.SOL_SOCKET, linux.SO_BROADCAST}:    {set: setBroadcast},
	{linux.SOL_SOCKET, linux.SO_ERROR}:        {get: getError},
	{linux.SOL_SOCKET, linux.SO_LINGER}:       {set: setLinger},
	{linux.SOL_SOCKET, linux.SO_RCVBUF}:       {set: setReceiveBuffer, get: getReceiveBuffer},
	{linux.SOL_SOCKET, linux.SO_RCVTIMEO}:     {set: setReceiveTimeout, get: getReceiveTimeout},
	{linux.SOL_IP, linux.IP_MTU_DISCOVER}:     {set: setMTUDiscover},
	{linux.SOL_TCP, linux.TCP_CORK}:           {set: setCork, onlyTCP: true},
	{linux.SOL_TCP, linux.TCP_INFO}:           {get: getTCPInfo, onlyTCP: true},
	{linux.SOL_TCP, linux.TCP_LINGER2}:        {set: setLinger2, onlyTCP: true},
	{linux.SOL_TCP, linux.TCP_NODELAY}:        {set: setNoDelay, onlyTCP: true},
	{linux.SOL_TCP, linux.TCP_USER_TIMEOUT}:   {set: setUserTimeout, onlyTCP: true},
}

// An option says how an option is set and got, in the memory of setsockopt(2)
// and getsockopt(2). A nil function: it cannot be.
type option struct {
	onlyTCP bool
	set     func(*Server, *socket, optionValue) errno.Errno
	get     func(*socket) (optionValue, errno.Errno)
}

// optionOf returns an option of the socket; if there is none, one that can be
// neither set nor got.
func (s *socket) optionOf(level, name int32) option {
	o := options[optionName{level, name}]
	if o.onlyTCP && !s.isTCP() {
		return option{}
	}
	return o
}

// SetSockOpt sets an option of a socket.
func (s *Server) SetSockOpt(_ context.Context, req *posix.SetSockOptRequest) (*posix.SetSockOptResponse, error) {
	v, err := parseOptionValue(req.GetOptval())
	if err != nil {
		return nil, err
	}
	ret, number := result(s.on(req.GetSockfd(), func(sock *socket) errno.Errno {
		o := sock.optionOf(req.GetLevel(), req.GetOptname())
		if o.set == nil {
			return errno.ENOPROTOOPT
		}
		return o.set(s, sock, v)
	}))
	return &posix.SetSockOptResponse{Ret: ret, Errno_: number}, nil
}

// GetSockOpt gets an option of a socket.
func (s *Server) GetSockOpt(_ context.Context, req *posix.GetSockOptRequest) (*posix.GetSockOptResponse, error) {
	var v optionValue
	e := s.on(req.GetSockfd(), func(sock *socket) (e errno.Errno) {
		o := sock.optionOf(req.GetLevel(), req.GetOptname())
		switch {
		case o.get == nil:
			return errno.ENOPROTOOPT
		case req.GetOptlen() < 0:
			return errno.EINVAL
		}
		v, e = o.get(sock)
		return e
	})
	wire, err := v.wire(req.GetType(), int(req.GetOptlen()))
	if err != nil {
		return nil, err
	}
	ret, number := result(e)
	return &posix.GetSockOptResponse{Ret: ret, Errno_: number, Optval: wire}, nil
}
