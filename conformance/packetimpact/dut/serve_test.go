package dut_test

import (
	"bytes"
	"encoding/json"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"

	"github.com/ethlink/ethlink/conformance/packetimpact/dut"
	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

// TestTrace: one line a call, with its answer, and not all of its data.
func TestTrace(t *testing.T) {
	var trace bytes.Buffer
	b := newBenchWith(t, dut.ServiceOptions{Trace: &trace})
	fd := b.udp()
	b.sendTo(fd, bytes.Repeat([]byte("x"), 1000), netip.AddrPortFrom(peer4.Addr(), 9))
	b.client.Bind(b.ctx(), &posix.BindRequest{Sockfd: fd})
	lines := strings.Split(trace.String(), "\n")
	for i, want := range []string{
		`^Socket\(domain:2 type:2\) = fd:3 \(.*s\)$`,
		`^SendTo\(sockfd:3 buf:"x{100,200}\.\.\.\) = ret:1000 \(.*s\)$`,
		`^Bind\(sockfd:3\) = .*InvalidArgument.*\(.*s\)$`,
		`^$`,
	} {
		if i >= len(lines) || !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Fatalf("line %d does not match %s in\n%s", i, want, trace.String())
		}
	}
}

// TestSettle: a frame that is on its way when a call is made has come before the
// call looks.
func TestSettle(t *testing.T) {
	const settle = 20 * time.Millisecond
	b := newBenchWith(t, dut.ServiceOptions{Settle: settle})
	start := time.Now()
	b.udp()
	if took := time.Since(start); took < settle {
		t.Errorf("a call took %v, want at least %v", took, settle)
	}
}

// TestCallsAtOnce: a call that waits holds up no other.
func TestCallsAtOnce(t *testing.T) {
	b := newBench(t)
	const calls = 10
	done := make(chan string, calls)
	fds := make([]int32, calls)
	for i := range fds {
		fds[i] = b.udp()
		b.bind(fds[i], netip.AddrPortFrom(dut4.Addr(), uint16(4000+i)))
		go func() {
			r, _ := b.recv(fds[i], 10, 0)
			done <- string(r.GetBuf())
		}()
	}
	b.waitUntil("all calls wait", func() bool {
		for _, fd := range fds {
			if !b.server.Waits(fd) {
				return false
			}
		}
		return true
	})
	from := b.udp()
	for i := range fds {
		b.ok(1)(b.sendTo(from, []byte("x"), netip.AddrPortFrom(dut4.Addr(), uint16(4000+i))))
	}
	for range fds {
		if got := <-done; got != "x" {
			t.Errorf("a call received %q, want x", got)
		}
	}
}

// TestAbort: connections are reset, calls that wait end, and there are no
// sockets any more.
func TestAbort(t *testing.T) {
	b := newBench(t)
	fd, c := b.connected()
	go func() {
		b.waitUntil("the call waits", func() bool { return b.server.Waits(fd) })
		b.server.Abort()
	}()
	r, err := b.recv(fd, 1, 0)
	check(t, err)
	if r.GetRet() != -1 {
		t.Errorf("recv = %v, want an error", r)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("the peer read the error %v, want a reset", err)
	}
	b.fails(errno.EBADF)(b.recv(fd, 1, 0))
}

// TestInfo: the object is just what the suite reads, without the fields that its
// runner fills in.
func TestInfo(t *testing.T) {
	got, err := json.Marshal(dut.Info{
		Uname: dut.Uname{Machine: "x86_64", KernelName: "Linux", KernelRelease: "6", KernelVersion: "#1", OperatingSystem: "GNU/Linux"},
		Net: dut.Net{
			RemoteMAC:        net.HardwareAddr{2, 0, 0, 0, 0, 1},
			RemoteIPv4:       netip.MustParseAddr("172.0.0.2"),
			IPv4PrefixLength: 24,
			RemoteIPv6:       netip.MustParseAddr("fe80::2"),
			RemoteDevID:      uint32(dut.TestNIC),
			RemoteDevName:    "tap0",
			POSIXServerIP:    netip.MustParseAddr("127.0.0.1"),
			POSIXServerPort:  54321,
		},
	})
	check(t, err)
	want := `{"Uname":{"Machine":"x86_64","KernelName":"Linux","KernelRelease":"6","KernelVersion":"#1","OperatingSystem":"GNU/Linux"},` +
		`"Net":{"RemoteMAC":"AgAAAAAB","RemoteIPv4":"172.0.0.2","IPv4PrefixLength":24,"RemoteIPv6":"fe80::2","RemoteDevID":2,` +
		`"RemoteDevName":"tap0","POSIXServerIP":"127.0.0.1","POSIXServerPort":54321}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
