package channel_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ethlink/ethlink/adapters/channel"
	"github.com/ethlink/ethlink/ethstack"
)

// TestRefused: each reason for which a frame is not taken, in both directions,
// has its error and its counter.
func TestRefused(t *testing.T) {
	checksum := one(frame(60, 1))
	checksum[0].Offload = ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 34}
	for _, tt := range []struct {
		name    string
		prepare func(*channel.Device)
		frame   []ethstack.Frame
		err     error
		want    channel.LaneStats
	}{
		{"full", nil, one(frame(60, 1)), ethstack.ErrNoBufferSpace, channel.LaneStats{Waiting: 2, Full: 1}},
		{"too long", nil, one(frame(1515, 1)), ethstack.ErrMessageTooLong, channel.LaneStats{Waiting: 2, TooLong: 1}},
		{"offload", nil, checksum, ethstack.ErrUnsupportedOffload, channel.LaneStats{Waiting: 2, Invalid: 1}},
		{"down", func(d *channel.Device) { d.SetLinkState(ethstack.LinkDown) }, one(frame(60, 1)), ethstack.ErrNoBufferSpace, channel.LaneStats{Waiting: 2, Down: 1}},
		{"gone", func(d *channel.Device) { d.SetLinkState(ethstack.LinkGone) }, one(frame(60, 1)), ethstack.ErrDisconnected, channel.LaneStats{Waiting: 2, Gone: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDevice(t, channel.Options{QueueLen: 2})
			for range 2 {
				if _, err := d.Write(0, one(frame(60, 0))); err != nil {
					t.Fatal(err)
				}
				if err := d.Inject(frame(60, 0)); err != nil {
					t.Fatal(err)
				}
			}
			if tt.prepare != nil {
				tt.prepare(d)
			}
			for name, offer := range map[string]func([]ethstack.Frame) (int, error){
				"Write": func(f []ethstack.Frame) (int, error) { return d.Write(0, f) }, "InjectFrames": d.InjectFrames,
			} {
				if n, err := offer(tt.frame); n != 0 || !errors.Is(err, tt.err) || tt.frame[0].Err != err {
					t.Errorf("%s: %d, %v, Err %v; want 0, %v in both", name, n, err, tt.frame[0].Err, tt.err)
				}
			}
			if d := cmp.Diff(channel.Stats{Out: tt.want, In: tt.want}, d.Stats()); d != "" {
				t.Errorf("stats (-want +got):\n%s", d)
			}
		})
	}
}

// TestInjectContext waits for room, and for nothing else.
func TestInjectContext(t *testing.T) {
	d := newDevice(t, channel.Options{QueueLen: 1})
	if err := d.InjectContext(within(t), frame(60, 1)); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.InjectContext(over, frame(60, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("into a full queue with a context that is over: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- d.InjectContext(within(t), frame(60, 3)) }()
	for _, want := range []byte{1, 3} {
		f := one(make([]byte, 60))
		if n, err := d.Read(0, f); n != 1 || err != nil || f[0].Bufs[0][59] != want {
			t.Errorf("Read: %d, %v, frame %d; want frame %d", n, err, f[0].Bufs[0][59], want)
		}
	}
	if err := <-done; err != nil {
		t.Errorf("into a queue that was read meanwhile: %v", err)
	}
	d.SetLinkState(ethstack.LinkDown)
	if err := d.InjectContext(within(t), frame(60, 4)); !errors.Is(err, ethstack.ErrNoBufferSpace) {
		t.Errorf("with the link down: %v, want %v at once", err, ethstack.ErrNoBufferSpace)
	}
}

// TestCloseWakes: all who wait return, and what the stack had sent can still be
// taken.
func TestCloseWakes(t *testing.T) {
	for _, how := range []struct {
		name string
		end  func(*channel.Device)
	}{
		{"Close", func(d *channel.Device) { d.Close() }},
		{"LinkGone", func(d *channel.Device) { d.SetLinkState(ethstack.LinkGone) }},
	} {
		t.Run(how.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testCloseWakes(t, how.end) })
		})
	}
}

func testCloseWakes(t *testing.T, end func(*channel.Device)) {
	ctx := context.Background()
	idle, full := newDevice(t, channel.Options{}), newDevice(t, channel.Options{QueueLen: 1})
	full.Inject(frame(60, 1))
	full.Write(0, one(frame(60, 2)))
	for name, wait := range map[string]func() error{
		"Read":          func() error { _, err := idle.Read(0, one(make([]byte, 2000))); return err },
		"Next":          func() error { _, err := idle.Next(ctx); return err },
		"NextFrames":    func() error { _, err := idle.NextFrames(ctx, one(make([]byte, 2000))); return err },
		"InjectContext": func() error { return full.InjectContext(ctx, frame(60, 3)) },
	} {
		go func() {
			if err := wait(); !errors.Is(err, ethstack.ErrDisconnected) {
				t.Errorf("%s: %v, want %v", name, err, ethstack.ErrDisconnected)
			}
		}()
	}
	synctest.Wait() // all of them wait
	end(idle)
	end(full)
	synctest.Wait()
	if b, err := full.Next(ctx); err != nil || b[59] != 2 {
		t.Errorf("Next for what was sent before: %x, %v", b, err)
	}
	if _, err := full.Next(ctx); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Next after that: %v", err)
	}
}
