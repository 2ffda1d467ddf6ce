package conformance

import (
	"errors"
	"testing"
	"time"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// newBridge makes a bridge in the kernel, which is up, for the time of a test.
func newBridge(t testing.TB, name string) {
	t.Helper()
	nstest.Need(t)
	wiretest.Check(t, netns.AddBridge(name))
	t.Cleanup(func() { wiretest.Check(t, netns.DelLink(name)) })
	// Otherwise it has that of one of its ports, and another when the port goes.
	wiretest.Check(t, netns.SetHardwareAddr(name, gateway.hw), netns.SetIPv6(name, false), netns.SetUp(name))
}

// newCable makes a veth pair for the time of a test. One end is here, the other
// in a network namespace of its own; both are up.
func newCable(t testing.TB, near, far string) *netns.Namespace {
	t.Helper()
	nstest.Need(t)
	ns, err := netns.New()
	wiretest.Check(t, err)
	t.Cleanup(func() { ns.Close() })
	wiretest.Check(t, netns.AddVeth(near, far))
	t.Cleanup(func() { wiretest.Check(t, netns.DelLink(near)) })
	up := func(name string) error { return errors.Join(netns.SetIPv6(name, false), netns.SetUp(name)) }
	wiretest.Check(t, netns.MoveLink(far, ns), up(near), ns.Do(func() error { return up(far) }))
	return ns
}

// openPacketIn opens a packet socket on an interface in another namespace.
func openPacketIn(t testing.TB, ns *netns.Namespace, name string, o fdbased.Options) *fdbased.Device {
	t.Helper()
	var dev *fdbased.Device
	wiretest.Check(t, ns.Do(func() (err error) {
		dev, err = fdbased.OpenPacket(name, o)
		return err
	}))
	return dev
}

// TestReplaceUnderTraffic: a TCP connection lives on while the device under it
// is replaced by another TAP, and that by a packet socket.
func TestReplaceUnderTraffic(t *testing.T) {
	for i, name := range []string{"to netstack", "to the kernel"} {
		t.Run(name, func(t *testing.T) {
			ctx := lasting(t, time.Minute)
			noLeaks(t)
			newBridge(t, "bridge")
			// The kernel that has the bridge must not answer for it on the cable.
			elsewhere := newCable(t, "port", "ours")
			first, second := newTAP(t, 0, true), newTAP(t, 0, true)
			t.Cleanup(func() { second.Close() })
			ours, err := lab.NewNetstack(first, lab.NetstackOptions{Name: "netstack", Addrs: prefixes(oursIPv4)})
			wiretest.Check(t, err)
			t.Cleanup(ours.Close)
			third := openPacketIn(t, elsewhere, "ours", fdbased.Options{HardwareAddr: ours.HardwareAddr()})
			t.Cleanup(func() { third.Close() })
			for _, port := range []string{first.Info().Name, second.Info().Name, "port"} {
				wiretest.Check(t, netns.SetBridge(port, "bridge"))
			}
			kernel, err := lab.NewKernel("bridge", prefixes(kernelIPv4))
			wiretest.Check(t, err)

			x := &lab.Transfer{From: kernel, To: ours, At: oursIPv4, Size: size[int64](256<<20, 64<<20)}
			if i > 0 {
				x.From, x.To, x.At = ours, kernel, kernelIPv4
			}
			type outcome struct {
				lab.TransferResult
				err error
			}
			done := make(chan outcome, 1)
			go func() {
				r, err := x.Run(ctx)
				done <- outcome{r, err}
			}()
			var took slowest
			for part, dev := range []ethstack.Device{second, third} {
				wiretest.WaitFor(t, "a part has arrived", func() bool { return x.Done.Load() > x.Size*int64(part+1)/4 })
				start := time.Now()
				if err := ours.Endpoint().Replace(dev); err != nil {
					t.Fatal(err)
				}
				took.add(time.Since(start))
				if n := x.Done.Load(); n == x.Size {
					t.Fatal("everything had arrived before the device was replaced")
				}
			}
			o := <-done
			if o.err != nil {
				t.Fatal(o.err)
			}
			t.Logf("%d MiB in %v, intact; Replace took %v at most", x.Size>>20, o.Took.Round(time.Millisecond), time.Duration(took).Round(time.Microsecond))
		})
	}
}
