package runner

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
)

var infosFlag = flag.String("dut_infos_json", "", "what upstream's test binaries are told, for the one that this plays")

// bench plays a test binary, with package testing as the real ones: it tries
// all that they use of the test bench. It does not return.
func bench() int {
	always := func(string, string) (bool, error) { return true, nil }
	testing.Main(always, []testing.InternalTest{{Name: "TestBench", F: testBench}}, nil, nil)
	return 0
}

func testBench(t *testing.T) {
	var infos []info
	check(t, json.Unmarshal([]byte(*infosFlag), &infos))
	var begun atomic.Int32
	for i, d := range infos {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			begun.Add(1)
			wait(t, "all subtests have begun", func() bool { return int(begun.Load()) == len(infos) })
			testDevice(t, d)
		})
	}
}

func testDevice(t *testing.T, d info) {
	n := d.Net
	link, err := netns.Link(n.LocalDevName)
	check(t, err)
	if string(n.LocalMAC) != string(link.HardwareAddr[:]) || int(n.LocalDevID) != link.Index {
		t.Errorf("%s has %v and number %d, told are %v and %d", link.Name, link.HardwareAddr, link.Index, n.LocalMAC, n.LocalDevID)
	}
	i, err := net.InterfaceByName(n.LocalDevName)
	check(t, err)
	want := fmt.Sprintf("[%v/24 %v/64]", n.LocalIPv4, n.LocalIPv6)
	if got := fmt.Sprint(must(i.Addrs())); got != want {
		t.Errorf("%s has the addresses %s, want %s", link.Name, got, want)
	}
	k, err := lab.NewKernel(n.LocalDevName, nil)
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, to := range []netip.Addr{n.RemoteIPv4, n.RemoteIPv6.WithZone(n.LocalDevName)} {
		_, err := lab.Ping(ctx, k, to, lab.PingSize)
		check(t, err)
	}
	if hw := lab.FindNeighbor(must(k.Neighbors()), n.RemoteIPv4).HardwareAddr; string(hw[:]) != string(n.RemoteMAC) {
		t.Errorf("%v is at %v, told is %v", n.RemoteIPv4, hw, n.RemoteMAC)
	}
	calls(t, ctx, n.POSIXServerIP, n.POSIXServerPort)
	for _, name := range []string{"iptables", "ip6tables"} {
		args := []string{"-C", "INPUT", "-i", tapPrefix + "+", "-p", "tcp", "-j", "DROP"}
		if out, err := exec.Command(must(lookPath(name)), args...).CombinedOutput(); err != nil {
			t.Errorf("%s has no rule that drops TCP: %v: %s", name, err, out)
		}
	}
}

// calls makes a socket call.
func calls(t *testing.T, ctx context.Context, ip netip.Addr, port uint16) {
	t.Helper()
	conn, err := grpc.NewClient(netip.AddrPortFrom(ip, port).String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(t, err)
	defer conn.Close()
	resp, err := posix.NewPosixClient(conn).Socket(ctx, &posix.SocketRequest{Domain: unix.AF_INET, Type: unix.SOCK_DGRAM})
	check(t, err)
	if resp.GetFd() < 3 {
		t.Errorf("socket: %v", resp)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("%v", err))
	}
	return v
}
