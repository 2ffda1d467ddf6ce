package checksum

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// naive adds 16-bit words one by one, as RFC 1071 §4.1 does.
func naive(b []byte) uint16 {
	var s uint32
	for len(b) > 1 {
		s += uint32(binary.BigEndian.Uint16(b))
		s = s>>16 + s&0xffff
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// TestKnownSums uses the example of RFC 1071 §3 and sums that carry often.
func TestKnownSums(t *testing.T) {
	ones := make([]byte, 70000)
	for i := range ones {
		ones[i] = 0xff
	}
	for _, tt := range []struct {
		name string
		in   []byte
		want uint16
	}{
		{"nothing", nil, 0},
		{"RFC 1071 §3", []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}, 0xddf2},
		{"one byte", []byte{0x12}, 0x1200},
		{"zeros", make([]byte, 1000), 0},
		{"one word of ones", ones[:2], 0xffff},
		{"64 KiB of ones", ones[:65536], 0xffff},
		{"odd number of ones", ones[:65535], 0xff00},
		{"ones and one", append(append([]byte{}, ones[:128]...), 0, 1), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Of(tt.in); got != tt.want {
				t.Errorf("Of = %#04x, want %#04x", got, tt.want)
			}
			if got := naive(tt.in); got != tt.want {
				t.Errorf("naive = %#04x, want %#04x: the reference itself is wrong", got, tt.want)
			}
		})
	}
}

// TestAgainstNaive sums every length up to a few unrolled rounds, with random
// bytes and with bytes that carry at nearly every addition.
func TestAgainstNaive(t *testing.T) {
	const seed = 1
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, 300)
	for length := range b {
		for _, fill := range []func() byte{
			func() byte { return byte(r.Uint32()) },
			func() byte { return 0xff },
			func() byte { return 0xfe | byte(r.Uint32()) },
		} {
			for i := range b {
				b[i] = fill()
			}
			if got, want := Of(b[:length]), naive(b[:length]); got != want {
				t.Fatalf("seed %d: Of(%x) = %#04x, want %#04x", seed, b[:length], got, want)
			}
		}
	}
}

// TestPieces splits one buffer at every pair of places: the sum must not
// depend on the pieces.
func TestPieces(t *testing.T) {
	const seed = 2
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, 90)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	want := naive(b)
	for i := range len(b) + 1 {
		for j := i; j <= len(b); j++ {
			var s Sum
			s.Add(b[:i])
			s.Add(b[i:j])
			s.Add(b[j:])
			if got := s.Fold(); got != want {
				t.Fatalf("seed %d: pieces [:%d] [%d:%d] [%d:]: %#04x, want %#04x", seed, i, i, j, j, got, want)
			}
		}
	}
}

// TestPseudo compares with a pseudo-header that is really laid out.
func TestPseudo(t *testing.T) {
	source, destination := make([]byte, 16), make([]byte, 16)
	for i := range source {
		source[i], destination[i] = byte(0x21*i+7), byte(0xf3-i)
	}
	// RFC 9293 §3.1: addresses, zero, PTCL, TCP length.
	v4 := append(append(append([]byte{}, source[:4]...), destination[:4]...), 0, 6, 0xbe, 0xef)
	// RFC 8200 §8.1: addresses, length (32 bits), zero (24), next header.
	v6 := append(append(append([]byte{}, source...), destination...), 0x00, 0x01, 0xbe, 0xef, 0, 0, 0, 17)

	s := Pseudo(source[:4], destination[:4], 6)
	s.AddUint16(0xbeef)
	if got, want := s.Fold(), naive(v4); got != want {
		t.Errorf("IPv4: %#04x, want %#04x", got, want)
	}
	s = Pseudo(source, destination, 17)
	s.AddUint32(0x1beef)
	if got, want := s.Fold(), naive(v6); got != want {
		t.Errorf("IPv6: %#04x, want %#04x", got, want)
	}
	if got, want := s.Checksum(), ^naive(v6); got != want {
		t.Errorf("Checksum: %#04x, want %#04x", got, want)
	}
}

func TestNoAllocations(t *testing.T) {
	b := make([]byte, 1500)
	var sink uint16
	if n := testing.AllocsPerRun(100, func() {
		s := Pseudo(b[:4], b[4:8], 6)
		s.Add(b[:701])
		s.Add(b[701:])
		sink += s.Checksum() + Of(b)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzSum(f *testing.F) {
	f.Add([]byte{}, uint16(0), uint16(0))
	f.Add([]byte{0xff}, uint16(1), uint16(0))
	f.Add(make([]byte, 200), uint16(65), uint16(3))
	f.Fuzz(func(t *testing.T, b []byte, x, y uint16) {
		i := int(x) % (len(b) + 1)
		j := i + int(y)%(len(b)-i+1)
		var s Sum
		s.Add(b[:i])
		s.Add(b[i:j])
		s.Add(b[j:])
		if got, want := s.Fold(), naive(b); got != want {
			t.Errorf("%x split at %d and %d: %#04x, want %#04x", b, i, j, got, want)
		}
	})
}

func BenchmarkSum(b *testing.B) {
	for _, size := range []int{20, 64, 1448, 65536} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			data := make([]byte, size)
			b.SetBytes(int64(size))
			var sink uint16
			for b.Loop() {
				sink += Of(data)
			}
			_ = sink
		})
	}
}
