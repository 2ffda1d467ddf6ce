package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// check fails the test if any of the errors is not nil.
func check(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// A buffer may be written and read at the same time.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A running is a host in this process.
type running struct {
	out buffer
	end chan error
	// want is how it is to end.
	want error
}

// startRunning runs a host until the test ends, and returns when it is ready.
func startRunning(t *testing.T, args string) *running {
	t.Helper()
	o, err := parseHost(strings.Fields(args))
	check(t, err)
	ctx, cancel := context.WithCancelCause(context.Background())
	h := &running{end: make(chan error, 1), want: interruption{syscall.SIGINT}}
	go func() { h.end <- runHost(ctx, o, newReport(&h.out)) }()
	t.Cleanup(func() {
		cancel(interruption{syscall.SIGINT})
		if err := <-h.end; !errors.Is(err, h.want) {
			t.Errorf("the host ended with %v, want %v", err, h.want)
		}
	})
	waitUntil(t, "the host is ready", func() bool { return strings.Contains(h.out.String(), "\nnews\n") || len(h.end) > 0 })
	return h
}

const (
	hostV4, hostV6 = "192.0.2.2", "2001:db8::2"
	hostArgs       = " -addr 192.0.2.2/24 -addr 2001:db8::2/64"
)

// TestHostOnATAP does what the host says can be tried.
func TestHostOnATAP(t *testing.T) {
	nstest.NeedTUN(t)
	checkLeaks(t)
	onlyLoopback(t)
	h := startRunning(t, "-tap tap7 -mtu 9000 -mac 02:00:5e:00:53:01 -gw 192.0.2.77"+hostArgs)
	for _, want := range []string{
		"tap7, MTU 9000", "02:00:5e:00:53:01   192.0.2.2/24   2001:db8::2/64",
		"\n  sudo ip addr add 192.0.2.77/24 dev tap7\n", "\n  sudo ip addr add 2001:db8::1/64 dev tap7\n",
		"\n  sudo ip link set tap7 up\n", "\n  ping 192.0.2.2\n", "\n  curl http://[2001:db8::2]/bytes/1000000000 | sha256sum\n",
		"\n  nc -u 2001:db8::2 7\n",
	} {
		if !strings.Contains(h.out.String(), want) {
			t.Errorf("output does not say %q:\n%s", want, h.out.String())
		}
	}
	check(t, netns.SetUp("tap7"))
	waitUntil(t, "the host says that the link is up", func() bool { return strings.Contains(h.out.String(), "the link is up") })
	k, err := lab.NewKernel("tap7", []netip.Prefix{netip.MustParsePrefix("192.0.2.77/24"), netip.MustParsePrefix("2001:db8::1/64")})
	check(t, err)
	for _, a := range []string{hostV4, hostV6} {
		t.Run(a, func(t *testing.T) { tryHost(t, k, netip.MustParseAddr(a)) })
	}
}

// tryHost uses all that a host offers.
func tryHost(t *testing.T, k *lab.Kernel, a netip.Addr) {
	if times, err := lab.Ping(t.Context(), k, a, lab.PingSize); err != nil || len(times) != lab.PingCount {
		t.Errorf("ping: %v, %v", times, err)
	}
	c, err := k.DialUDP(netip.AddrPortFrom(a, echoPort))
	check(t, err)
	defer c.Close()
	for _, size := range []int{1, 8000, 20000} {
		check(t, lab.Echo(t.Context(), c, lab.NewPayload(1).Next(int64(size))))
	}
	tryTCPEcho(t, k, a)
	tryHTTP(t, a)
}

func tryTCPEcho(t *testing.T, k *lab.Kernel, a netip.Addr) {
	t.Helper()
	c, err := k.Dial(t.Context(), netip.AddrPortFrom(a, echoPort))
	check(t, err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	question := lab.NewPayload(2).Next(lab.BlockLen)
	_, err = c.Write(question)
	check(t, err, c.CloseWrite())
	if answer, err := io.ReadAll(c); err != nil || !bytes.Equal(answer, question) {
		t.Errorf("TCP echo of %d bytes: %d bytes, %v; want the same", len(question), len(answer), err)
	}
}

func tryHTTP(t *testing.T, a netip.Addr) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) (int, []byte) {
		t.Helper()
		resp, err := client.Get("http://" + netip.AddrPortFrom(a, httpPort).String() + path)
		check(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		check(t, err)
		return resp.StatusCode, body
	}
	status, page := get("/")
	for _, want := range []string{"02:00:5e:00:53:01, MTU 9000, link up", "\nneighbors\n", "192.0.2.77", "\ncounters\n", "frames received"} {
		if status != http.StatusOK || !strings.Contains(string(page), want) {
			t.Errorf("/: status %d, want %d and a page that says %q:\n%s", status, http.StatusOK, want, page)
		}
	}
	const size = 5<<20 + 7
	want := sha256.New()
	for p, left := lab.NewPayload(0), int64(size); left > 0; {
		b := p.Next(left)
		want.Write(b)
		left -= int64(len(b))
	}
	status, body := get(fmt.Sprintf("/bytes/%d", size))
	if got := sha256.Sum256(body); status != http.StatusOK || !bytes.Equal(got[:], want.Sum(nil)) {
		t.Errorf("/bytes/%d: status %d, %d bytes, SHA-256 %x; want %d, %x", size, status, len(body), got, http.StatusOK, want.Sum(nil))
	}
	if status, body := get("/bytes/0"); status != http.StatusOK || len(body) != 0 {
		t.Errorf("/bytes/0: status %d, %q", status, body)
	}
	for _, bad := range []string{"/bytes/-1", "/bytes/many", "/bytes/1099511627777"} {
		if status, body := get(bad); status != http.StatusBadRequest || !strings.Contains(string(body), "0 to 1099511627776") {
			t.Errorf("%s: status %d, %q; want %d and what is allowed", bad, status, body, http.StatusBadRequest)
		}
	}
	if status, _ := get("/nothing"); status != http.StatusNotFound {
		t.Errorf("/nothing: status %d, want %d", status, http.StatusNotFound)
	}
}

// TestHostEndsWithItsTAP: an interface that is deleted does not come back.
func TestHostEndsWithItsTAP(t *testing.T) {
	nstest.NeedTUN(t)
	checkLeaks(t)
	h := startRunning(t, "-tap tap7"+hostArgs)
	h.want = errGone
	check(t, netns.DelLink("tap7"))
	waitUntil(t, "the host has ended", func() bool { return len(h.end) > 0 })
}

func TestHostOnAnInterface(t *testing.T) {
	nstest.Need(t)
	checkLeaks(t)
	check(t, netns.AddVeth("va", "vb"), netns.SetUp("va"), netns.SetUp("vb"))
	t.Cleanup(func() { check(t, netns.DelLink("va")) })
	h := startRunning(t, "-iface vb -mac 02:00:5e:00:53:02"+hostArgs)
	if got := h.out.String(); strings.Contains(got, "sudo") || !strings.Contains(got, "vb, MTU 1500") {
		t.Errorf("want no command that sets vb up, which is up:\n%s", got)
	}
	k, err := lab.NewKernel("va", []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")})
	check(t, err)
	if times, err := lab.Ping(t.Context(), k, netip.MustParseAddr(hostV4), lab.PingSize); err != nil || len(times) != lab.PingCount {
		t.Errorf("ping: %v, %v", times, err)
	}
	n, err := netns.NeighborOf("va", netip.MustParseAddr(hostV4))
	if want := [6]byte{2, 0, 0x5e, 0, 0x53, 2}; err != nil || n.HardwareAddr != want {
		t.Errorf("the kernel has the host at %v, %v; want %v", net.HardwareAddr(n.HardwareAddr[:]), err, net.HardwareAddr(want[:]))
	}
}

// TestHostOnAFileDescriptor: a unix socket, with a second netstack at its other
// end.
func TestHostOnAFileDescriptor(t *testing.T) {
	checkLeaks(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	dev, err := fdbased.New(os.NewFile(uintptr(fds[1]), "peer"), fdbased.Options{MTU: 4000})
	check(t, err)
	peer, err := lab.NewNetstack(dev, lab.NetstackOptions{Name: "peer", Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}})
	check(t, err)
	t.Cleanup(peer.Close)
	h := startRunning(t, fmt.Sprintf("-fd %d -mtu 4000", fds[0])+hostArgs)
	if !strings.Contains(h.out.String(), "MTU 4000") {
		t.Errorf("want an MTU of 4000:\n%s", h.out.String())
	}
	if times, err := lab.Ping(t.Context(), peer, netip.MustParseAddr(hostV4), lab.PingSize); err != nil || len(times) != lab.PingCount {
		t.Errorf("ping: %v, %v", times, err)
	}
}

// TestHostInAVLAN: the peer is in the same VLAN, and sees nothing outside.
func TestHostInAVLAN(t *testing.T) {
	checkLeaks(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	dev, err := fdbased.New(os.NewFile(uintptr(fds[1]), "peer"), fdbased.Options{})
	check(t, err)
	trunk, err := endpoint.New(dev, endpoint.Options{})
	check(t, err)
	t.Cleanup(trunk.Close)
	ep, err := trunk.VLAN(ethstack.VLAN{{ID: 5}}, endpoint.Options{})
	check(t, err)
	peer, err := lab.NewNetstackOn(ep, lab.NetstackOptions{Name: "peer", Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}})
	check(t, err)
	t.Cleanup(peer.Close)
	h := startRunning(t, fmt.Sprintf("-vlan 5 -fd %d", fds[0])+hostArgs)
	if !strings.Contains(h.out.String(), "VLAN 5") {
		t.Errorf("want it to say that it is in VLAN 5:\n%s", h.out.String())
	}
	if times, err := lab.Ping(t.Context(), peer, netip.MustParseAddr(hostV4), lab.PingSize); err != nil || len(times) != lab.PingCount {
		t.Errorf("ping: %v, %v", times, err)
	}
	if n := trunk.Interface().Stats().RxFrames; n != 0 {
		t.Errorf("%d frames came untagged, want none", n)
	}
}

// TestHostWithoutADevice: the message says what is missing.
func TestHostWithoutADevice(t *testing.T) {
	nstest.Need(t)
	checkLeaks(t)
	for _, tt := range []struct{ args, want string }{
		{"host -iface nothing0" + hostArgs, "nothing0"},
		{"host -fd 999" + hostArgs, "999"},
		{"host -tap sixteen-letters-" + hostArgs, "at most 15"},
	} {
		stdout, stderr, status := runDemo(t, strings.Fields(tt.args)...)
		if status != statusFailed || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: status %d, printed %q, errors %q; want %d, nothing, and %q", tt.args, status, stdout, stderr, statusFailed, tt.want)
		}
	}
}
