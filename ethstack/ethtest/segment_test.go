package ethtest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/google/go-cmp/cmp"
)

// TestDelay: frames arrive after the delay, in order, and never inside Write;
// at a function and in a queue alike.
func TestDelay(t *testing.T) {
	for _, tt := range []struct {
		name     string
		min, max time.Duration
	}{
		{"none", 0, 0},
		{"fixed", 5 * time.Millisecond, 0},
		{"random", time.Millisecond, 9 * time.Millisecond},
		{"random from zero", 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var clock ethtest.ManualClock
			s := newSegment(t, ethtest.SegmentOptions{Seed: 1, Clock: &clock, MinDelay: tt.min, MaxDelay: tt.max})
			a, b, queued := newPort(t, s, ethtest.PortOptions{}), newPort(t, s, ethtest.PortOptions{}), newPort(t, s, ethtest.PortOptions{})
			got := collect(b)
			var want []int
			for i := range 50 {
				write(t, a, frame(addrB, addrA, i))
				want = append(want, i)
			}
			if len(*got) > 0 {
				t.Errorf("%d frames were delivered inside Write", len(*got))
			}
			if tt.min > 0 {
				clock.Advance(tt.min - 1)
				if len(*got) > 0 || queued.Stats().Waiting > 0 {
					t.Errorf("%d and %d frames arrived before %v", len(*got), queued.Stats().Waiting, tt.min)
				}
			}
			wantStats(t, b, ethtest.PortStats{Offered: 50, UnderWay: 50})
			clock.Advance(max(tt.min, tt.max))
			if d := cmp.Diff(want, *got); d != "" {
				t.Errorf("function (-want +got):\n%s", d)
			}
			if d := cmp.Diff(want, readAll(t, queued)); d != "" {
				t.Errorf("queue (-want +got):\n%s", d)
			}
			wantStats(t, b, ethtest.PortStats{Offered: 50, Delivered: 50})
		})
	}
}

// TestFaultRates: each fault happens about as often as it should, and all
// frames are accounted for.
func TestFaultRates(t *testing.T) {
	const seed, frames = 3, 20000
	for _, tt := range []struct {
		name string
		o    ethtest.SegmentOptions
		want float64
		rate func(ethtest.PortStats, []int) float64
	}{
		{"no loss", ethtest.SegmentOptions{}, 0, lossRate},
		{"loss", ethtest.SegmentOptions{Loss: 0.1}, 0.1, lossRate},
		{"all lost", ethtest.SegmentOptions{Loss: 1}, 1, lossRate},
		{"duplicate", ethtest.SegmentOptions{Duplicate: 0.2}, 0.2, duplicateRate},
		{"all duplicated", ethtest.SegmentOptions{Duplicate: 1}, 1, duplicateRate},
		{"no reordering", ethtest.SegmentOptions{}, 0, reorderRate},
		{"reordering", ethtest.SegmentOptions{Reorder: 0.05, ReorderDelay: time.Microsecond}, 0.05, reorderRate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var clock ethtest.ManualClock
			tt.o.Seed, tt.o.Clock = seed, &clock
			s := newSegment(t, tt.o)
			a, b := newPort(t, s, ethtest.PortOptions{}), newPort(t, s, ethtest.PortOptions{})
			got := collect(b)
			for i := range frames {
				write(t, a, frame(addrB, addrA, i))
				clock.Advance(500 * time.Nanosecond)
			}
			clock.Run(time.Second)
			stats := b.Stats()
			if rate := tt.rate(stats, *got); rate < tt.want*0.9 || rate > tt.want*1.1 {
				t.Errorf("seed %d: rate is %.4f, want %.4f within a tenth", seed, rate, tt.want)
			}
			if stats.Offered != stats.Delivered+stats.Dropped() || int(stats.Delivered) != len(*got) {
				t.Errorf("seed %d: %d arrived, and stats do not add up: %+v", seed, len(*got), stats)
			}
		})
	}
}

func lossRate(s ethtest.PortStats, got []int) float64 {
	return 1 - float64(len(got))/float64(s.Offered)
}

func duplicateRate(s ethtest.PortStats, got []int) float64 {
	seen := make(map[int]int)
	twice := 0
	for _, n := range got {
		if seen[n]++; seen[n] == 2 {
			twice++
		}
	}
	return float64(twice) / float64(len(seen))
}

// reorderRate counts frames that were overtaken.
func reorderRate(_ ethtest.PortStats, got []int) float64 {
	overtaken, highest := 0, -1
	for _, n := range got {
		if n < highest {
			overtaken++
		}
		highest = max(highest, n)
	}
	return float64(overtaken) / float64(len(got))
}

// echoHosts runs hosts on a segment with every fault for a second, in which
// each answers what it gets with probability one half, and returns a hash of the
// capture and how long it was.
func echoHosts(t *testing.T, seed uint64) (hash [32]byte, frames int) {
	t.Helper()
	var clock ethtest.ManualClock
	h := sha256.New()
	s := newSegment(t, ethtest.SegmentOptions{
		Seed: seed, Clock: &clock, MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond,
		Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, Trailing: 18, Switch: true,
		Capture: func(c ethtest.Capture) {
			frames++
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(c.Time)))
			h.Write([]byte(c.From.Info().Name))
			h.Write(c.Frame)
		},
	})
	random := rand.New(rand.NewPCG(seed, 1))
	var ports []*ethtest.Port
	for i := range 5 {
		own := ethstack.HardwareAddr{2, 0, 0, 0, 0, byte(i)}
		p := newPort(t, s, ethtest.PortOptions{HardwareAddr: own})
		ports = append(ports, p)
		p.OnFrame(func(f *ethstack.Frame) {
			in, why := ethstack.ParseHeader(f.Bufs[0], f.Len)
			if why != ethstack.DropNone {
				t.Errorf("seed %d: %x: %v", seed, f.Bufs[0], why)
			}
			if random.IntN(2) == 0 {
				write(t, p, frame(in.Source, own, numberOf(f.Bufs[0])+1))
			}
		})
		clock.AfterFunc(time.Duration(i)*time.Millisecond, func() {
			write(t, p, frame(ethstack.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, own, i<<16))
		})
	}
	clock.Advance(time.Second)
	for _, p := range ports {
		if st := p.Stats(); st.Offered != st.Delivered+st.UnderWay+st.Dropped() {
			t.Errorf("seed %d: stats do not add up: %+v", seed, st)
		}
	}
	return [32]byte(h.Sum(nil)), frames
}

// TestDeterministic: the same seed gives the same capture, another gives
// another.
func TestDeterministic(t *testing.T) {
	first, frames := echoHosts(t, 1)
	if frames < 20 {
		t.Errorf("only %d frames were captured: the test shows little", frames)
	}
	for range 3 {
		if again, _ := echoHosts(t, 1); again != first {
			t.Fatal("two runs with seed 1 differ")
		}
	}
	if other, _ := echoHosts(t, 2); other == first {
		t.Error("seeds 1 and 2 give the same capture")
	}
}

func TestTrailing(t *testing.T) {
	const seed = 4
	s := newSegment(t, ethtest.SegmentOptions{Seed: seed, Trailing: 30})
	a, b := newPort(t, s, ethtest.PortOptions{MTU: 68}), newPort(t, s, ethtest.PortOptions{})
	lengths := make(map[int]bool)
	want := frame(addrB, addrA, 1)
	for range 300 {
		write(t, a, want)
		f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 2000)}}}
		if _, err := b.Read(0, f); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f[0].Bufs[0][:len(want)], want) {
			t.Fatalf("seed %d: got %x, want it to begin with %x", seed, f[0].Bufs[0][:f[0].Len], want)
		}
		lengths[f[0].Len] = true
	}
	// 60 bytes were sent, and the MTU leaves room for 22 more.
	for n := range 2000 {
		if got, want := lengths[n], n >= 60 && n <= 82; got != want {
			t.Errorf("seed %d: frames of %d bytes: %v, want %v", seed, n, got, want)
		}
	}
}

// TestOffload: ports that have an offload see the frame and its metadata as it
// was sent, the others see what it stands for.
func TestOffload(t *testing.T) {
	const tso = ethstack.OffloadChecksum | ethstack.OffloadTCPv4
	s := newSegment(t, ethtest.SegmentOptions{})
	a := newPort(t, s, ethtest.PortOptions{Offloads: tso})
	whole := newPort(t, s, ethtest.PortOptions{Offloads: tso})
	parts := newPort(t, s, ethtest.PortOptions{Offloads: ethstack.OffloadChecksum})
	plain := newPort(t, s, ethtest.PortOptions{})
	if got := a.Info().MaxFrame; got != ethstack.MaxSuperFrame {
		t.Errorf("MaxFrame with segmentation is %d, want %d", got, ethstack.MaxSuperFrame)
	}

	const payload, size = 2500, 1000
	super := make([]byte, 54+payload)
	copy(super, frame(addrB, addrA, 0)[:12])
	copy(super[12:], []byte{
		0x08, 0x00, 0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0x12, 0x34, 0x56, 0x78, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0,
	})
	binary.BigEndian.PutUint16(super[16:], 40+payload)
	binary.BigEndian.PutUint16(super[50:], 0x0a00+0x0001+0x0a00+0x0002+6+20+payload) // of the pseudo-header
	for i := range payload {
		super[54+i] = byte(i * 7)
	}
	offload := ethstack.Offload{
		Flags: ethstack.NeedsChecksum, Segment: ethstack.SegmentTCPv4, SegmentSize: size, HeaderLen: 54,
		ChecksumStart: 34, ChecksumOffset: 16,
	}
	if n, err := a.Write(0, []ethstack.Frame{{Bufs: [][]byte{super}, Offload: offload}}); n != 1 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}

	read := func(p *ethtest.Port, n int) (frames []ethstack.Frame) {
		t.Helper()
		if got := p.Stats().Waiting; got != uint64(n) {
			t.Fatalf("%s: %d frames arrived, want %d", p.Info().Name, got, n)
		}
		frames = make([]ethstack.Frame, n)
		for i := range frames {
			frames[i].Bufs = [][]byte{make([]byte, 3000)}
		}
		if _, err := p.Read(0, frames); err != nil {
			t.Fatal(err)
		}
		return frames
	}
	got := read(whole, 1)[0]
	if !bytes.Equal(got.Bufs[0][:got.Len], super) || got.Offload != offload {
		t.Errorf("a port with the offload got %d bytes, %+v; want %d, %+v", got.Len, got.Offload, len(super), offload)
	}
	for _, tt := range []struct {
		p    *ethtest.Port
		want ethstack.Offload
	}{
		{parts, ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 34, ChecksumOffset: 16}},
		{plain, ethstack.Offload{}},
	} {
		var all []byte
		for i, f := range read(tt.p, 3) {
			if f.Offload != tt.want {
				t.Errorf("%s, frame %d: metadata %+v, want %+v", tt.p.Info().Name, i, f.Offload, tt.want)
			}
			if got := ethstack.VerifyChecksums(&f); got != ethstack.ChecksumGood {
				t.Errorf("%s, frame %d: checksums are %v", tt.p.Info().Name, i, got)
			}
			all = append(all, f.Bufs[0][54:f.Len]...)
		}
		if !bytes.Equal(all, super[54:]) {
			t.Errorf("%s: the payload of all frames differs from what was sent", tt.p.Info().Name)
		}
		wantStats(t, tt.p, ethtest.PortStats{Offered: 3, Delivered: 3})
	}

	// Metadata that lies goes through to who takes it, as from a device.
	offload.SegmentSize = 0
	if n, err := a.Write(0, []ethstack.Frame{{Bufs: [][]byte{super}, Offload: offload}}); n != 1 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	wantStats(t, whole, ethtest.PortStats{Offered: 2, Delivered: 1, Waiting: 1})
	wantStats(t, plain, ethtest.PortStats{Offered: 4, Delivered: 3, BadOffload: 1})
}
