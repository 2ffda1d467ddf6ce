package dut

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// Waits reports whether a call on a socket waits.
func (s *Server) Waits(fd int32) bool {
	sock := s.socket(fd)
	return sock != nil && !sock.queue.IsEmpty()
}

// Endpoint returns netstack's part of a socket.
func (s *Server) Endpoint(fd int32) tcpip.Endpoint { return s.socket(fd).ep }

// Linger2 returns what TCP_LINGER2 has set.
func (s *Server) Linger2(fd int32) time.Duration {
	var o tcpip.TCPLingerTimeoutOption
	s.Endpoint(fd).GetSockOpt(&o)
	return time.Duration(o)
}

// UserTimeout returns what TCP_USER_TIMEOUT has set.
func (s *Server) UserTimeout(fd int32) time.Duration {
	var o tcpip.TCPUserTimeoutOption
	s.Endpoint(fd).GetSockOpt(&o)
	return time.Duration(o)
}
