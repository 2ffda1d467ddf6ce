package dut_test

import (
	"bytes"
	"io"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

func (b *bench) send(fd int32, data []byte, flags int32) (*posix.SendResponse, error) {
	return b.client.Send(b.ctx(), &posix.SendRequest{Sockfd: fd, Buf: data, Flags: flags})
}

func (b *bench) sendTo(fd int32, data []byte, to netip.AddrPort) (*posix.SendToResponse, error) {
	return b.client.SendTo(b.ctx(), &posix.SendToRequest{Sockfd: fd, Buf: data, DestAddr: sockaddr(to)})
}

func (b *bench) recv(fd, size, flags int32) (*posix.RecvResponse, error) {
	return b.client.Recv(b.ctx(), &posix.RecvRequest{Sockfd: fd, Len: size, Flags: flags})
}

// wantRecv ends the test unless a socket receives just that.
func (b *bench) wantRecv(fd int32, want string) {
	b.t.Helper()
	r, err := b.recv(fd, 1500, 0)
	b.ok(int32(len(want)))(r, err)
	if got := string(r.GetBuf()); got != want {
		b.t.Fatalf("received %q, want %q", got, want)
	}
}

func TestStream(t *testing.T) {
	b := newBench(t)
	fd, c := b.connected()
	b.fails(errno.EAGAIN)(b.recv(fd, 10, linux.MSG_DONTWAIT))
	b.ok(5)(b.send(fd, []byte("hello"), 0))
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Errorf("the peer read %q, %v", got, err)
	}
	_, err := c.Write([]byte("and back"))
	check(t, err)
	b.ok(0)(b.recv(fd, 0, 0))
	r, err := b.recv(fd, 3, 0)
	b.ok(3)(r, err)
	if string(r.GetBuf()) != "and" {
		t.Errorf("received %q, want what was asked for: and", r.GetBuf())
	}
	b.wantRecv(fd, " back")
	check(t, c.CloseWrite())
	for range 2 {
		b.ok(0)(b.recv(fd, 10, 0)) // the end, as often as one asks
	}
}

// TestSendWaitsForRoom: without waiting it sends what there is room for, and
// that is success; otherwise all of it.
func TestSendWaitsForRoom(t *testing.T) {
	b := newBench(t)
	fd, c := b.connected()
	data := make([]byte, 200_003) // no buffer is a multiple of it
	partial := false
	for r, err := b.send(fd, data, linux.MSG_DONTWAIT); ; r, err = b.send(fd, data, linux.MSG_DONTWAIT) {
		check(t, err)
		if r.GetRet() == -1 {
			b.fails(errno.EAGAIN)(r, err)
			break
		}
		partial = partial || r.GetRet() < int32(len(data))
	}
	if !partial {
		t.Error("no call sent a part of its data")
	}
	var waited atomic.Bool
	go func() {
		b.waitUntil("the call waits for room", func() bool { return b.server.Waits(fd) })
		waited.Store(true)
		io.Copy(io.Discard, c)
	}()
	for !waited.Load() {
		b.ok(int32(len(data)))(b.send(fd, data, 0))
	}
}

func TestRecvWaits(t *testing.T) {
	b := newBench(t)
	fd, c := b.connected()
	go func() {
		b.waitUntil("the call waits", func() bool { return b.server.Waits(fd) })
		c.Write([]byte("late"))
	}()
	b.wantRecv(fd, "late")
	const timeout = 30 * time.Millisecond
	b.setTimeout(fd, timeout)
	start := time.Now()
	b.fails(errno.EAGAIN)(b.recv(fd, 10, 0))
	if took := time.Since(start); took < timeout {
		t.Errorf("it waited for %v, want %v", took, timeout)
	}
}

// TestReset: a peer that closes without having read all resets the connection.
func TestReset(t *testing.T) {
	b := newBench(t)
	fd, c := b.connected()
	b.ok(5)(b.send(fd, []byte("hello"), 0))
	got := make([]byte, 1)
	_, err := io.ReadFull(c, got)
	check(t, err)
	check(t, c.Close())
	if got := b.poll(fd, linux.POLLIN, patience); got&(linux.POLLERR|linux.POLLHUP) == 0 {
		t.Errorf("poll: events %#x, want POLLERR or POLLHUP", got)
	}
	b.fails(errno.ECONNRESET)(b.recv(fd, 10, 0))
}

func TestDatagrams(t *testing.T) {
	b := newBench(t)
	for _, tt := range []struct {
		domain   int
		dut, own netip.Addr
	}{{linux.AF_INET, dut4.Addr(), peer4.Addr()}, {linux.AF_INET6, dut6.Addr(), peer6.Addr()}} {
		at, peerAt := netip.AddrPortFrom(tt.dut, 4000), netip.AddrPortFrom(tt.own, 4001)
		peer, err := b.peer.ListenUDP(peerAt)
		check(t, err)
		defer peer.Close()
		check(t, peer.SetDeadline(time.Now().Add(patience)))
		fd := b.socket(tt.domain, dgram, 0)
		b.bind(fd, at)
		b.ok(5)(b.sendTo(fd, []byte("hello"), peerAt))
		got := make([]byte, 100)
		n, from, err := peer.ReadFrom(got)
		if err != nil || string(got[:n]) != "hello" || from.String() != at.String() {
			t.Errorf("the peer received %q from %v, %v", got[:n], from, err)
		}
		for _, s := range []string{"whole", "", "truncated"} {
			_, err = peer.WriteTo([]byte(s), from)
			check(t, err)
		}
		b.wantRecv(fd, "whole")
		b.wantRecv(fd, "")
		r, err := b.recv(fd, 5, 0)
		b.ok(5)(r, err)
		if string(r.GetBuf()) != "trunc" {
			t.Errorf("received %q, want the beginning", r.GetBuf())
		}
		b.fails(errno.EAGAIN)(b.recv(fd, 5, linux.MSG_DONTWAIT))
		b.ok(0)(b.client.Connect(b.ctx(), &posix.ConnectRequest{Sockfd: fd, Addr: sockaddr(peerAt)}))
		b.ok(0)(b.send(fd, nil, 0))
		if n, _, err := peer.ReadFrom(got); n != 0 || err != nil {
			t.Errorf("the peer received %d bytes, %v; want an empty datagram", n, err)
		}
	}
}

// TestIPv4OfAnIPv6Socket: it is reached, unless the socket is bound to an IPv6
// address.
func TestIPv4OfAnIPv6Socket(t *testing.T) {
	b := newBench(t)
	at := netip.AddrPortFrom(peer4.Addr(), 4001)
	peer, err := b.peer.ListenUDP(at)
	check(t, err)
	defer peer.Close()
	check(t, peer.SetDeadline(time.Now().Add(patience)))
	fd := b.socket(linux.AF_INET6, dgram, 0)
	b.ok(5)(b.sendTo(fd, []byte("hello"), at))
	got := make([]byte, 100)
	if n, _, err := peer.ReadFrom(got); err != nil || string(got[:n]) != "hello" {
		t.Errorf("the peer received %q, %v", got[:n], err)
	}
	b.ok(0)(b.client.Connect(b.ctx(), &posix.ConnectRequest{Sockfd: fd, Addr: sockaddr(at)}))
	b.ok(5)(b.send(fd, []byte("again"), 0))
	if n, _, err := peer.ReadFrom(got); err != nil || string(got[:n]) != "again" {
		t.Errorf("the peer received %q, %v", got[:n], err)
	}
	bound := b.socket(linux.AF_INET6, dgram, 0)
	b.bind(bound, netip.AddrPortFrom(dut6.Addr(), 0))
	b.fails(errno.ENETUNREACH)(b.sendTo(bound, []byte("x"), at))
	// IPv4's unspecified address, of which the sender's is told by the name.
	fd = b.socket(linux.AF_INET6, dgram, 0)
	b.ok(0)(b.client.Connect(b.ctx(), &posix.ConnectRequest{Sockfd: fd, Addr: sockaddr(netip.AddrPortFrom(netip.IPv4Unspecified(), 9))}))
	if got := b.name(fd).Addr(); !got.Is4In6() {
		t.Errorf("connected to IPv4's unspecified address, the socket is at %v", got)
	}
}

// TestEcho: ICMP sockets of both kinds.
func TestEcho(t *testing.T) {
	b := newBench(t)
	for _, tt := range []struct {
		domain, protocol int
		to               netip.Addr
		request, reply   byte
	}{
		{linux.AF_INET, linux.IPPROTO_ICMP, peer4.Addr(), 8, 0},
		{linux.AF_INET6, linux.IPPROTO_ICMPV6, peer6.Addr(), 128, 129},
	} {
		fd := b.socket(tt.domain, dgram, tt.protocol)
		echo := []byte{tt.request, 0, 0, 0, 0, 0, 0, 1, 'e', 'c', 'h', 'o'}
		b.ok(int32(len(echo)))(b.sendTo(fd, echo, netip.AddrPortFrom(tt.to, 0)))
		r, err := b.recv(fd, 100, 0)
		b.ok(int32(len(echo)))(r, err)
		if got := r.GetBuf(); got[0] != tt.reply || !bytes.Equal(got[6:], echo[6:]) {
			t.Errorf("the reply to %x is %x", echo, got)
		}
	}
}

func TestErrorsOfTransfer(t *testing.T) {
	b := newBench(t)
	far := netip.MustParseAddrPort("198.51.100.1:9")
	b.fails(errno.EPIPE)(b.send(b.tcp(), []byte("x"), linux.MSG_DONTWAIT))
	b.fails(errno.ENOTCONN)(b.recv(b.tcp(), 1, 0))
	b.fails(errno.EDESTADDRREQ)(b.send(b.udp(), []byte("x"), 0))
	b.fails(errno.ENETUNREACH)(b.sendTo(b.udp(), []byte("x"), far))
	b.fails(errno.EINVAL)(b.sendTo(b.udp(), []byte("x"), netip.AddrPortFrom(peer6.Addr(), 9)))
	b.fails(errno.EACCES)(b.sendTo(b.udp(), []byte("x"), netip.MustParseAddrPort("192.0.2.255:9")))
	b.fails(errno.EMSGSIZE)(b.sendTo(b.udp(), make([]byte, 65536), netip.AddrPortFrom(peer4.Addr(), 9)))
	b.fails(errno.EOPNOTSUPP)(b.send(b.udp(), []byte("x"), linux.MSG_OOB))
	b.fails(errno.EOPNOTSUPP)(b.recv(b.udp(), 1, linux.MSG_PEEK))
	b.fails(errno.EINVAL)(b.recv(b.udp(), -1, 0))
	b.fails(errno.EBADF)(b.send(99, nil, 0))
	b.fails(errno.EBADF)(b.sendTo(99, nil, far))
	b.fails(errno.EBADF)(b.recv(99, 1, 0))
	b.fails(errno.EBADF)(b.client.GetSockName(b.ctx(), &posix.GetSockNameRequest{Sockfd: 99}))
}
