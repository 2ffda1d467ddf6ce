package fdbased

import (
	"bytes"
	"slices"
	"testing"

	"github.com/ethlink/ethlink/internal/frameio"
)

// cut makes memory of n bytes in pieces of the given sizes and the rest.
func cut(n int, sizes ...int) (bufs [][]byte) {
	all := make([]byte, n)
	for _, size := range sizes {
		bufs, all = append(bufs, all[:size:size]), all[size:]
	}
	return append(bufs, all)
}

func numbered(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

var cuts = [][]int{nil, {0}, {1}, {12}, {13}, {16}, {11, 1, 1, 1, 1, 1, 1}, {5, 0, 3, 0, 9, 2}, {17, 3, 1}}

func TestInsertTag(t *testing.T) {
	tag := [4]byte{0xa1, 0xa2, 0xa3, 0xa4}
	for _, sizes := range cuts {
		for n := tagAt; n < 40; n++ {
			b := numbered(n)
			want := slices.Concat(b[:tagAt], tag[:], b[tagAt:])
			const spare = 30 // memory behind the frame is not written to
			bufs := cut(max(n+4, 30)+spare, sizes...)
			if !frameio.Scatter(bufs, 0, b) {
				t.Fatalf("cut at %v: no room for %d bytes", sizes, n)
			}
			insertTag(bufs, n, tag)
			all := bytes.Join(bufs, nil)
			if got := all[:n+4]; !bytes.Equal(got, want) {
				t.Errorf("%d bytes cut at %v: %x, want %x", n, sizes, got, want)
			}
			if rest := all[n+4:]; !bytes.Equal(rest, make([]byte, len(rest))) {
				t.Errorf("%d bytes cut at %v: wrote %x behind the frame", n, sizes, rest)
			}
		}
	}
}
