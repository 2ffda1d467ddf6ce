package lab

import (
	"bytes"
	"testing"
)

// take returns the first n bytes of a payload, taken in pieces.
func take(seed uint64, n, piece int64) []byte {
	var all []byte
	p := NewPayload(seed)
	for left := n; left > 0; {
		b := p.Next(min(piece, left))
		all = append(all, b...)
		left -= int64(len(b))
	}
	return all
}

func TestPayload(t *testing.T) {
	const n = 64*BlockLen + 5 // more than the table
	want := take(1, n, n)
	for _, piece := range []int64{1000, BlockLen, BlockLen + 1} {
		if !bytes.Equal(take(1, n, piece), want) {
			t.Errorf("taken in pieces of %d it is another", piece)
		}
	}
	if bytes.Equal(take(2, n, n), want) {
		t.Error("two seeds give the same")
	}
	seen := map[string]int{}
	for at := 0; at+64 <= n; at += 64 {
		piece := string(want[at : at+64])
		if before, ok := seen[piece]; ok {
			t.Fatalf("the 64 bytes at %d are those at %d", at, before)
		}
		seen[piece] = at
	}
}

func BenchmarkPayload(b *testing.B) {
	p := NewPayload(0)
	b.SetBytes(BlockLen)
	b.ReportAllocs()
	for b.Loop() {
		p.Next(BlockLen)
	}
}
