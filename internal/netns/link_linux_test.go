package netns_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// veth makes a pair of interfaces that is deleted when the test ends.
func veth(t *testing.T, name, peer string) {
	t.Helper()
	nstest.Need(t)
	check(t, netns.AddVeth(name, peer))
	t.Cleanup(func() {
		if err := netns.DelLink(name); err != nil && !errors.Is(err, syscall.ENODEV) {
			t.Error(err)
		}
	})
}

func TestLinkShowsWhatWasSet(t *testing.T) {
	veth(t, "va", "vb")
	hardwareAddr := [6]byte{2, 0, 0, 1, 2, 3}
	check(t, netns.SetMTU("va", 9000), netns.SetHardwareAddr("va", hardwareAddr), netns.SetIPv6("va", false))
	got, err := netns.Link("va")
	check(t, err)
	want := netns.LinkInfo{Name: "va", Index: got.Index, Kind: "veth", HardwareAddr: hardwareAddr, MTU: 9000}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Link of a new veth (-want +got):\n%s", diff)
	}
	check(t, netns.SetUp("va"), netns.SetUp("vb"))
	got, err = netns.Link("va")
	check(t, err)
	want.Up, want.Running, got.Stats = true, true, netns.LinkStats{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Link when both ends are up (-want +got):\n%s", diff)
	}
	check(t, netns.SetDown("vb"))
	if got, err := netns.Link("va"); err != nil || !got.Up || got.Running {
		t.Errorf("Link when the other end is down: %+v, %v; want up, not running", got, err)
	}
	check(t, netns.SetDown("va"))
	if got, err := netns.Link("va"); err != nil || got.Up {
		t.Errorf("Link when down: %+v, %v; want not up", got, err)
	}
	check(t, netns.DelLink("va"))
	if _, err := netns.Link("vb"); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("Link of a deleted interface: %v, want %v", err, syscall.ENODEV)
	}
}

// TestTwoNamespacesTalk needs all that a kernel peer needs: namespaces, a
// moved link, addresses that are usable at once, routes, neighbors, counters.
func TestTwoNamespacesTalk(t *testing.T) {
	veth(t, "va", "vb")
	other, err := netns.New()
	check(t, err)
	t.Cleanup(func() { other.Close() })
	check(t, netns.MoveLink("vb", other))
	if _, err := netns.Link("vb"); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("Link of an interface that was moved away: %v, want %v", err, syscall.ENODEV)
	}
	check(t,
		netns.SetUp("va"),
		netns.AddAddr("va", netip.MustParsePrefix("10.1.0.1/24")),
		netns.AddAddr("va", netip.MustParsePrefix("fd00:1::1/64")),
		netns.AddRoute("va", netip.MustParsePrefix("10.2.0.0/16"), netip.MustParseAddr("10.1.0.2")),
		netns.AddRoute("va", netip.MustParsePrefix("fd00:2::/32"), netip.MustParseAddr("fd00:1::2")),
		netns.AddRoute("va", netip.MustParsePrefix("10.3.0.0/16"), netip.Addr{}),
	)
	var peer netns.LinkInfo
	check(t, other.Do(func() (err error) {
		err = errors.Join(
			netns.SetUp("vb"),
			netns.AddAddr("vb", netip.MustParsePrefix("10.1.0.2/24")),
			netns.AddAddr("vb", netip.MustParsePrefix("10.2.0.1/32")),
			netns.AddAddr("vb", netip.MustParsePrefix("10.3.0.1/32")),
			netns.AddAddr("vb", netip.MustParsePrefix("fd00:1::2/64")),
			netns.AddAddr("vb", netip.MustParsePrefix("fd00:2::1/128")),
		)
		if err == nil {
			peer, err = netns.Link("vb")
		}
		return err
	}))
	before, err := netns.Link("va")
	check(t, err)

	for _, address := range []string{"10.1.0.2", "10.2.0.1", "10.3.0.1", "fd00:1::2", "fd00:2::1"} {
		t.Run(address, func(t *testing.T) { exchange(t, other, address) })
	}

	after, err := netns.Link("va")
	check(t, err)
	if after.Stats.TxPackets < before.Stats.TxPackets+5 || after.Stats.RxPackets < before.Stats.RxPackets+5 {
		t.Errorf("counters %+v, and after five exchanges %+v", before.Stats, after.Stats)
	}
	for _, address := range []string{"10.1.0.2", "fd00:1::2"} {
		a := netip.MustParseAddr(address)
		want := netns.Neighbor{Addr: a, HardwareAddr: peer.HardwareAddr, State: netns.NeighborReachable}
		got, err := netns.NeighborOf("va", a)
		check(t, err)
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("neighbor after an exchange (-want +got):\n%s", diff)
		}
		check(t, netns.DelNeighbor("va", a))
		if got, err := netns.NeighborOf("va", a); err != nil || got.State != netns.NeighborNone && got.State != netns.NeighborFailed {
			t.Errorf("neighbor after it was deleted: %+v, %v; want none", got, err)
		}
		want.HardwareAddr, want.State = [6]byte{2, 0, 0, 9, 9, 9}, netns.NeighborPermanent
		check(t, netns.SetNeighbor("va", want))
		if got, err := netns.NeighborOf("va", a); err != nil || got != want {
			t.Errorf("neighbor after it was set: %+v, %v; want %+v", got, err, want)
		}
	}
}

// exchange sends a datagram to an address in the other namespace and waits for
// the answer.
func exchange(t *testing.T, other *netns.Namespace, address string) {
	t.Helper()
	var server *net.UDPConn
	check(t, other.Do(func() (err error) {
		server, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(address)})
		return err
	}))
	defer server.Close()
	client, err := net.Dial("udp", server.LocalAddr().String())
	check(t, err)
	defer client.Close()
	deadline := time.Now().Add(10 * time.Second)
	check(t, server.SetDeadline(deadline), client.SetDeadline(deadline))

	_, err = client.Write([]byte("question"))
	check(t, err)
	b := make([]byte, 100)
	n, from, err := server.ReadFromUDP(b)
	check(t, err)
	_, err = server.WriteToUDP(append(b[:n], " answered"...), from)
	check(t, err)
	n, err = client.Read(b)
	if got := string(b[:n]); err != nil || got != "question answered" {
		t.Errorf("answer %q, %v", got, err)
	}
}

func TestBridgeForwards(t *testing.T) {
	veth(t, "va", "va1")
	veth(t, "vb", "vb1")
	check(t, netns.AddBridge("br"), netns.SetBridge("va1", "br"), netns.SetBridge("vb1", "br"))
	t.Cleanup(func() { check(t, netns.DelLink("br")) })
	other, err := netns.New()
	check(t, err)
	t.Cleanup(func() { other.Close() })
	check(t, netns.MoveLink("vb", other), netns.SetUp("va"), netns.SetUp("va1"), netns.SetUp("vb1"), netns.SetUp("br"),
		netns.AddAddr("va", netip.MustParsePrefix("10.1.0.1/24")),
		other.Do(func() error {
			return errors.Join(netns.SetUp("vb"), netns.AddAddr("vb", netip.MustParsePrefix("10.1.0.2/24")))
		}))
	exchange(t, other, "10.1.0.2")
}

func TestSysctl(t *testing.T) {
	veth(t, "v.a", "v.b") // a dot in the name must not be taken for a separator
	const path = "ipv4/conf/v.a/arp_notify"
	check(t, netns.SetSysctl(path, "1"))
	if got, err := netns.Sysctl(path); got != "1" || err != nil {
		t.Errorf("Sysctl(%q) after it was set to 1: %q, %v", path, got, err)
	}
	check(t, netns.SetUp("v.a"), netns.SetIPv6("v.a", false))
	if err := netns.AddAddr("v.a", netip.MustParsePrefix("fd00::1/64")); err == nil {
		t.Error("an IPv6 address was added where IPv6 is off")
	}
	check(t, netns.SetIPv6("v.a", true), netns.AddAddr("v.a", netip.MustParsePrefix("fd00::1/64")))
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	veth(t, "va", "vb")
	check(t, netns.AddAddr("va", netip.MustParsePrefix("10.1.0.1/24")))
	for _, tt := range []struct {
		name string
		err  error
		want []string
	}{
		{"no such interface", netns.SetUp("nosuch"), []string{`interface "nosuch"`, "no such interface in this network namespace"}},
		{"long name", netns.AddVeth("sixteen-letters-", "x"), []string{`"sixteen-letters-"`, "from 1 to 15"}},
		{"empty name", netns.SetUp(""), []string{`""`, "from 1 to 15"}},
		{"same name", netns.AddVeth("va", "vc"), []string{`"va"`, "file exists"}},
		{"MTU", netns.SetMTU("va", 10), []string{"MTU 10", `"va"`}},
		{"group address", netns.SetHardwareAddr("va", [6]byte{1}), []string{"01:00:00:00:00:00", `"va"`}},
		{"address again", netns.AddAddr("va", netip.MustParsePrefix("10.1.0.1/24")), []string{"10.1.0.1/24", "file exists"}},
		{"invalid prefix", netns.AddAddr("va", netip.Prefix{}), []string{"va", "invalid Prefix"}},
		{"mixed route", netns.AddRoute("va", netip.MustParsePrefix("10.0.0.0/8"), netip.MustParseAddr("fd00::1")), []string{"10.0.0.0/8", "fd00::1"}},
		{"sysctl", netns.SetSysctl("../kernel/hostname", "x"), []string{"../kernel/hostname"}},
		{"no such sysctl", netns.SetSysctl("ipv4/nosuch", "x"), []string{"net/ipv4/nosuch"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err == nil {
				t.Fatal("no error")
			}
			for _, part := range append(slices.Clone(tt.want), "netns: ") {
				if !strings.Contains(tt.err.Error(), part) {
					t.Errorf("error %q does not say %q", tt.err, part)
				}
			}
			t.Log(tt.err)
		})
	}
}

func TestNeighborStateNames(t *testing.T) {
	for state, want := range map[netns.NeighborState]string{
		0: "NONE", 1: "INCOMPLETE", 2: "REACHABLE", 4: "STALE", 8: "DELAY", 0x10: "PROBE", 0x20: "FAILED",
		0x40: "NOARP", 0x80: "PERMANENT", 3: "NeighborState(0x3)",
	} {
		if got := state.String(); got != want {
			t.Errorf("NeighborState %#x is %q, want %q", uint16(state), got, want)
		}
	}
}
