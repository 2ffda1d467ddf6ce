package fdbased_test

import (
	"errors"
	"testing"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest/devicetest"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestContractOfSeveralQueues: frames that are not IP have no flow, and come in
// on one queue.
func TestContractOfSeveralQueues(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) (ethstack.Device, ethstack.Device) {
		a, b := veth(t)
		return oneQueue(t, a, b), oneQueue(t, b, a)
	})
}

// oneQueue opens a device of several queues, of which one is used.
func oneQueue(t *testing.T, name, peer string) ethstack.Device {
	t.Helper()
	d := openPacket(t, name, fdbased.Options{Queues: someQueues})
	kernel, frame := wiretest.Listen(t, peer, false), wiretest.Frame(60, 1)
	queues := wiretest.QueuesOf(t, d, [][]byte{frame}, func(int) { kernel.Send(t, nil, frame) })
	return wiretest.OneQueue{Device: d, Queue: queues[0]}
}

// TestSeveralQueuesDownAndUp: the sockets still share the flows afterwards.
func TestSeveralQueuesDownAndUp(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{Queues: someQueues})
	c := wiretest.States(d)
	wiretest.Expect(t, c, "Notify", ethstack.LinkUp)
	wiretest.Check(t, netns.SetDown(a))
	wiretest.Expect(t, c, "SetDown", ethstack.LinkDown)
	for q := range someQueues {
		n, err := d.Write(q, []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(60, 1)}}})
		if n != 0 || !errors.Is(err, ethstack.ErrNoBufferSpace) {
			t.Errorf("Write to queue %d while down: %d, %v; want 0, %v", q, n, err, ethstack.ErrNoBufferSpace)
		}
	}
	wiretest.Check(t, netns.SetUp(a))
	wiretest.Expect(t, c, "SetUp", ethstack.LinkUp)
	wantShared(t, d, b)
	wantStats(t, d, fdbased.Stats{WriteDown: someQueues})
}

// TestOpenSeveralQueuesWhileDown: where the kernel refuses, the error says what to
// do.
func TestOpenSeveralQueuesWhileDown(t *testing.T) {
	a, b := veth(t)
	wiretest.Check(t, netns.SetDown(a))
	d, err := fdbased.OpenPacket(a, fdbased.Options{Queues: someQueues})
	if err != nil {
		refused(t, func() (*fdbased.Device, error) { return nil, err }, `"fa"`, "PACKET_FANOUT", "must be up")
		return
	}
	wiretest.CloseLater(t, d)
	c := wiretest.States(d)
	wiretest.Expect(t, c, "Notify", ethstack.LinkDown)
	wiretest.Check(t, netns.SetUp(a))
	wiretest.Expect(t, c, "SetUp", ethstack.LinkUp)
	wantShared(t, d, b)
}

// wantShared checks that flows come in once, on all queues, and closes the
// device.
func wantShared(t *testing.T, d *fdbased.Device, peer string) {
	t.Helper()
	const flows = 64
	got, kernel := collect(d), wiretest.Listen(t, peer, false)
	for flow := range flows {
		kernel.Send(t, nil, flowFrame(flow, 0))
	}
	got.wait(t, flows)
	if used := got.used(); got.count != flows || len(used) != d.Queues() {
		t.Errorf("%d frames came in on queues %v; want %d on all %d", got.count, used, flows, d.Queues())
	}
}

// TestSeveralQueuesEndTogether: with the device or with its interface, each Read
// under way ends and each queue is gone.
func TestSeveralQueuesEndTogether(t *testing.T) {
	nstest.Need(t)
	for name, end := range map[string]func(*fdbased.Device) error{
		"closed":  (*fdbased.Device).Close,
		"deleted": func(d *fdbased.Device) error { return netns.DelLink(d.Info().Name) },
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := veth(t)
			nstest.CheckLeaks(t)
			d := openPacket(t, a, fdbased.Options{Queues: someQueues})
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
			wiretest.Expect(t, wiretest.States(d), "Notify", ethstack.LinkGone)
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
