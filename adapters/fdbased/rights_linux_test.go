package fdbased_test

import (
	"bytes"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// withCapabilities calls f on a thread that has only these of its capabilities,
// a set of bits, and ends afterwards.
func withCapabilities(t testing.TB, set uint32, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		data := make([]unix.CapUserData, 2)
		data[0].Effective, data[0].Permitted = set, set
		err := unix.Capset(&header, &data[0])
		if err == nil {
			f()
		}
		done <- err
	}()
	wiretest.Check(t, <-done)
}

// TestMissingCapability: the error names it.
func TestMissingCapability(t *testing.T) {
	a, _ := veth(t)
	var d *fdbased.Device
	var err error
	withCapabilities(t, 0, func() { d, err = fdbased.OpenPacket(a, fdbased.Options{}) })
	refused(t, func() (*fdbased.Device, error) { return d, err }, `"fa"`, "CAP_NET_RAW", "operation not permitted")
}

// TestCapabilityThatSuffices: with CAP_NET_RAW alone the interface is watched.
func TestCapabilityThatSuffices(t *testing.T) {
	a, b := veth(t)
	var d *fdbased.Device
	var err error
	withCapabilities(t, 1<<unix.CAP_NET_RAW, func() { d, err = fdbased.OpenPacket(a, fdbased.Options{}) })
	wiretest.Check(t, err)
	wiretest.CloseLater(t, d)
	testGone(t, d, func() error { return netns.DelLink(b) })
}

// TestUnseenInterface: a socket of a network namespace that the process may not
// enter works, counts as up, and ends with the interface.
func TestUnseenInterface(t *testing.T) {
	nstest.Need(t)
	other, err := netns.New()
	wiretest.Check(t, err)
	t.Cleanup(func() { other.Close() })
	a, b := veth(t)
	var f *os.File
	wiretest.Check(t, netns.MoveLink(a, other), other.Do(func() error {
		wiretest.Check(t, netns.SetUp(a))
		f = rawSocket(t, unix.SOCK_RAW, unix.ETH_P_ALL, a)
		return nil
	}))
	var d *fdbased.Device
	withCapabilities(t, 0, func() { d, err = fdbased.New(f, fdbased.Options{}) })
	wiretest.Check(t, err)
	wiretest.CloseLater(t, d)
	kernel := wiretest.Listen(t, b, false)
	want := wiretest.Frame(60, 1)
	wiretest.Write(t, d, want, ethstack.Offload{})
	if _, got := kernel.Receive(t); !bytes.Equal(got, want) {
		t.Errorf("the kernel received %x, want %x", got, want)
	}
	kernel.Send(t, nil, want)
	if got, _ := wiretest.Read(t, d); !bytes.Equal(got, want) {
		t.Errorf("read %x, want %x", got, want)
	}
	testGone(t, d, func() error {
		err := netns.DelLink(b)
		d.Write(0, []ethstack.Frame{{Bufs: [][]byte{want}}})
		return err
	})
}
