package dhcp

import (
	"errors"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// The subnet has a server, an address that is not to be given away, and one that
// is.
var (
	subnet     = netip.MustParsePrefix("10.5.0.0/24")
	serverAddr = netip.MustParseAddr("10.5.0.1")
	takenAddr  = netip.MustParseAddr("10.5.0.100")
	freeAddr   = netip.MustParseAddr("10.5.0.101")
)

// host is the name of the interface of the kernel's end.
const host = "host"

// newTAP makes a wire whose other end is an interface in a namespace of its own,
// with addresses.
func newTAP(t *testing.T, addrs ...netip.Addr) (*tap.Device, *netns.Namespace) {
	t.Helper()
	nstest.NeedTUN(t)
	nstest.CheckLeaks(t)
	ns, err := netns.New()
	wiretest.Check(t, err)
	t.Cleanup(func() { ns.Close() })
	var dev *tap.Device
	wiretest.Check(t, ns.Do(func() (err error) {
		wiretest.Check(t, netns.SetIPv6("default", false))
		if dev, err = tap.Open(tap.Options{Name: host, Up: true}); err != nil {
			return err
		}
		for _, a := range addrs {
			err = errors.Join(err, netns.AddAddr(host, onLink(a)))
		}
		return err
	}))
	return dev, ns
}

// onLink returns an address with the subnet's length.
func onLink(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, subnet.Bits()) }

// tcpipAddr returns an address as netstack writes it.
func tcpipAddr(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.AsSlice()) }
