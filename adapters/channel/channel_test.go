package channel_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ethlink/ethlink/adapters/channel"
	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest/devicetest"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// patience bounds how long a test waits for what must come.
const patience = 10 * time.Second

const allOffloads = ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6 | ethstack.OffloadECN | ethstack.OffloadUDP

func newDevice(t testing.TB, o channel.Options) *channel.Device {
	t.Helper()
	d, err := channel.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// frame makes a frame of n bytes that is told from others by its last byte.
func frame(n int, last byte) []byte {
	b := make([]byte, n)
	ethstack.Header{Destination: arp.Broadcast, Source: ethstack.HardwareAddr{2, 0, 0, 0, 0, 1}, EtherType: 0x88b5}.Put((*[ethstack.HeaderLen]byte)(b))
	b[n-1] = last
	return b
}

func one(b []byte) []ethstack.Frame { return []ethstack.Frame{{Bufs: [][]byte{b}}} }

// carry carries frames from one device to another until they are closed.
func carry(from, to *channel.Device) {
	frames := make([]ethstack.Frame, 4)
	memory := make([][]byte, len(frames))
	for i := range frames {
		memory[i] = make([]byte, from.Info().MaxFrame)
	}
	for {
		for i := range frames {
			frames[i].Bufs = [][]byte{memory[i]}
		}
		n, err := from.NextFrames(context.Background(), frames)
		if err != nil {
			return
		}
		for i := range frames[:n] {
			frames[i].Bufs = [][]byte{memory[i][:frames[i].Len]}
		}
		to.InjectFrames(frames[:n]) // what one does not take is lost
	}
}

func TestContract(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b channel.Options
	}{
		{"plain", channel.Options{}, channel.Options{}},
		{"offload", channel.Options{Offloads: allOffloads}, channel.Options{Offloads: allOffloads}},
		{"jumbo", channel.Options{MTU: 9000}, channel.Options{MTU: 9000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nstest.CheckLeaks(t)
			devicetest.Run(t, func(t *testing.T) (ethstack.Device, ethstack.Device) {
				a, b := newDevice(t, tt.a), newDevice(t, tt.b)
				go carry(a, b)
				go carry(b, a)
				return a, b
			})
		})
	}
}

func TestOptionErrors(t *testing.T) {
	for _, o := range []channel.Options{{MTU: 67}, {MTU: 65536}, {MTU: -1}, {QueueLen: -1}, {HardwareAddr: arp.Broadcast}} {
		if _, err := channel.New(o); err == nil {
			t.Errorf("New(%+v): no error", o)
		}
	}
}

// TestNext: what the stack sends comes out in order, as memory of its own.
func TestNext(t *testing.T) {
	d := newDevice(t, channel.Options{})
	sent := frame(60, 1)
	frames := []ethstack.Frame{{Bufs: [][]byte{sent[:14], sent[14:]}}, {Bufs: [][]byte{frame(70, 2)}}}
	if n, err := d.Write(0, frames); n != 2 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	clear(sent)
	first, err := d.Next(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // what is written now may get memory used before
		d.Write(0, one(frame(80, 3)))
	}
	second, err := d.Next(within(t))
	if err != nil || !bytes.Equal(first, frame(60, 1)) || !bytes.Equal(second, frame(70, 2)) {
		t.Errorf("Next: %x, then %x, %v", first, second, err)
	}
}

// TestNextNeedsNoMetadata: Next refuses to lose metadata.
func TestNextNeedsNoMetadata(t *testing.T) {
	d := newDevice(t, channel.Options{Offloads: ethstack.OffloadChecksum})
	d.Write(0, one(frame(60, 1)))
	if b, err := d.Next(within(t)); err == nil {
		t.Errorf("Next of a device with offloads: %x", b)
	}
}

// TestMetadata: it arrives in both directions, with super-frames.
func TestMetadata(t *testing.T) {
	d := newDevice(t, channel.Options{Offloads: allOffloads})
	want := ethstack.Offload{
		Flags: ethstack.NeedsChecksum, Segment: ethstack.SegmentTCPv4, SegmentSize: 1448, HeaderLen: 54, ChecksumStart: 34, ChecksumOffset: 16,
	}
	for name, way := range map[string]struct {
		offer func([]ethstack.Frame) (int, error)
		take  func([]ethstack.Frame) (int, error)
	}{
		"out": {func(f []ethstack.Frame) (int, error) { return d.Write(0, f) }, func(f []ethstack.Frame) (int, error) { return d.NextFrames(within(t), f) }},
		"in":  {d.InjectFrames, func(f []ethstack.Frame) (int, error) { return d.Read(0, f) }},
	} {
		offered := one(frame(ethstack.MaxSuperFrame, 7))
		offered[0].Offload = want
		if n, err := way.offer(offered); n != 1 || err != nil {
			t.Fatalf("%s: %d, %v", name, n, err)
		}
		got := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 100), make([]byte, ethstack.MaxSuperFrame)}}}
		if n, err := way.take(got); n != 1 || err != nil {
			t.Fatalf("%s: %d, %v", name, n, err)
		}
		if got[0].Len != ethstack.MaxSuperFrame || got[0].Offload != want || !bytes.Equal(slices.Concat(got[0].Bufs...)[:got[0].Len], offered[0].Bufs[0]) {
			t.Errorf("%s: got %d bytes, %+v; want %d, %+v", name, got[0].Len, got[0].Offload, ethstack.MaxSuperFrame, want)
		}
	}
}

// TestClosedFramesAreCounted: what nobody will read is.
func TestClosedFramesAreCounted(t *testing.T) {
	d := newDevice(t, channel.Options{})
	d.Inject(frame(60, 1))
	d.Inject(frame(60, 2))
	d.Close()
	if got := d.Stats().In; got != (channel.LaneStats{Closed: 2}) {
		t.Errorf("stats: %+v, want Closed 2", got)
	}
}

// TestNextContext: the context ends the wait.
func TestNextContext(t *testing.T) {
	d := newDevice(t, channel.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	errs := make(chan error, 2)
	go func() { _, err := d.Next(ctx); errs <- err }()
	go func() { _, err := d.NextFrames(ctx, one(make([]byte, 100))); errs <- err }()
	cancel()
	for range 2 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
	}
}

// TestNotify: the stack is told of what SetLinkState says, until the end.
func TestNotify(t *testing.T) {
	d := newDevice(t, channel.Options{})
	states := make(chan ethstack.LinkState, 10)
	d.Notify(func(s ethstack.LinkState) { states <- s })
	want := []ethstack.LinkState{ethstack.LinkUp, ethstack.LinkDown, ethstack.LinkUp, ethstack.LinkGone}
	for i, s := range want {
		if i > 0 {
			d.SetLinkState(s)
		}
		select {
		case got := <-states:
			if got != s {
				t.Fatalf("told %v, want %v", got, s)
			}
		case <-time.After(patience):
			t.Fatalf("not told %v", s)
		}
	}
	d.SetLinkState(ethstack.LinkDown)
	if err := d.Inject(frame(60, 1)); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Inject after LinkGone and LinkDown: %v, want %v", err, ethstack.ErrDisconnected)
	}
}
