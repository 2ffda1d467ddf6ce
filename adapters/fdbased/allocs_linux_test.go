//go:build !race

package fdbased_test

import (
	"testing"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestNoAllocations: neither Read nor Write allocates; nor does a Write to a
// full socket. (The race detector makes sync.Pool forget.)
func TestNoAllocations(t *testing.T) {
	test := func(t *testing.T, d, peer *fdbased.Device) {
		out, in := make([]ethstack.Frame, 4), wiretest.Memory(peer, 4)
		for i := range out {
			f := wiretest.Frame(600, byte(i))
			out[i].Bufs = [][]byte{f[:100], f[100:]}
		}
		if n := testing.AllocsPerRun(500, func() {
			if n, err := d.Write(0, out); n != len(out) || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
			for got := 0; got < len(out); {
				n, err := peer.Read(0, in)
				wiretest.Check(t, err)
				got += n
			}
		}); n != 0 {
			t.Errorf("%v allocations for 4 frames written and read", n)
		}
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			d, peer := device(t, a, fdbased.Options{}), device(t, b, fdbased.Options{})
			test(t, d, peer)
			fill(t, d)
			f := []ethstack.Frame{{Bufs: [][]byte{wiretest.Frame(1514, 1)}}}
			if n := testing.AllocsPerRun(500, func() { d.Write(0, f) }); n != 0 {
				t.Errorf("%v allocations for a frame that is not taken", n)
			}
		})
	}
	t.Run("packet", func(t *testing.T) {
		a, b := veth(t)
		test(t, openPacket(t, a, fdbased.Options{}), openPacket(t, b, fdbased.Options{}))
	})
}

// BenchmarkTransfer moves frames of 1514 bytes, 8 at a time, from one device to
// another on the same goroutine.
func BenchmarkTransfer(b *testing.B) {
	bench := func(b *testing.B, d, peer *fdbased.Device) {
		out, in := make([]ethstack.Frame, 8), wiretest.Memory(peer, 8)
		for i := range out {
			out[i].Bufs = [][]byte{wiretest.Frame(1514, byte(i))}
		}
		b.SetBytes(1514)
		b.ReportAllocs()
		for i := 0; i < b.N; i += len(out) {
			if n, err := d.Write(0, out); n != len(out) || err != nil {
				b.Fatalf("Write: %d, %v", n, err)
			}
			for got := 0; got < len(out); {
				n, err := peer.Read(0, in)
				wiretest.Check(b, err)
				got += n
			}
		}
	}
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			x, y := k.pair(b)
			bench(b, device(b, x, fdbased.Options{}), device(b, y, fdbased.Options{}))
		})
	}
	b.Run("packet", func(b *testing.B) {
		x, y := veth(b)
		bench(b, openPacket(b, x, fdbased.Options{}), openPacket(b, y, fdbased.Options{}))
	})
}
