package fdbased

import (
	"bytes"
	"slices"
	"testing"
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
			if !scatter(bufs, 0, b) {
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

func TestScatter(t *testing.T) {
	b := numbered(20)
	for _, sizes := range cuts {
		for at := range 15 {
			bufs := cut(40, sizes...)
			if got := bytes.Join(bufs, nil); !scatter(bufs, at, b) || !bytes.Equal(bytes.Join(bufs, nil)[at:at+20], b) {
				t.Errorf("to offset %d of memory cut at %v: %x", at, sizes, got)
			}
		}
	}
	for _, tt := range []struct {
		at   int
		b    []byte
		want bool
	}{
		{0, b, true}, {1, b, false}, {19, b[:1], true}, {20, b[:1], false}, {20, nil, true}, {0, nil, true},
	} {
		if got := scatter(cut(20, 3, 0, 9), tt.at, tt.b); got != tt.want {
			t.Errorf("%d bytes to offset %d of 20: %v, want %v", len(tt.b), tt.at, got, tt.want)
		}
	}
}

func TestCopyFrame(t *testing.T) {
	b := numbered(26)
	for _, from := range cuts {
		for _, to := range cuts {
			src, dst := cut(30, from...), cut(26, to...)
			scatter(src, 0, b)
			if !copyFrame(dst, src, 26) || !bytes.Equal(bytes.Join(dst, nil), b) {
				t.Errorf("from memory cut at %v to %v: %x, want %x", from, to, bytes.Join(dst, nil), b)
			}
			if copyFrame(dst, src, 27) {
				t.Errorf("27 bytes from memory cut at %v fit 26", from)
			}
		}
	}
}
