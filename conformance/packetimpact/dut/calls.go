package dut

import (
	"context"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

// Socket makes a socket.
func (s *Server) Socket(_ context.Context, req *posix.SocketRequest) (*posix.SocketResponse, error) {
	fd, e := s.open(int(req.GetDomain()), int(req.GetType()), int(req.GetProtocol()))
	ret, number := value(int(fd), e)
	return &posix.SocketResponse{Fd: ret, Errno_: number}, nil
}

func (s *Server) open(domain, typ, protocol int) (int32, errno.Errno) {
	const flags = linux.SOCK_NONBLOCK | linux.SOCK_CLOEXEC
	network, transport, e := protocolsOf(domain, typ&^flags, protocol)
	if e != errno.NOERRNO {
		return 0, e
	}
	queue := new(waiter.Queue)
	ep, err := s.stack.NewEndpoint(transport, network, queue)
	if err != nil {
		return 0, errnoOf(err)
	}
	sock := newSocket(ep, queue, network, transport)
	sock.nonblocking.Store(typ&linux.SOCK_NONBLOCK != 0)
	return s.add(sock), errno.NOERRNO
}

// Bind gives a socket an address of this host.
func (s *Server) Bind(_ context.Context, req *posix.BindRequest) (*posix.BindResponse, error) {
	a, err := parseSockaddr(req.GetAddr())
	if err != nil {
		return nil, err
	}
	ret, number := result(s.on(req.GetSockfd(), func(sock *socket) errno.Errno { return sock.bind(a) }))
	return &posix.BindResponse{Ret: ret, Errno_: number}, nil
}

// Listen makes a socket take connections.
func (s *Server) Listen(_ context.Context, req *posix.ListenRequest) (*posix.ListenResponse, error) {
	ret, number := result(s.on(req.GetSockfd(), func(sock *socket) errno.Errno {
		// Linux keeps one connection more than the backlog says.
		return errnoOf(sock.ep.Listen(max(0, int(req.GetBacklog())) + 1))
	}))
	return &posix.ListenResponse{Ret: ret, Errno_: number}, nil
}

// Accept takes a connection that came in.
func (s *Server) Accept(ctx context.Context, req *posix.AcceptRequest) (*posix.AcceptResponse, error) {
	var fd int32
	peer := noSockaddr()
	e := s.on(req.GetSockfd(), func(sock *socket) errno.Errno {
		accepted, from, e := sock.accept(ctx)
		if e == errno.NOERRNO {
			fd = s.add(accepted)
		}
		peer = sock.sockaddr(from)
		return e
	})
	ret, number := value(int(fd), e)
	return &posix.AcceptResponse{Fd: ret, Errno_: number, Addr: peer}, nil
}

// Connect connects a socket.
func (s *Server) Connect(ctx context.Context, req *posix.ConnectRequest) (*posix.ConnectResponse, error) {
	to, err := parseSockaddr(req.GetAddr())
	if err != nil {
		return nil, err
	}
	ret, number := result(s.on(req.GetSockfd(), func(sock *socket) errno.Errno { return sock.connect(ctx, to) }))
	return &posix.ConnectResponse{Ret: ret, Errno_: number}, nil
}

// GetSockName returns the address of a socket.
func (s *Server) GetSockName(_ context.Context, req *posix.GetSockNameRequest) (*posix.GetSockNameResponse, error) {
	name := noSockaddr()
	ret, number := result(s.on(req.GetSockfd(), func(sock *socket) errno.Errno {
		a, err := sock.ep.GetLocalAddress()
		name = sock.sockaddr(a)
		return errnoOf(err)
	}))
	return &posix.GetSockNameResponse{Ret: ret, Errno_: number, Addr: name}, nil
}

// Close closes a socket.
func (s *Server) Close(ctx context.Context, req *posix.CloseRequest) (*posix.CloseResponse, error) {
	e := errno.Errno(errno.EBADF)
	if sock := s.take(req.GetFd()); sock != nil {
		e = errno.NOERRNO
		sock.close(ctx)
	}
	ret, number := result(e)
	return &posix.CloseResponse{Ret: ret, Errno_: number}, nil
}

// Shutdown closes one direction of a socket, or both.
func (s *Server) Shutdown(_ context.Context, req *posix.ShutdownRequest) (*posix.ShutdownResponse, error) {
	ret, number := result(s.on(req.GetFd(), func(sock *socket) errno.Errno {
		switch req.GetHow() {
		case linux.SHUT_RD:
			return errnoOf(sock.ep.Shutdown(tcpip.ShutdownRead))
		case linux.SHUT_WR:
			return errnoOf(sock.ep.Shutdown(tcpip.ShutdownWrite))
		case linux.SHUT_RDWR:
			return errnoOf(sock.ep.Shutdown(tcpip.ShutdownRead | tcpip.ShutdownWrite))
		}
		return errno.EINVAL
	}))
	return &posix.ShutdownResponse{Ret: ret, Errno_: number}, nil
}

// SetNonblocking says whether calls on a socket wait.
func (s *Server) SetNonblocking(_ context.Context, req *posix.SetNonblockingRequest) (*posix.SetNonblockingResponse, error) {
	ret, number := result(s.on(req.GetFd(), func(sock *socket) errno.Errno {
		sock.nonblocking.Store(req.GetNonblocking())
		return errno.NOERRNO
	}))
	resp := &posix.SetNonblockingResponse{Ret: ret, Errno_: number}
	if ret != 0 {
		resp.Cmd = "F_GETFL" // the first of the two that set the flag
	}
	return resp, nil
}
