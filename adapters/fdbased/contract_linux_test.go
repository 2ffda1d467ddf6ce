package fdbased_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest/devicetest"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

func TestContractOfConnectedSockets(t *testing.T) {
	for _, k := range kinds {
		for _, o := range []fdbased.Options{{}, {MTU: 9000, HardwareAddr: ethstack.HardwareAddr{2, 1}}, {MTU: 65535}} {
			t.Run(k.name, func(t *testing.T) {
				devicetest.Run(t, func(t *testing.T) (ethstack.Device, ethstack.Device) {
					a, b := k.pair(t)
					return device(t, a, o), device(t, b, o)
				})
			})
		}
	}
}

func TestContractOfPacketSockets(t *testing.T) {
	for name, o := range map[string]fdbased.Options{
		"usual":       {},
		"own address": {HardwareAddr: ethstack.HardwareAddr{2, 1}},
		"promiscuous": {Promiscuous: true},
	} {
		t.Run(name, func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) (ethstack.Device, ethstack.Device) {
				a, b := veth(t)
				return openPacket(t, a, o), openPacket(t, b, o)
			})
		})
	}
}

// TestContractOfTAP: a TAP that somebody else opened, against one of package
// tap, on a bridge.
func TestContractOfTAP(t *testing.T) {
	nstest.NeedTUN(t)
	devicetest.Run(t, func(t *testing.T) (ethstack.Device, ethstack.Device) {
		wiretest.Check(t, netns.SetIPv6("default", false), netns.AddBridge("br"))
		t.Cleanup(func() { wiretest.Check(t, netns.DelLink("br")) })
		a := device(t, openTAP(t), fdbased.Options{})
		b, err := tap.Open(tap.Options{Up: true})
		wiretest.Check(t, err)
		wiretest.CloseLater(t, b)
		for _, d := range []ethstack.Device{a, b} {
			wiretest.Check(t, netns.SetBridge(d.Info().Name, "br"))
		}
		wiretest.Check(t, netns.SetIPv6("br", false), netns.SetUp("br"))
		return a, b
	})
}

// openTAP opens a TAP as a program that passes it on does, and brings it up.
func openTAP(t testing.TB) *os.File {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	wiretest.Check(t, err)
	ifr, err := unix.NewIfreq("passed%d")
	wiretest.Check(t, err)
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	wiretest.Check(t, unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr), netns.SetUp(ifr.Name()))
	f := os.NewFile(uintptr(fd), "passed TAP")
	t.Cleanup(func() { f.Close() })
	return f
}
