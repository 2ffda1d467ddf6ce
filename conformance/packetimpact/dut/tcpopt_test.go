package dut_test

import (
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

func (b *bench) info(fd int32) (info linux.TCPInfo) {
	b.t.Helper()
	r, err := b.get(fd, linux.SOL_TCP, linux.TCP_INFO, posix.GetSockOptRequest_BYTES, int32(linux.SizeOfTCPInfo))
	b.ok(0)(r, err)
	v := r.GetOptval().GetBytesval()
	if len(v) != linux.SizeOfTCPInfo {
		b.t.Fatalf("TCP_INFO has %d bytes, want %d", len(v), linux.SizeOfTCPInfo)
	}
	info.UnmarshalBytes(v)
	return info
}

func TestTCPInfo(t *testing.T) {
	b := newBench(t)
	if s := b.info(b.tcp()).State; uint32(s) != linux.TCP_CLOSE {
		t.Errorf("the state of a new socket is %d, want TCP_CLOSE", s)
	}
	fd, c := b.connected()
	b.ok(5)(b.send(fd, []byte("hello"), 0))
	_, err := c.Read(make([]byte, 5))
	check(t, err)
	i := b.info(fd)
	if uint32(i.State) != linux.TCP_ESTABLISHED || i.CaState != linux.TCP_CA_Open || i.ReordSeen != 0 {
		t.Errorf("state %d, congestion control %d, reordering %d; want established, open, none", i.State, i.CaState, i.ReordSeen)
	}
	if i.RTO < 1000 || i.SndCwnd == 0 || i.SndSsthresh == 0 {
		t.Errorf("RTO %d µs, congestion window %d, slow start threshold %d; want none of them 0", i.RTO, i.SndCwnd, i.SndSsthresh)
	}
	r, err := b.get(fd, linux.SOL_TCP, linux.TCP_INFO, posix.GetSockOptRequest_BYTES, 8)
	b.ok(0)(r, err)
	if n := len(r.GetOptval().GetBytesval()); n != 8 {
		t.Errorf("%d bytes, want the 8 that were asked for", n)
	}
	b.fails(errno.ENOPROTOOPT)(b.get(b.udp(), linux.SOL_TCP, linux.TCP_INFO, posix.GetSockOptRequest_BYTES, 8))
}

// TestCork: what is less than a segment waits until the cork is out.
func TestCork(t *testing.T) {
	b := newBench(t)
	fd, c := b.connected()
	b.ok(0)(b.set(fd, linux.SOL_TCP, linux.TCP_CORK, intVal(1)))
	b.ok(1)(b.send(fd, []byte("a"), 0))
	check(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	if n, err := c.Read(make([]byte, 2)); n != 0 || err == nil {
		t.Errorf("the peer read %d bytes, %v, of a corked socket; want nothing", n, err)
	}
	check(t, c.SetReadDeadline(time.Now().Add(patience)))
	b.ok(0)(b.set(fd, linux.SOL_TCP, linux.TCP_CORK, intVal(0)))
	if n, err := c.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("the peer read %d bytes, %v; want 1", n, err)
	}
}

// TestIntegersOfTCP: netstack has what was set.
func TestIntegersOfTCP(t *testing.T) {
	b := newBench(t)
	fd := b.tcp()
	for v, want := range map[int32]bool{1: false, 0: true} {
		b.ok(0)(b.set(fd, linux.SOL_TCP, linux.TCP_NODELAY, intVal(v)))
		if got := b.server.Endpoint(fd).SocketOptions().GetDelayOption(); got != want {
			t.Errorf("TCP_NODELAY %d: netstack's delay is %v", v, got)
		}
	}
	b.ok(0)(b.set(fd, linux.SOL_TCP, linux.TCP_LINGER2, timeVal(7*time.Second)))
	if got := b.server.Linger2(fd); got != 7*time.Second {
		t.Errorf("TCP_LINGER2: netstack has %v, want 7s", got)
	}
	b.ok(0)(b.set(fd, linux.SOL_TCP, linux.TCP_USER_TIMEOUT, intVal(1500)))
	if got := b.server.UserTimeout(fd); got != 1500*time.Millisecond {
		t.Errorf("TCP_USER_TIMEOUT: netstack has %v, want 1.5s", got)
	}
	b.fails(errno.EINVAL)(b.set(fd, linux.SOL_TCP, linux.TCP_USER_TIMEOUT, intVal(-1)))
}
