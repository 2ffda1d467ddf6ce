package dut

import (
	"context"
	"time"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

// Poll waits until one of the sockets has one of the events, or the time is
// over. Errors and hang-ups are told of whether they were asked for or not.
func (s *Server) Poll(ctx context.Context, req *posix.PollRequest) (*posix.PollResponse, error) {
	wake := make(waiter.ChannelNotifier, 1)
	for _, p := range req.GetPfds() {
		if sock := s.socket(p.GetFd()); sock != nil {
			var entry waiter.Entry
			// Any event wakes it, since netstack does not tell of all: the end of
			// a stream is EventIn there, and wakes nobody who waits for RDHUP.
			entry.Init(wake, waiter.AllEvents)
			sock.queue.EventRegister(&entry)
			defer sock.queue.EventUnregister(&entry)
		}
	}
	timeout, stop := pollTimer(req.GetTimeoutMillis())
	defer stop()
	for {
		if ready := s.ready(req.GetPfds()); len(ready) > 0 {
			return &posix.PollResponse{Ret: int32(len(ready)), Pfds: ready}, nil
		}
		select {
		case <-wake:
		case <-timeout:
			return &posix.PollResponse{}, nil
		case <-ctx.Done():
			return &posix.PollResponse{Ret: -1, Errno_: errno.EINTR}, nil
		}
	}
}

// ready returns those that have events, with these.
func (s *Server) ready(asked []*posix.PollFd) (list []*posix.PollFd) {
	for _, p := range asked {
		events := uint32(linux.POLLNVAL)
		if sock := s.socket(p.GetFd()); sock != nil {
			events = (sock.ep.Readiness(interest(p)) & interest(p)).ToLinux()
		}
		if events != 0 {
			list = append(list, &posix.PollFd{Fd: p.GetFd(), Events: events})
		}
	}
	return list
}

func interest(p *posix.PollFd) waiter.EventMask {
	return waiter.EventMaskFromLinux(p.GetEvents()) | waiter.EventErr | waiter.EventHUp
}

// pollTimer returns poll's timeout: at once for 0, never if it is negative.
func pollTimer(millis int32) (<-chan time.Time, func() bool) {
	switch {
	case millis < 0:
		return after(0)
	case millis == 0:
		return after(1)
	}
	return after(time.Duration(millis) * time.Millisecond)
}
