package tap_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// states subscribes to a device's states.
func states(d *tap.Device) <-chan ethstack.LinkState {
	c := make(chan ethstack.LinkState, 100)
	d.Notify(func(s ethstack.LinkState) { c <- s })
	return c
}

// expect waits for the next state and checks which one it is.
func expect(t *testing.T, c <-chan ethstack.LinkState, what string, want ethstack.LinkState) {
	t.Helper()
	var got ethstack.LinkState
	waitFor(t, "a state after "+what, func() bool {
		select {
		case got = <-c:
			return true
		default:
			return false
		}
	})
	if got != want {
		t.Errorf("state after %s: %v, want %v", what, got, want)
	}
}

func TestDownAndUp(t *testing.T) {
	d := open(t, tap.Options{})
	name := d.Info().Name
	kernel := listen(t, name, false)
	c := states(d)
	expect(t, c, "Notify", ethstack.LinkUp)

	done := make(chan []byte)
	go func() {
		b, _ := read(t, d) // waits while the interface is down
		done <- b
	}()
	check(t, netns.SetDown(name))
	expect(t, c, "SetDown", ethstack.LinkDown)
	n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{frame(60, 1)}}, {Bufs: [][]byte{frame(60, 2)}}})
	if n != 0 || !errors.Is(err, ethstack.ErrNoBufferSpace) {
		t.Errorf("Write while down: %d, %v; want 0, %v", n, err, ethstack.ErrNoBufferSpace)
	}
	if got, want := d.Stats(), (tap.Stats{WriteDown: 2}); got != want {
		t.Errorf("counters %+v, want %+v", got, want)
	}

	check(t, netns.SetUp(name))
	expect(t, c, "SetUp", ethstack.LinkUp)
	want := frame(60, 3)
	write(t, d, want, ethstack.Offload{})
	kernel = listen(t, name, false) // the old one was told that the network is down
	write(t, d, want, ethstack.Offload{})
	if _, got := kernel.receive(t); !bytes.Equal(got, want) {
		t.Errorf("after down and up the kernel received %x, want %x", got, want)
	}
	kernel.send(t, nil, want)
	if got := <-done; !bytes.Equal(got, want) {
		t.Errorf("after down and up Read has %x, want %x", got, want)
	}
}

func TestDeletedInterface(t *testing.T) {
	nstest.Need(t)
	nstest.CheckLeaks(t)
	d := open(t, tap.Options{})
	c := states(d)
	expect(t, c, "Notify", ethstack.LinkUp)
	done := make(chan error)
	go func() {
		_, err := d.Read(0, memory(d, 1))
		done <- err
	}()
	check(t, netns.DelLink(d.Info().Name))
	if err := <-done; !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Read under way when the interface was deleted: %v, want %v", err, ethstack.ErrDisconnected)
	}
	for got := range c { // down may be told on the way
		if got == ethstack.LinkGone {
			break
		}
	}
	for range 3 {
		if _, err := d.Read(0, memory(d, 1)); !errors.Is(err, ethstack.ErrDisconnected) {
			t.Errorf("Read after the interface was deleted: %v, want %v", err, ethstack.ErrDisconnected)
		}
		f := []ethstack.Frame{{Bufs: [][]byte{frame(60, 1)}}}
		if _, err := d.Write(0, f); !errors.Is(err, ethstack.ErrDisconnected) {
			t.Errorf("Write after the interface was deleted: %v, want %v", err, ethstack.ErrDisconnected)
		}
	}
	if got, want := d.Stats(), (tap.Stats{WriteGone: 3}); got != want {
		t.Errorf("counters %+v, want %+v", got, want)
	}
	expect(t, states(d), "Notify of a device that is gone", ethstack.LinkGone)
	check(t, d.Close())
}

// TestBridgePortIsNotDeleted: what a bridge reports when an interface stops
// being its port looks like a deletion.
func TestBridgePortIsNotDeleted(t *testing.T) {
	d := open(t, tap.Options{})
	name := d.Info().Name
	check(t, netns.AddBridge("br"))
	t.Cleanup(func() { check(t, netns.DelLink("br")) })
	c := states(d)
	expect(t, c, "Notify", ethstack.LinkUp)
	check(t, netns.SetBridge(name, "br"), netns.SetBridge(name, ""), netns.SetDown(name))
	expect(t, c, "a bridge's port was taken away, and SetDown", ethstack.LinkDown)
	check(t, netns.SetUp(name))
	expect(t, c, "SetUp", ethstack.LinkUp)
}

func TestChangedMTU(t *testing.T) {
	d := open(t, tap.Options{NoOffload: true})
	if got := d.Info(); got.MTU != 1500 || got.MaxFrame != 1518 {
		t.Errorf("MTU %d, MaxFrame %d; want 1500, 1518", got.MTU, got.MaxFrame)
	}
	check(t, netns.SetMTU(d.Info().Name, 3000))
	waitFor(t, "the MTU to be 3000", func() bool { return d.Info().MTU == 3000 })
	if got := d.Info().MaxFrame; got != 3018 {
		t.Errorf("MaxFrame with an MTU of 3000 is %d, want 3018", got)
	}
	write(t, d, frame(3014, 1), ethstack.Offload{})
}

func TestMovedInterface(t *testing.T) {
	nstest.Need(t)
	nstest.CheckLeaks(t)
	other, err := netns.New()
	check(t, err)
	t.Cleanup(func() { other.Close() })
	d := open(t, tap.Options{})
	name := d.Info().Name
	c := states(d)
	expect(t, c, "Notify", ethstack.LinkUp)

	check(t, netns.MoveLink(name, other))
	expect(t, c, "MoveLink", ethstack.LinkDown)
	check(t, other.Do(func() error {
		return errors.Join(netns.SetMTU(name, 2000), netns.SetUp(name))
	}))
	expect(t, c, "SetUp in the other namespace", ethstack.LinkUp)
	if got := d.Info().MTU; got != 2000 {
		t.Errorf("MTU is %d, want 2000, as set in the other namespace", got)
	}
	var kernel packetSocket
	check(t, other.Do(func() error { kernel = listen(t, name, false); return nil }))
	want := frame(60, 9)
	write(t, d, want, ethstack.Offload{})
	if _, got := kernel.receive(t); !bytes.Equal(got, want) {
		t.Errorf("in the other namespace the kernel received %x, want %x", got, want)
	}
	check(t, other.Do(func() error { return netns.DelLink(name) }))
	for got := range c {
		if got == ethstack.LinkGone {
			break
		}
	}
	check(t, d.Close())
}

// TestNotifyFromACall: the function that is told may set another, or none, or
// close the device.
func TestNotifyFromACall(t *testing.T) {
	d := open(t, tap.Options{})
	c := make(chan ethstack.LinkState, 10)
	first := true
	d.Notify(func(ethstack.LinkState) {
		if !first {
			t.Error("a function was told although another was set")
		}
		first = false
		d.Notify(func(s ethstack.LinkState) {
			c <- s
			if s == ethstack.LinkDown {
				d.Notify(nil)
				check(t, d.Close())
				c <- s
			}
		})
	})
	expect(t, c, "Notify inside a call", ethstack.LinkUp)
	check(t, netns.SetDown(d.Info().Name))
	expect(t, c, "SetDown", ethstack.LinkDown)
	expect(t, c, "Close inside a call", ethstack.LinkDown)
}
