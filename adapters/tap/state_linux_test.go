package tap_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

func TestDownAndUp(t *testing.T) {
	d := open(t, tap.Options{})
	name := d.Info().Name
	c := wiretest.States(d)
	wiretest.Expect(t, c, "Notify", ethstack.LinkUp)

	done := make(chan []byte)
	go func() {
		b, _ := wiretest.Read(t, d) // waits while the interface is down
		done <- b
	}()
	wiretest.Check(t, netns.SetDown(name))
	wiretest.Expect(t, c, "SetDown", ethstack.LinkDown)
	n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}, {Bufs: [][]byte{wiretest.Frame(60, 2)}}})
	if n != 0 || !errors.Is(err, ethstack.ErrNoBufferSpace) {
		t.Errorf("Write while down: %d, %v; want 0, %v", n, err, ethstack.ErrNoBufferSpace)
	}
	if got, want := d.Stats(), (tap.Stats{WriteDown: 2}); got != want {
		t.Errorf("counters %+v, want %+v", got, want)
	}

	wiretest.Check(t, netns.SetUp(name))
	wiretest.Expect(t, c, "SetUp", ethstack.LinkUp)
	want := wiretest.Frame(60, 3)
	kernel := wiretest.Listen(t, name, false)
	wiretest.Write(t, d, want, ethstack.Offload{})
	if _, got := kernel.Receive(t); !bytes.Equal(got, want) {
		t.Errorf("after down and up the kernel received %x, want %x", got, want)
	}
	kernel.Send(t, nil, want)
	if got := <-done; !bytes.Equal(got, want) {
		t.Errorf("after down and up Read has %x, want %x", got, want)
	}
}

func TestDeletedInterface(t *testing.T) {
	nstest.Need(t)
	nstest.CheckLeaks(t)
	d := open(t, tap.Options{})
	c := wiretest.States(d)
	wiretest.Expect(t, c, "Notify", ethstack.LinkUp)
	done := make(chan error)
	go func() {
		_, err := d.Read(0, wiretest.Memory(d, 1))
		done <- err
	}()
	wiretest.Check(t, netns.DelLink(d.Info().Name))
	if err := <-done; !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Read under way when the interface was deleted: %v, want %v", err, ethstack.ErrDisconnected)
	}
	for got := range c { // down may be told on the way
		if got == ethstack.LinkGone {
			break
		}
	}
	for range 3 {
		if _, err := d.Read(0, wiretest.Memory(d, 1)); !errors.Is(err, ethstack.ErrDisconnected) {
			t.Errorf("Read after the interface was deleted: %v, want %v", err, ethstack.ErrDisconnected)
		}
		f := []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}}
		if _, err := d.Write(0, f); !errors.Is(err, ethstack.ErrDisconnected) {
			t.Errorf("Write after the interface was deleted: %v, want %v", err, ethstack.ErrDisconnected)
		}
	}
	if got, want := d.Stats(), (tap.Stats{WriteGone: 3}); got != want {
		t.Errorf("counters %+v, want %+v", got, want)
	}
	wiretest.Expect(t, wiretest.States(d), "Notify of a device that is gone", ethstack.LinkGone)
	wiretest.Check(t, d.Close())
}

// TestSeveralQueuesEndTogether: with the device or with its interface, each
// Read under way ends and each queue is gone.
func TestSeveralQueuesEndTogether(t *testing.T) {
	nstest.NeedTUN(t)
	for name, end := range map[string]func(*tap.Device) error{
		"closed":  (*tap.Device).Close,
		"deleted": func(d *tap.Device) error { return netns.DelLink(d.Info().Name) },
	} {
		t.Run(name, func(t *testing.T) {
			nstest.CheckLeaks(t)
			d := open(t, tap.Options{Queues: someQueues})
			done := make(chan error)
			for q := range someQueues {
				go func() {
					_, err := d.Read(q, wiretest.Memory(d, 1))
					done <- err
				}()
			}
			wiretest.Check(t, end(d))
			for range someQueues {
				if err := <-done; !errors.Is(err, ethstack.ErrDisconnected) {
					t.Errorf("Read under way: %v, want %v", err, ethstack.ErrDisconnected)
				}
			}
			wiretest.WaitFor(t, "the link to be gone", func() bool {
				return <-wiretest.States(d) == ethstack.LinkGone
			})
			for q := range someQueues {
				if _, err := d.Read(q, wiretest.Memory(d, 1)); !errors.Is(err, ethstack.ErrDisconnected) {
					t.Errorf("Read of queue %d: %v, want %v", q, err, ethstack.ErrDisconnected)
				}
				f := []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}}
				if _, err := d.Write(q, f); !errors.Is(err, ethstack.ErrDisconnected) {
					t.Errorf("Write to queue %d: %v, want %v", q, err, ethstack.ErrDisconnected)
				}
			}
			wiretest.Check(t, d.Close())
		})
	}
}

// TestQueueThatIsNone: the error names it.
func TestQueueThatIsNone(t *testing.T) {
	for queues, bad := range map[int][]int{1: {-1, 1}, someQueues: {-1, someQueues, someQueues + 1}} {
		d := open(t, tap.Options{Queues: queues})
		for _, q := range bad {
			frames := []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}}
			n, err := d.Read(q, frames)
			if want := fmt.Sprintf("no queue %d: it has %d", q, queues); n != 0 || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Read of queue %d: %d, %v; want an error that says %q", q, n, err, want)
			}
			if n, werr := d.Write(q, frames); n != 0 || werr == nil || frames[0].Err != werr {
				t.Errorf("Write to queue %d: %d, %v; want an error", q, n, werr)
			}
		}
	}
}

// TestBridgePortIsNotDeleted: what a bridge reports when an interface stops
// being its port looks like a deletion.
func TestBridgePortIsNotDeleted(t *testing.T) {
	d := open(t, tap.Options{})
	name := d.Info().Name
	wiretest.Check(t, netns.AddBridge("br"))
	t.Cleanup(func() { wiretest.Check(t, netns.DelLink("br")) })
	c := wiretest.States(d)
	wiretest.Expect(t, c, "Notify", ethstack.LinkUp)
	wiretest.Check(t, netns.SetBridge(name, "br"), netns.SetBridge(name, ""), netns.SetDown(name))
	wiretest.Expect(t, c, "a bridge's port was taken away, and SetDown", ethstack.LinkDown)
	wiretest.Check(t, netns.SetUp(name))
	wiretest.Expect(t, c, "SetUp", ethstack.LinkUp)
}

func TestChangedMTU(t *testing.T) {
	d := open(t, tap.Options{NoOffload: true})
	if got := d.Info(); got.MTU != 1500 || got.MaxFrame != 1518 {
		t.Errorf("MTU %d, MaxFrame %d; want 1500, 1518", got.MTU, got.MaxFrame)
	}
	wiretest.Check(t, netns.SetMTU(d.Info().Name, 3000))
	wiretest.WaitFor(t, "the MTU to be 3000", func() bool { return d.Info().MTU == 3000 })
	if got := d.Info().MaxFrame; got != 3018 {
		t.Errorf("MaxFrame with an MTU of 3000 is %d, want 3018", got)
	}
	wiretest.Write(t, d, wiretest.Frame(3014, 1), ethstack.Offload{})
}

func TestMovedInterface(t *testing.T) {
	nstest.Need(t)
	for _, queues := range []int{1, someQueues} {
		t.Run(fmt.Sprint(queues), func(t *testing.T) { testMoved(t, queues) })
	}
}

func testMoved(t *testing.T, queues int) {
	nstest.CheckLeaks(t)
	other, err := netns.New()
	wiretest.Check(t, err)
	t.Cleanup(func() { other.Close() })
	d := open(t, tap.Options{Queues: queues})
	name := d.Info().Name
	c := wiretest.States(d)
	wiretest.Expect(t, c, "Notify", ethstack.LinkUp)

	wiretest.Check(t, netns.MoveLink(name, other))
	wiretest.Expect(t, c, "MoveLink", ethstack.LinkDown)
	wiretest.Check(t, other.Do(func() error {
		return errors.Join(netns.SetMTU(name, 2000), netns.SetUp(name))
	}))
	wiretest.Expect(t, c, "SetUp in the other namespace", ethstack.LinkUp)
	if got := d.Info().MTU; got != 2000 {
		t.Errorf("MTU is %d, want 2000, as set in the other namespace", got)
	}
	var kernel wiretest.PacketSocket
	wiretest.Check(t, other.Do(func() error { kernel = wiretest.Listen(t, name, false); return nil }))
	for q := range queues {
		want := wiretest.Frame(60, byte(q))
		if n, err := d.Write(q, []ethstack.Frame{{Bufs: [][]byte{want}}}); n != 1 || err != nil {
			t.Errorf("Write to queue %d: %d, %v", q, n, err)
		}
		if _, got := kernel.Receive(t); !bytes.Equal(got, want) {
			t.Errorf("in the other namespace the kernel received %x through queue %d, want %x", got, q, want)
		}
	}
	queueOfExperiments(t, d, kernel)
	wiretest.Check(t, other.Do(func() error { return netns.DelLink(name) }))
	for got := range c {
		if got == ethstack.LinkGone {
			break
		}
	}
	wiretest.Check(t, d.Close())
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
				wiretest.Check(t, d.Close())
				c <- s
			}
		})
	})
	wiretest.Expect(t, c, "Notify inside a call", ethstack.LinkUp)
	wiretest.Check(t, netns.SetDown(d.Info().Name))
	wiretest.Expect(t, c, "SetDown", ethstack.LinkDown)
	wiretest.Expect(t, c, "Close inside a call", ethstack.LinkDown)
}
