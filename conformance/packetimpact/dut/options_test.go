package dut_test

import (
	"encoding/binary"
	"io"
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

func intVal(n int32) *posix.SockOptVal {
	return &posix.SockOptVal{Val: &posix.SockOptVal_Intval{Intval: n}}
}

func bytesVal(b []byte) *posix.SockOptVal {
	return &posix.SockOptVal{Val: &posix.SockOptVal_Bytesval{Bytesval: b}}
}

func timeVal(d time.Duration) *posix.SockOptVal {
	return &posix.SockOptVal{Val: &posix.SockOptVal_Timeval{Timeval: &posix.Timeval{
		Seconds: int64(d / time.Second), Microseconds: int64(d % time.Second / time.Microsecond),
	}}}
}

func (b *bench) set(fd int32, level, name int, v *posix.SockOptVal) (*posix.SetSockOptResponse, error) {
	return b.client.SetSockOpt(b.ctx(), &posix.SetSockOptRequest{Sockfd: fd, Level: int32(level), Optname: int32(name), Optval: v})
}

func (b *bench) get(fd int32, level, name int, t posix.GetSockOptRequest_SockOptType, size int32) (*posix.GetSockOptResponse, error) {
	return b.client.GetSockOpt(b.ctx(), &posix.GetSockOptRequest{
		Sockfd: fd, Level: int32(level), Optname: int32(name), Type: t, Optlen: size,
	})
}

func (b *bench) getInt(fd int32, level, name int) int32 {
	b.t.Helper()
	r, err := b.get(fd, level, name, posix.GetSockOptRequest_INT, 0)
	b.ok(0)(r, err)
	return r.GetOptval().GetIntval()
}

func (b *bench) setTimeout(fd int32, d time.Duration) {
	b.t.Helper()
	b.ok(0)(b.set(fd, linux.SOL_SOCKET, linux.SO_RCVTIMEO, timeVal(d)))
}

func TestReceiveTimeout(t *testing.T) {
	b := newBench(t)
	fd := b.udp()
	const d = 1500 * time.Millisecond
	b.setTimeout(fd, d)
	r, err := b.get(fd, linux.SOL_SOCKET, linux.SO_RCVTIMEO, posix.GetSockOptRequest_TIME, 0)
	b.ok(0)(r, err)
	if tv := r.GetOptval().GetTimeval(); tv.GetSeconds() != 1 || tv.GetMicroseconds() != 500000 {
		t.Errorf("the timeout is %v, want %v", tv, d)
	}
	b.fails(errno.EDOM)(b.set(fd, linux.SOL_SOCKET, linux.SO_RCVTIMEO, timeVal(-time.Second)))
	b.fails(errno.EINVAL)(b.set(fd, linux.SOL_SOCKET, linux.SO_RCVTIMEO, intVal(1)))
	huge := &posix.SockOptVal{Val: &posix.SockOptVal_Timeval{Timeval: &posix.Timeval{Seconds: 1 << 62}}}
	b.ok(0)(b.set(fd, linux.SOL_SOCKET, linux.SO_RCVTIMEO, huge))
	r, err = b.get(fd, linux.SOL_SOCKET, linux.SO_RCVTIMEO, posix.GetSockOptRequest_TIME, 0)
	b.ok(0)(r, err)
	if tv := r.GetOptval().GetTimeval(); tv.GetSeconds() < 1<<32 {
		t.Errorf("the timeout is %v, want centuries", tv)
	}
}

func TestReceiveBuffer(t *testing.T) {
	b := newBench(t)
	for _, fd := range []int32{b.tcp(), b.udp()} {
		b.ok(0)(b.set(fd, linux.SOL_SOCKET, linux.SO_RCVBUF, intVal(20000)))
		if got := b.getInt(fd, linux.SOL_SOCKET, linux.SO_RCVBUF); got != 40000 {
			t.Errorf("the buffer has %d bytes, want twice as many as were asked for", got)
		}
		b.ok(0)(b.set(fd, linux.SOL_SOCKET, linux.SO_RCVBUF, intVal(1)))
		if got := b.getInt(fd, linux.SOL_SOCKET, linux.SO_RCVBUF); got < 1000 {
			t.Errorf("the buffer has %d bytes, want the least that there is", got)
		}
		b.ok(0)(b.set(fd, linux.SOL_SOCKET, linux.SO_RCVBUF, intVal(1<<30)))
		if got := b.getInt(fd, linux.SOL_SOCKET, linux.SO_RCVBUF); got < 1<<20 || got >= 1<<30 {
			t.Errorf("the buffer has %d bytes, want the most that there is", got)
		}
	}
}

func TestBindToDevice(t *testing.T) {
	b := newBench(t)
	fd := b.udp()
	set := func(name string) (*posix.SetSockOptResponse, error) {
		return b.set(fd, linux.SOL_SOCKET, linux.SO_BINDTODEVICE, bytesVal([]byte(name)))
	}
	to := netip.AddrPortFrom(peer4.Addr(), 9)
	b.fails(errno.ENODEV)(set("nope"))
	b.ok(0)(set("lo"))
	b.fails(errno.ENETUNREACH)(b.sendTo(fd, []byte("x"), to))
	b.ok(0)(set(nicName + "\x00and more"))
	b.ok(1)(b.sendTo(fd, []byte("x"), to))
	b.ok(0)(set("lo"))
	b.ok(0)(set(""))
	b.ok(1)(b.sendTo(fd, []byte("x"), to))
}

func TestBroadcast(t *testing.T) {
	b := newBench(t)
	fd := b.udp()
	to := netip.MustParseAddrPort("192.0.2.255:9")
	b.ok(0)(b.set(fd, linux.SOL_SOCKET, linux.SO_BROADCAST, intVal(1)))
	b.ok(1)(b.sendTo(fd, []byte("x"), to))
	b.ok(0)(b.set(fd, linux.SOL_SOCKET, linux.SO_BROADCAST, intVal(0)))
	b.fails(errno.EACCES)(b.sendTo(fd, []byte("x"), to))
}

// TestSocketError: it is told once.
func TestSocketError(t *testing.T) {
	b := newBench(t)
	fd := b.udp()
	b.ok(0)(b.client.Connect(b.ctx(), &posix.ConnectRequest{Sockfd: fd, Addr: sockaddr(netip.AddrPortFrom(peer4.Addr(), 9))}))
	b.ok(1)(b.send(fd, []byte("x"), 0))
	if got := b.poll(fd, 0, patience); got != linux.POLLERR {
		t.Errorf("events %#x, want POLLERR", got)
	}
	for _, want := range []int32{errno.ECONNREFUSED, 0} {
		if got := b.getInt(fd, linux.SOL_SOCKET, linux.SO_ERROR); got != want {
			t.Errorf("SO_ERROR = %d, want %d", got, want)
		}
	}
}

func linger(on, seconds uint32) *posix.SockOptVal {
	return bytesVal(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, on), seconds))
}

// TestLinger: with no time the connection is reset, with some Close waits for
// the peer.
func TestLinger(t *testing.T) {
	b := newBench(t)
	fd, c := b.connected()
	b.ok(0)(b.set(fd, linux.SOL_SOCKET, linux.SO_LINGER, linger(1, 0)))
	b.close(fd)
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the peer read the error %v, want a reset", err)
	}
	fd, _ = b.connected()
	b.ok(0)(b.set(fd, linux.SOL_SOCKET, linux.SO_LINGER, linger(1, 1)))
	start := time.Now()
	b.close(fd)
	if took := time.Since(start); took < time.Second {
		t.Errorf("with a peer that does not close, Close took %v, want 1s", took)
	}
	fd, c = b.connected()
	b.ok(0)(b.set(fd, linux.SOL_SOCKET, linux.SO_LINGER, linger(1, uint32(patience/time.Second))))
	go func() {
		c.Read(make([]byte, 1)) // the end
		c.Close()
	}()
	start = time.Now()
	b.close(fd)
	if took := time.Since(start); took > patience/2 {
		t.Errorf("with a peer that closes, Close took %v", took)
	}
	b.fails(errno.EINVAL)(b.set(b.tcp(), linux.SOL_SOCKET, linux.SO_LINGER, intVal(1)))
}

// TestMTUDiscover: netstack counts otherwise than Linux.
func TestMTUDiscover(t *testing.T) {
	b := newBench(t)
	fd := b.udp()
	for v, want := range map[int32]tcpip.PMTUDStrategy{
		linux.IP_PMTUDISC_DONT: tcpip.PMTUDiscoveryDont, linux.IP_PMTUDISC_WANT: tcpip.PMTUDiscoveryWant,
		linux.IP_PMTUDISC_DO: tcpip.PMTUDiscoveryDo, linux.IP_PMTUDISC_PROBE: tcpip.PMTUDiscoveryProbe,
	} {
		r, err := b.set(fd, linux.SOL_IP, linux.IP_MTU_DISCOVER, intVal(v))
		check(t, err)
		got, tcpErr := b.server.Endpoint(fd).GetSockOptInt(tcpip.MTUDiscoverOption)
		if r.GetErrno_() != 0 || tcpErr != nil || got != int(want) {
			t.Errorf("IP_MTU_DISCOVER %d: errno %d, netstack has %d, %v; want %d", v, r.GetErrno_(), got, tcpErr, want)
		}
	}
	b.fails(errno.EINVAL)(b.set(fd, linux.SOL_IP, linux.IP_MTU_DISCOVER, intVal(77)))
}

func TestOptionsThatAreNone(t *testing.T) {
	b := newBench(t)
	b.fails(errno.ENOPROTOOPT)(b.set(b.tcp(), linux.SOL_SOCKET, linux.SO_ERROR, intVal(1)))
	b.fails(errno.ENOPROTOOPT)(b.set(b.tcp(), 77, 77, intVal(1)))
	b.fails(errno.ENOPROTOOPT)(b.set(b.udp(), linux.SOL_TCP, linux.TCP_NODELAY, intVal(1)))
	b.fails(errno.EBADF)(b.set(99, linux.SOL_SOCKET, linux.SO_BROADCAST, intVal(1)))
	for level, names := range map[int][]int{
		linux.SOL_SOCKET: {linux.SO_BINDTODEVICE, linux.SO_BROADCAST, linux.SO_LINGER, linux.SO_RCVBUF, linux.SO_RCVTIMEO},
		linux.SOL_IP:     {linux.IP_MTU_DISCOVER},
		linux.SOL_TCP:    {linux.TCP_CORK, linux.TCP_LINGER2, linux.TCP_NODELAY, linux.TCP_USER_TIMEOUT},
	} {
		for _, name := range names {
			if name != linux.SO_BINDTODEVICE || level != linux.SOL_SOCKET {
				b.fails(errno.EINVAL)(b.set(b.tcp(), level, name, bytesVal([]byte{1, 2, 3})))
			}
		}
	}
	// Whatever fails has a value of the type that was asked for.
	for _, fd := range []int32{b.tcp(), 99} {
		for _, typ := range []posix.GetSockOptRequest_SockOptType{1, 2, 3} {
			r, err := b.get(fd, linux.SOL_TCP, linux.TCP_CORK, typ, 4)
			want := int32(errno.ENOPROTOOPT)
			if fd == 99 {
				want = errno.EBADF
			}
			b.fails(want)(r, err)
			if !hasType(r.GetOptval(), typ) {
				t.Errorf("type %v: the value is a %T", typ, r.GetOptval().GetVal())
			}
		}
	}
	b.fails(errno.EINVAL)(b.get(b.tcp(), linux.SOL_SOCKET, linux.SO_ERROR, posix.GetSockOptRequest_BYTES, -1))
}

func hasType(v *posix.SockOptVal, t posix.GetSockOptRequest_SockOptType) (is bool) {
	switch v.GetVal().(type) {
	case *posix.SockOptVal_Bytesval:
		return t == posix.GetSockOptRequest_BYTES
	case *posix.SockOptVal_Intval:
		return t == posix.GetSockOptRequest_INT
	case *posix.SockOptVal_Timeval:
		return t == posix.GetSockOptRequest_TIME
	}
	return false
}
