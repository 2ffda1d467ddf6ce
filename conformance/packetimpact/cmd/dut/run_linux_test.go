package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ethlink/ethlink/conformance/packetimpact/dut"
	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// patience bounds how long anything is waited for.
const patience = 10 * time.Second

func check(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// A running is a device under test in this process.
type running struct {
	info dut.Info
	end  chan error
	stop context.CancelFunc
}

// start runs a device under test, and returns when it has told of itself.
func start(t *testing.T, args string) *running {
	t.Helper()
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	fd, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, 100)
	check(t, err, w.Close())
	o, err := parse(strings.Fields(args), io.Discard)
	check(t, err)
	o.infoFD = fd
	ctx, cancel := context.WithCancel(t.Context())
	d := &running{end: make(chan error, 1), stop: cancel}
	go func() { d.end <- run(ctx, o, io.Discard) }()
	text, err := io.ReadAll(r)
	check(t, err)
	if len(text) == 0 {
		t.Fatalf("it told nothing, and ended with %v", <-d.end)
	}
	check(t, json.Unmarshal(text, &d.info))
	return d
}

// stopped ends it as SIGTERM does.
func (d *running) stopped(t *testing.T) {
	t.Helper()
	d.stop()
	select {
	case err := <-d.end:
		check(t, err)
	case <-time.After(patience):
		t.Fatalf("it has not ended after %v", patience)
	}
}

// serves fails the test unless the service makes a socket.
func (d *running) serves(t *testing.T) {
	t.Helper()
	at := netip.AddrPortFrom(d.info.Net.POSIXServerIP, d.info.Net.POSIXServerPort)
	conn, err := grpc.NewClient(at.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := posix.NewPosixClient(conn).Socket(ctx, &posix.SocketRequest{Domain: unix.AF_INET, Type: unix.SOCK_DGRAM})
	check(t, err)
	if resp.GetFd() < 3 {
		t.Errorf("socket: %v", resp)
	}
}

// answers fails the test unless the device under test answers the test bench,
// whose interface has that number, over IPv4 and IPv6, from the hardware address
// that it told.
func (d *running) answers(t *testing.T, bench *lab.Kernel, index int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	// By number, since package net keeps what numbers names had.
	six := d.info.Net.RemoteIPv6.WithZone(strconv.Itoa(index))
	waitReachable(t, bench, six)
	for _, to := range []netip.Addr{d.info.Net.RemoteIPv4, six} {
		_, err := lab.Ping(ctx, bench, to, lab.PingSize)
		check(t, err)
	}
	list, err := bench.Neighbors()
	check(t, err)
	n := lab.FindNeighbor(list, d.info.Net.RemoteIPv4)
	if !bytes.Equal(n.HardwareAddr[:], d.info.Net.RemoteMAC) {
		t.Errorf("the test bench finds %v at %v, it told %v", n.Addr, n.HardwareAddr, d.info.Net.RemoteMAC)
	}
}

// waitReachable waits until the test bench has a link-local address of its own,
// which it gets a while after its interface has a carrier.
func waitReachable(t *testing.T, bench *lab.Kernel, to netip.Addr) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c, err := bench.Ping(to)
		if err == nil {
			check(t, c.Close())
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the test bench cannot reach %v within %v: %v", to, patience, err)
		}
	}
}

// TestOnInterfaces is what upstream's runner does: two veth pairs, whose other
// ends are in another network namespace.
func TestOnInterfaces(t *testing.T) {
	for _, link := range []string{linkEthlink, linkFdbased} {
		t.Run(link, func(t *testing.T) {
			nstest.Need(t)
			if link == linkEthlink {
				nstest.CheckLeaks(t) // gVisor's ends with the process
			}
			ns, err := netns.New()
			check(t, err)
			defer ns.Close()
			check(t, netns.SetSysctl("ipv6/conf/default/accept_dad", "0"),
				netns.AddVeth("dut-0-ctrl", "tb-0-ctrl"), netns.AddVeth("dut-0-test", "tb-0-test"))
			defer func() { check(t, netns.DelLink("dut-0-ctrl"), netns.DelLink("dut-0-test")) }()
			check(t, netns.MoveLink("tb-0-test", ns),
				ns.Do(func() error {
					return errors.Join(netns.SetSysctl("ipv6/conf/all/accept_dad", "0"),
						netns.SetSysctl("ipv6/conf/tb-0-test/accept_dad", "0"), netns.SetUp("tb-0-test"))
				}),
				netns.SetUp("tb-0-ctrl"), netns.SetUp("dut-0-ctrl"), netns.SetUp("dut-0-test"),
				netns.AddAddr("dut-0-ctrl", netip.MustParsePrefix("192.0.0.2/24")),
				netns.AddAddr("dut-0-test", netip.MustParsePrefix("172.0.0.2/24")))
			bench, err := lab.NewKernelIn(ns, "tb-0-test", []netip.Prefix{netip.MustParsePrefix("172.0.0.1/24")})
			check(t, err)
			before, err := net.InterfaceByName("dut-0-test")
			check(t, err)

			d := start(t, "--ctrl_iface dut-0-ctrl --test_iface dut-0-test --link "+link)
			defer d.stopped(t)
			n := d.info.Net
			if n.RemoteMAC.String() != before.HardwareAddr.String() || n.RemoteIPv4.String() != "172.0.0.2" || n.IPv4PrefixLength != 24 ||
				!n.RemoteIPv6.IsLinkLocalUnicast() || n.RemoteDevID != 2 || n.RemoteDevName != "dut-0-test" ||
				n.POSIXServerIP.String() != "192.0.0.2" || n.POSIXServerPort != 54321 {
				t.Errorf("it told %+v", n)
			}
			if a, err := before.Addrs(); err != nil || len(a) != 0 {
				t.Errorf("the kernel still has the addresses %v, %v", a, err)
			}
			d.serves(t)
			var tb netns.LinkInfo
			check(t, ns.Do(func() (err error) { tb, err = netns.Link("tb-0-test"); return err }))
			d.answers(t, bench, tb.Index)
		})
	}
}

// TestOnATAP: the kernel's end is the test bench; and what passed is in the
// file that --pcap names.
func TestOnATAP(t *testing.T) {
	for _, link := range []string{linkEthlink, linkFdbased} {
		t.Run(link, func(t *testing.T) {
			nstest.NeedTUN(t)
			if link == linkEthlink {
				nstest.CheckLeaks(t)
			}
			check(t, netns.SetSysctl("ipv6/conf/default/accept_dad", "0"))
			file := filepath.Join(t.TempDir(), "frames.pcap")
			name := "tap-" + link
			d := start(t, "--tap "+name+" --ipv4 172.0.9.2/24 --ipv6 fe80::2 --pcap "+file+" --link "+link)
			bench, err := lab.NewKernel(name, []netip.Prefix{netip.MustParsePrefix("172.0.9.1/24")})
			check(t, err)
			if n := d.info.Net; n.RemoteDevName != name || n.POSIXServerPort == 0 || n.RemoteMAC[0]&3 != 2 {
				t.Errorf("it told %+v", n)
			}
			d.serves(t)
			tb, err := netns.Link(name)
			check(t, err)
			d.answers(t, bench, tb.Index)
			d.stopped(t)
			if link == linkFdbased {
				check(t, netns.DelLink(name)) // which is open as long as this process
			}
			wantPings(t, file, d.info.Net.RemoteMAC)
		})
	}
}

// wantPings fails the test unless the file has frames of both directions.
func wantPings(t *testing.T, file string, hw net.HardwareAddr) {
	t.Helper()
	b, err := os.ReadFile(file)
	check(t, err)
	const header, record = 24, 16
	var to, from int
	for b = b[min(header, len(b)):]; len(b) > record; {
		n := int(b[8]) | int(b[9])<<8 | int(b[10])<<16
		frame := b[record : record+n]
		if bytes.Equal(frame[:6], hw) {
			to++
		}
		if bytes.Equal(frame[6:12], hw) {
			from++
		}
		b = b[record+n:]
	}
	if to < 2*lab.PingCount || from < 2*lab.PingCount {
		t.Errorf("the file has %d frames to %v and %d from it; want all those of the pings", to, hw, from)
	}
}

// TestEndOfTheLink: without its interface it ends by itself, and says why.
func TestEndOfTheLink(t *testing.T) {
	nstest.NeedTUN(t)
	nstest.CheckLeaks(t)
	d := start(t, "--tap gone0 --ipv4 172.0.9.2/24 --ipv6 fe80::2")
	defer d.stop()
	check(t, netns.DelLink("gone0"))
	select {
	case err := <-d.end:
		if err == nil || !strings.Contains(err.Error(), `"gone0" was deleted`) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("it goes on")
	}
}

// TestPlacesThatAreNone: what is wrong with an interface is said by its name.
func TestPlacesThatAreNone(t *testing.T) {
	nstest.NeedTUN(t)
	nstest.CheckLeaks(t)
	const tap = "--ipv4 172.0.9.2/24 --ipv6 fe80::2 --tap "
	for _, tt := range []struct{ args, want string }{
		{"--ctrl_iface nope --test_iface lo", `"nope"`},
		{tap + "sixteen-letters-", "sixteen-letters-"},
		{tap + "sixteen-letters- --link fdbased", "sixteen-letters-"},
		{tap + "t0 --pcap /nowhere/f", "/nowhere/f"},
		{tap + "t0 --listen 192.0.2.99:1", "192.0.2.99"},
	} {
		r, w, err := os.Pipe()
		check(t, err)
		fd, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, 100)
		check(t, err, r.Close(), w.Close())
		o, err := parse(strings.Fields(tt.args), io.Discard)
		check(t, err)
		o.infoFD = fd
		if err := run(t.Context(), o, io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v does not say %s", tt.args, err, tt.want)
		}
	}
}
