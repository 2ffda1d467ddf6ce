package frameio_test

import (
	"bytes"
	"testing"

	"github.com/ethlink/ethlink/internal/frameio"
)

// cutMemory cuts memory into buffers of the given sizes.
func cutMemory(memory []byte, sizes ...int) [][]byte {
	var bufs [][]byte
	for _, n := range sizes {
		bufs, memory = append(bufs, memory[:n:n]), memory[n:]
	}
	return bufs
}

func TestScatter(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sizes []int
		at    int
		data  string
		ok    bool
		want  string
	}{
		{"one buffer", []int{6}, 0, "abc", true, "abc..."},
		{"fits exactly", []int{2, 1}, 0, "abc", true, "abc"},
		{"over the ends of buffers", []int{1, 0, 2, 3}, 0, "abcd", true, "abcd.."},
		{"from the second on", []int{2, 4}, 3, "abc", true, "...abc"},
		{"nothing", []int{2}, 2, "", true, ".."},
		{"one too long", []int{2, 1}, 0, "abcd", false, "abc"},
		{"one too far", []int{2, 2}, 2, "abc", false, "..ab"},
		{"no memory", nil, 0, "a", false, ""},
	} {
		memory := bytes.Repeat([]byte("."), len(tt.want))
		if ok := frameio.Scatter(cutMemory(memory, tt.sizes...), tt.at, []byte(tt.data)); ok != tt.ok || string(memory) != tt.want {
			t.Errorf("%s: %v, %q; want %v, %q", tt.name, ok, memory, tt.ok, tt.want)
		}
	}
}

func TestCopyFrame(t *testing.T) {
	for n := range 7 {
		memory := bytes.Repeat([]byte("."), 6)
		ok := frameio.CopyFrame(cutMemory(memory, 4, 2), cutMemory([]byte("abcdef"), 1, 2, 3), n)
		if want := "abcdef"[:n] + "......"[n:]; !ok || string(memory) != want {
			t.Errorf("%d bytes: %v, %q; want true, %q", n, ok, memory, want)
		}
	}
	if frameio.CopyFrame(cutMemory(make([]byte, 5), 5), cutMemory([]byte("abcdef"), 3, 3), 6) {
		t.Error("6 bytes were copied into memory for 5")
	}
}
