package dut

import (
	"bytes"
	"context"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

// maxRecv is the most that one call receives, whatever it asks for: that much
// memory is made for it. No datagram is longer.
const maxRecv = 1 << 20

// Send sends to where a socket is connected.
func (s *Server) Send(ctx context.Context, req *posix.SendRequest) (*posix.SendResponse, error) {
	ret, number := s.send(ctx, req.GetSockfd(), req.GetBuf(), int(req.GetFlags()), nil)
	return &posix.SendResponse{Ret: ret, Errno_: number}, nil
}

// SendTo sends a datagram to an address.
func (s *Server) SendTo(ctx context.Context, req *posix.SendToRequest) (*posix.SendToResponse, error) {
	to, err := parseSockaddr(req.GetDestAddr())
	if err != nil {
		return nil, err
	}
	ret, number := s.send(ctx, req.GetSockfd(), req.GetBuf(), int(req.GetFlags()), &to)
	return &posix.SendToResponse{Ret: ret, Errno_: number}, nil
}

func (s *Server) send(ctx context.Context, fd int32, b []byte, flags int, to *sockaddr) (ret, number int32) {
	var n int
	e := s.on(fd, func(sock *socket) (e errno.Errno) {
		if flags&^linux.MSG_DONTWAIT != 0 {
			return errno.EOPNOTSUPP
		}
		n, e = sock.send(ctx, b, flags, to)
		return e
	})
	return value(n, e)
}

// send returns how much was sent. That something was is success, whatever
// became of the rest.
func (s *socket) send(ctx context.Context, b []byte, flags int, to *sockaddr) (int, errno.Errno) {
	var o tcpip.WriteOptions
	if to != nil {
		a, e := s.destination(*to)
		if e != errno.NOERRNO {
			return 0, e
		}
		o.To = &a
	}
	rest := bytes.NewReader(b)
	e := s.untilDone(ctx, s.patience(flags, 0), waiter.WritableEvents|waiter.EventErr|waiter.EventHUp, func() tcpip.Error {
		_, err := s.ep.Write(rest, o)
		if err == nil && rest.Len() > 0 {
			// TCP takes what there is room for.
			err = &tcpip.ErrWouldBlock{}
		}
		return err
	})
	n := len(b) - rest.Len()
	if s.isTCP() && n > 0 {
		return n, errno.NOERRNO
	}
	return n, e
}

// Recv receives. At the end of a stream it returns 0, since netstack's error for
// that has no errno.
func (s *Server) Recv(ctx context.Context, req *posix.RecvRequest) (*posix.RecvResponse, error) {
	var b []byte
	e := s.on(req.GetSockfd(), func(sock *socket) (e errno.Errno) {
		switch {
		case req.GetFlags()&^linux.MSG_DONTWAIT != 0:
			return errno.EOPNOTSUPP
		case req.GetLen() < 0:
			return errno.EINVAL
		}
		b, e = sock.recv(ctx, int(req.GetLen()), int(req.GetFlags()))
		return e
	})
	ret, number := value(len(b), e)
	return &posix.RecvResponse{Ret: ret, Errno_: number, Buf: b}, nil
}

func (s *socket) recv(ctx context.Context, size, flags int) ([]byte, errno.Errno) {
	memory := make([]byte, min(size, maxRecv))
	n := 0
	e := s.untilDone(ctx, s.patience(flags, s.timeout()), waiter.ReadableEvents|waiter.EventRdHUp|waiter.EventErr|waiter.EventHUp, func() tcpip.Error {
		w := tcpip.SliceWriter(memory)
		r, err := s.ep.Read(&w, tcpip.ReadOptions{})
		n = r.Count
		if _, none := err.(*tcpip.ErrBadBuffer); none {
			return nil // there is something, and nothing of it was asked for
		}
		return err
	})
	if e != errno.NOERRNO {
		return nil, e
	}
	// As the sentry does: TCP tunes its receive buffer by how fast it is read.
	s.ep.ModerateRecvBuf(n)
	return memory[:n], errno.NOERRNO
}
