package netns_test

import (
	"errors"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/internal/netns"
)

// TestDisableOffloads: what a new veth has is off afterwards, of that end alone.
func TestDisableOffloads(t *testing.T) {
	veth(t, "va", "vb")
	for name, command := range map[string]uint32{
		"tso": unix.ETHTOOL_GTSO, "gso": unix.ETHTOOL_GGSO, "sg": unix.ETHTOOL_GSG, "tx": unix.ETHTOOL_GTXCSUM, "rx": unix.ETHTOOL_GRXCSUM,
	} {
		if !isOn(t, "va", command) {
			t.Errorf("%s of a new veth is off", name)
		}
	}
	check(t, netns.DisableOffloads("va"))
	for name, command := range map[string]uint32{
		"tso": unix.ETHTOOL_GTSO, "gso": unix.ETHTOOL_GGSO, "gro": unix.ETHTOOL_GGRO, "sg": unix.ETHTOOL_GSG,
		"tx": unix.ETHTOOL_GTXCSUM, "rx": unix.ETHTOOL_GRXCSUM,
	} {
		if isOn(t, "va", command) {
			t.Errorf("%s is still on", name)
		}
	}
	if !isOn(t, "vb", unix.ETHTOOL_GTXCSUM) {
		t.Error("tx of the other end is off")
	}
	if err := netns.DisableOffloads("vc"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("of no interface: %v, want %v", err, unix.ENODEV)
	}
}

// isOn asks as `ethtool -k` does.
func isOn(t *testing.T, name string, command uint32) bool {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(fd)
	value := [2]uint32{command}
	ifr := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(ifr.name[:], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr))); errno != 0 {
		t.Fatalf("asking about %s: %v", name, errno)
	}
	return value[1] != 0
}
