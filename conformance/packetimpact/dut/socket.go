package dut

import (
	"context"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// A socket is an endpoint of netstack with what Linux keeps beside it.
type socket struct {
	ep        tcpip.Endpoint
	queue     *waiter.Queue
	network   tcpip.NetworkProtocolNumber
	transport tcpip.TransportProtocolNumber
	// closed is closed with the socket.
	closed chan struct{}

	nonblocking atomic.Bool
	// recvTimeout is SO_RCVTIMEO as a time.Duration; 0 is for ever.
	recvTimeout atomic.Int64
}

func newSocket(ep tcpip.Endpoint, queue *waiter.Queue, network tcpip.NetworkProtocolNumber, transport tcpip.TransportProtocolNumber) *socket {
	return &socket{ep: ep, queue: queue, network: network, transport: transport, closed: make(chan struct{})}
}

// A patience says how long a call may wait.
type patience struct {
	// none: the call does not wait.
	none bool
	// limit is when it gives up; 0 is never.
	limit time.Duration
}

// patience returns how long a call with these flags waits.
func (s *socket) patience(flags int, limit time.Duration) patience {
	return patience{none: flags&linux.MSG_DONTWAIT != 0 || s.nonblocking.Load(), limit: limit}
}

func (s *socket) timeout() time.Duration { return time.Duration(s.recvTimeout.Load()) }

func (s *socket) isTCP() bool { return s.transport == tcp.ProtocolNumber }

// untilDone calls try, again after each of the events, until it returns
// anything else than "would block".
func (s *socket) untilDone(ctx context.Context, p patience, events waiter.EventMask, try func() tcpip.Error) errno.Errno {
	err := try()
	if p.none || !wouldBlock(err) {
		return errnoOf(err)
	}
	entry, wake := waiter.NewChannelEntry(events)
	s.queue.EventRegister(&entry)
	defer s.queue.EventUnregister(&entry)
	timeout, stop := after(p.limit)
	defer stop()
	for {
		// What happened before the registration woke nobody: so try first.
		if err := try(); !wouldBlock(err) {
			return errnoOf(err)
		}
		select {
		case <-wake:
		case <-timeout:
			return errno.EAGAIN
		case <-s.closed:
			return errno.EBADF
		case <-ctx.Done():
			return errno.EINTR
		}
	}
}

func wouldBlock(err tcpip.Error) bool {
	_, is := err.(*tcpip.ErrWouldBlock)
	return is
}

// after returns a channel on which something comes when the time is over: never
// if it is 0.
func after(d time.Duration) (<-chan time.Time, func() bool) {
	if d == 0 {
		return nil, func() bool { return false }
	}
	t := time.NewTimer(d)
	return t.C, t.Stop
}

// bind translates one error by itself: where Linux finds no free port for a
// bind, it says that the address is in use.
func (s *socket) bind(a sockaddr) errno.Errno {
	if a.family != s.family() {
		return errFamily
	}
	err := s.ep.Bind(a.FullAddress)
	if _, none := err.(*tcpip.ErrNoPortAvailable); none {
		return errno.EADDRINUSE
	}
	return errnoOf(err)
}

// accept waits for a connection, and returns it with the address of its peer.
func (s *socket) accept(ctx context.Context) (*socket, tcpip.FullAddress, errno.Errno) {
	var ep tcpip.Endpoint
	var queue *waiter.Queue
	var from tcpip.FullAddress
	e := s.untilDone(ctx, s.patience(0, s.timeout()), waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp, func() (err tcpip.Error) {
		ep, queue, err = s.ep.Accept(&from)
		return err
	})
	if e != errno.NOERRNO {
		return nil, tcpip.FullAddress{}, e
	}
	return newSocket(ep, queue, s.network, s.transport), from, e
}

// connect waits for the result, unless the socket does not wait.
func (s *socket) connect(ctx context.Context, a sockaddr) errno.Errno {
	to, e := s.destination(a)
	if e != errno.NOERRNO {
		return e
	}
	entry, wake := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	s.queue.EventRegister(&entry)
	defer s.queue.EventUnregister(&entry)
	err := s.ep.Connect(to)
	switch err.(type) {
	case *tcpip.ErrConnectStarted, *tcpip.ErrAlreadyConnecting:
	default:
		return errnoOf(err)
	}
	if s.nonblocking.Load() {
		return errnoOf(err)
	}
	select {
	case <-wake:
		// Asked again, netstack tells how it ended.
		return errnoOf(s.ep.Connect(to))
	case <-s.closed:
		return errno.EBADF
	case <-ctx.Done():
		return errno.EINTR
	}
}

// close closes the endpoint. With SO_LINGER and a time, it waits for as long,
// or until the connection has ended.
func (s *socket) close(ctx context.Context) {
	entry, wake := waiter.NewChannelEntry(waiter.EventHUp | waiter.EventErr)
	s.queue.EventRegister(&entry)
	defer s.queue.EventUnregister(&entry)
	linger := s.ep.SocketOptions().GetLinger()
	close(s.closed)
	s.ep.Close()
	if !s.isTCP() || !linger.Enabled || linger.Timeout == 0 {
		return
	}
	timeout, stop := after(linger.Timeout)
	defer stop()
	select {
	case <-wake:
	case <-timeout:
	case <-ctx.Done():
	}
}
