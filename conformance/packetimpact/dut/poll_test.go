package dut_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"gvisor.dev/gvisor/pkg/abi/linux"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

func TestPoll(t *testing.T) {
	b := newBench(t)
	fd, c := b.connected()
	const in, out = linux.POLLIN, linux.POLLOUT
	if got := b.poll(fd, in, 0); got != 0 {
		t.Errorf("events %#x of a socket with nothing to read, want none", got)
	}
	if got := b.poll(fd, in|out, 0); got != out {
		t.Errorf("events %#x, want POLLOUT", got)
	}
	const timeout = 30 * time.Millisecond
	start := time.Now()
	if got := b.poll(fd, in, timeout); got != 0 || time.Since(start) < timeout {
		t.Errorf("events %#x after %v, want none after %v", got, time.Since(start), timeout)
	}
	go func() {
		b.waitUntil("poll waits", func() bool { return b.server.Waits(fd) })
		c.Write([]byte("x"))
	}()
	if got := b.poll(fd, in, patience); got != in {
		t.Errorf("events %#x, want POLLIN", got)
	}
	b.wantRecv(fd, "x")
	go func() {
		b.waitUntil("poll waits", func() bool { return b.server.Waits(fd) })
		c.CloseWrite()
	}()
	if got := b.poll(fd, linux.POLLRDHUP, patience); got != linux.POLLRDHUP {
		t.Errorf("events %#x, want POLLRDHUP", got)
	}
}

// TestPollForEver: a negative timeout is none.
func TestPollForEver(t *testing.T) {
	b := newBench(t)
	listening, at := b.listen(dut4.Addr())
	go func() {
		b.waitUntil("poll waits", func() bool { return b.server.Waits(listening) })
		if c, err := b.peer.Dial(b.ctx(), at); err == nil {
			b.t.Cleanup(func() { c.Close() })
		}
	}()
	if got := b.poll(listening, linux.POLLIN, -time.Millisecond); got != linux.POLLIN {
		t.Errorf("events %#x of a socket with a connection to accept, want POLLIN", got)
	}
}

// TestPollSeveral: the answer has those with events only.
func TestPollSeveral(t *testing.T) {
	b := newBench(t)
	idle, ready := b.udp(), b.udp()
	r, err := b.client.Poll(b.ctx(), &posix.PollRequest{TimeoutMillis: -1, Pfds: []*posix.PollFd{
		{Fd: idle, Events: linux.POLLIN}, {Fd: ready, Events: linux.POLLOUT}, {Fd: 99, Events: linux.POLLIN},
	}})
	check(t, err)
	want := &posix.PollResponse{Ret: 2, Pfds: []*posix.PollFd{{Fd: ready, Events: linux.POLLOUT}, {Fd: 99, Events: linux.POLLNVAL}}}
	if diff := cmp.Diff(want, r, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
