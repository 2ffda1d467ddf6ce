package dut

import (
	"sync"

	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

// A Server makes the socket calls of packetimpact on one stack. Its methods may
// be called from any goroutine at any time.
type Server struct {
	posix.UnsafePosixServer // so that a call that is missing does not compile

	stack *stack.Stack

	mu sync.Mutex
	// The fields below are guarded by mu.
	sockets map[int32]*socket
	last    int32
}

var _ posix.PosixServer = (*Server)(nil)

// NewServer makes a server without a socket. The stack stays the caller's.
func NewServer(s *stack.Stack) *Server {
	return &Server{stack: s, sockets: map[int32]*socket{}, last: 2} // 0 to 2 are the standard files
}

// Abort closes all sockets: connections are reset, calls that wait end.
func (s *Server) Abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for fd, sock := range s.sockets {
		delete(s.sockets, fd)
		close(sock.closed)
		sock.ep.Abort()
	}
}

// add gives a socket its number. Numbers are not used again, so that a test that
// uses a closed one fails instead of finding another's socket.
func (s *Server) add(sock *socket) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.sockets[s.last] = sock
	return s.last
}

// socket returns the socket of a number, or nil.
func (s *Server) socket(fd int32) *socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sockets[fd]
}

// take removes a socket from the table and returns it, or nil.
func (s *Server) take(fd int32) *socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	sock := s.sockets[fd]
	delete(s.sockets, fd)
	return sock
}

// on calls f with the socket of a number, or returns EBADF.
func (s *Server) on(fd int32, f func(*socket) errno.Errno) errno.Errno {
	sock := s.socket(fd)
	if sock == nil {
		return errno.EBADF
	}
	return f(sock)
}
