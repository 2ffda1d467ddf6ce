package endpoint_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"

	"github.com/ethlink/ethlink/ethstack"
)

// TestCompanionBesideOthers: on a stack with the companion, endpoints of
// netstack's own work as they would without any ARP.
func TestCompanionBesideOthers(t *testing.T) {
	// No look for leaks: gVisor's fdbased keeps two file descriptors for good.
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Fatal(err)
	}
	var hosts []*host
	for k, fd := range fds {
		defer unix.Close(fd)
		hw := ethstack.HardwareAddr{2, 5: byte(k)}
		link, err := fdbased.New(&fdbased.Options{FDs: []int{fd}, MTU: 1500, EthernetHeader: true, Address: tcpip.LinkAddress(hw[:])})
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, hostOn(t, byte(k+2), link, companion...))
	}
	a, b := hosts[0], hosts[1]
	a.mustPing(ipv6.ProtocolNumber, b.addr6(), 10)
	stream(t, a, b, ipv6.ProtocolNumber, 1<<18)
	within(t, "disabling, enabling, removing", 10*time.Second, func() {
		a.stack.DisableNIC(nicID)
		a.stack.EnableNIC(nicID)
		a.stack.RemoveNIC(nicID)
	})
	if got := b.stack.NICInfo()[nicID]; got.Name != "" || len(got.ProtocolAddresses) < 2 {
		t.Errorf("NICInfo: %+v", got)
	}
}
