package fdbased_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

func TestDownAndUp(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	c := wiretest.States(d)
	wiretest.Expect(t, c, "Notify", ethstack.LinkUp)
	done := make(chan []byte)
	go func() {
		b, _ := wiretest.Read(t, d) // waits while the interface is down
		done <- b
	}()
	wiretest.Check(t, netns.SetDown(a))
	wiretest.Expect(t, c, "SetDown", ethstack.LinkDown)
	frames := []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}, {Bufs: [][]byte{wiretest.Frame(60, 2)}}}
	if n, err := d.Write(0, frames); n != 0 || !errors.Is(err, ethstack.ErrNoBufferSpace) || frames[1].Err != err {
		t.Errorf("Write while down: %d, %v, and %v for the second frame; want 0, %v for both", n, err, frames[1].Err, ethstack.ErrNoBufferSpace)
	}
	wantStats(t, d, fdbased.Stats{WriteDown: 2})

	wiretest.Check(t, netns.SetUp(a))
	wiretest.Expect(t, c, "SetUp", ethstack.LinkUp)
	want := wiretest.Frame(60, 3)
	kernel := wiretest.Listen(t, b, false)
	wiretest.Write(t, d, want, ethstack.Offload{})
	if _, got := kernel.Receive(t); !bytes.Equal(got, want) {
		t.Errorf("after down and up the kernel received %x, want %x", got, want)
	}
	kernel.Send(t, nil, want)
	if got := <-done; !bytes.Equal(got, want) {
		t.Errorf("after down and up Read has %x, want %x", got, want)
	}
}

// TestWriteAfterFlap: what the socket still knows of a time when the interface was
// down does not cost a frame.
func TestWriteAfterFlap(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	c := wiretest.States(d)
	wiretest.Expect(t, c, "Notify", ethstack.LinkUp)
	wiretest.Check(t, netns.SetDown(a))
	wiretest.Expect(t, c, "SetDown", ethstack.LinkDown)
	wiretest.Check(t, netns.SetUp(a))
	wiretest.Expect(t, c, "SetUp", ethstack.LinkUp)
	kernel := wiretest.Listen(t, b, false)
	wiretest.Write(t, d, wiretest.Frame(60, 1), ethstack.Offload{})
	if _, got := kernel.Receive(t); !bytes.Equal(got, wiretest.Frame(60, 1)) {
		t.Errorf("after down and up the kernel received %x", got)
	}
	wantStats(t, d, fdbased.Stats{})
}

// TestOpenWhileDown: a device of an interface that is down becomes of use.
func TestOpenWhileDown(t *testing.T) {
	a, b := veth(t)
	wiretest.Check(t, netns.SetDown(a))
	d := openPacket(t, a, fdbased.Options{})
	c := wiretest.States(d)
	wiretest.Expect(t, c, "Notify", ethstack.LinkDown)
	wiretest.Check(t, netns.SetUp(a))
	wiretest.Expect(t, c, "SetUp", ethstack.LinkUp)
	wiretest.Listen(t, b, false).Send(t, nil, wiretest.Frame(60, 1))
	if got, _ := wiretest.Read(t, d); !bytes.Equal(got, wiretest.Frame(60, 1)) {
		t.Errorf("Read has %x", got)
	}
}

// TestCarrier: an interface that is up but whose cable is not plugged in.
func TestCarrier(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	c := wiretest.States(d)
	wiretest.Expect(t, c, "Notify", ethstack.LinkUp)
	wiretest.Check(t, netns.SetDown(b))
	wiretest.Expect(t, c, "SetDown of the peer", ethstack.LinkDown)
	wiretest.Check(t, netns.SetUp(b))
	wiretest.Expect(t, c, "SetUp of the peer", ethstack.LinkUp)
}

// testGone checks that a device whose Read is under way is gone after act.
func testGone(t *testing.T, d *fdbased.Device, act func() error) {
	t.Helper()
	c := wiretest.States(d)
	wiretest.Expect(t, c, "Notify", ethstack.LinkUp)
	done := make(chan error)
	go func() {
		_, err := d.Read(0, wiretest.Memory(d, 1))
		done <- err
	}()
	wiretest.Check(t, act())
	if err := <-done; !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Read under way: %v, want %v", err, ethstack.ErrDisconnected)
	}
	for got := range c { // down may be told on the way
		if got == ethstack.LinkGone {
			break
		}
	}
	frames := []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}, {Bufs: [][]byte{wiretest.Frame(60, 2)}}}
	gone := d.Stats().WriteGone
	for range 3 {
		readEnd(t, d)
		n, err := d.Write(0, frames)
		if n != 0 || !errors.Is(err, ethstack.ErrDisconnected) || !errors.Is(frames[1].Err, ethstack.ErrDisconnected) {
			t.Errorf("Write: %d, %v, and %v for the second frame; want 0, %v for both", n, err, frames[1].Err, ethstack.ErrDisconnected)
		}
	}
	wantStats(t, d, fdbased.Stats{WriteGone: gone + 6})
	wiretest.Expect(t, wiretest.States(d), "Notify of a device that is gone", ethstack.LinkGone)
	wiretest.Check(t, d.Close())
}

func TestDeletedInterface(t *testing.T) {
	nstest.Need(t)
	for _, what := range []string{"the interface", "its peer"} {
		t.Run(what, func(t *testing.T) {
			nstest.CheckLeaks(t)
			a, b := veth(t)
			if what == "the interface" {
				b = a
			}
			testGone(t, openPacket(t, a, fdbased.Options{}), func() error { return netns.DelLink(b) })
		})
	}
}

// TestMovedInterface: the kernel takes it away from the socket.
func TestMovedInterface(t *testing.T) {
	nstest.Need(t)
	nstest.CheckLeaks(t)
	other, err := netns.New()
	wiretest.Check(t, err)
	t.Cleanup(func() { other.Close() })
	a, _ := veth(t)
	testGone(t, openPacket(t, a, fdbased.Options{}), func() error { return netns.MoveLink(a, other) })
	wiretest.Check(t, other.Do(func() error { return netns.DelLink(a) }))
}

// TestOtherNamespace: a socket that was opened in another network namespace is
// watched there.
func TestOtherNamespace(t *testing.T) {
	nstest.Need(t)
	nstest.CheckLeaks(t)
	other, err := netns.New()
	wiretest.Check(t, err)
	t.Cleanup(func() { other.Close() })
	a, _ := veth(t)
	wiretest.Check(t, netns.MoveLink(a, other))
	var d *fdbased.Device
	wiretest.Check(t, other.Do(func() error {
		wiretest.Check(t, netns.SetUp(a))
		d = device(t, rawSocket(t, 3, 3, a), fdbased.Options{}) // SOCK_RAW, ETH_P_ALL
		return nil
	}))
	wiretest.Check(t, other.Do(func() error { return netns.SetMTU(a, 2000) }))
	wiretest.WaitFor(t, "the MTU to be 2000", func() bool { return d.Info().MTU == 2000 })
	testGone(t, d, func() error { return other.Do(func() error { return netns.DelLink(a) }) })
}

// TestChangedInterface: what can change is read anew.
func TestChangedInterface(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	own := openPacket(t, a, fdbased.Options{HardwareAddr: ethstack.HardwareAddr{2, 1}})
	if got := d.Info(); got.MTU != 1500 || got.MaxFrame != ethstack.MaxSuperFrame || got.Name != a {
		t.Errorf("name %q, MTU %d, MaxFrame %d; want %q, 1500, %d", got.Name, got.MTU, got.MaxFrame, a, ethstack.MaxSuperFrame)
	}
	wiretest.Check(t, netns.SetMTU(a, 3000), netns.SetMTU(b, 3000), netns.SetHardwareAddr(a, [6]byte{2, 2}))
	wiretest.WaitFor(t, "the MTU to be 3000", func() bool { return d.Info().MTU == 3000 })
	wiretest.WaitFor(t, "the hardware address to be the new one", func() bool {
		return d.Info().HardwareAddr == ethstack.HardwareAddr{2, 2}
	})
	wiretest.Write(t, d, wiretest.Frame(3014, 1), ethstack.Offload{})
	wiretest.WaitFor(t, "the MTU to be 3000", func() bool { return own.Info().MTU == 3000 })
	if got, want := own.Info().HardwareAddr, (ethstack.HardwareAddr{2, 1}); got != want {
		t.Errorf("hardware address %v, want %v as the options said", got, want)
	}
}

// TestClose: in every state, with nothing left behind.
func TestClose(t *testing.T) {
	nstest.Need(t)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			nstest.CheckLeaks(t)
			for _, full := range []bool{false, true} {
				a, b := k.pair(t)
				d := device(t, a, fdbased.Options{})
				if full {
					fill(t, d)
				}
				done := make(chan error)
				go func() {
					_, err := d.Read(0, wiretest.Memory(d, 1))
					done <- err
				}()
				wiretest.Check(t, d.Close(), d.Close())
				if err := <-done; !errors.Is(err, ethstack.ErrDisconnected) {
					t.Errorf("Read under way: %v, want %v", err, ethstack.ErrDisconnected)
				}
				b.Close()
			}
		})
	}
	t.Run("packet", func(t *testing.T) {
		a, _ := veth(t) // is there until after the check
		nstest.CheckLeaks(t)
		d := openPacket(t, a, fdbased.Options{})
		wiretest.Check(t, netns.SetDown(a), d.Close(), d.Close())
	})
}
