package frameio_test

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// pieces returns numbered memory in pieces of the given sizes.
func pieces(sizes ...int) (bufs [][]byte) {
	next := byte(0)
	for _, n := range sizes {
		b := make([]byte, n)
		for i := range b {
			b[i] = next
			next++
		}
		bufs = append(bufs, b)
	}
	return bufs
}

// content returns what vectors point to.
func content(v []unix.Iovec) (all []byte) {
	for _, v := range v {
		all = append(all, unsafe.Slice(v.Base, v.Len)...)
	}
	return all
}

func TestAppendWrite(t *testing.T) {
	before := []unix.Iovec{frameio.Vector([]byte("before"))}
	for _, tt := range []struct {
		sizes   []int
		n, want int
	}{
		{[]int{3, 4, 5}, 10, 3}, {[]int{3, 4, 5}, 3, 3}, {[]int{3, 4, 5}, 2, 2}, {[]int{3, 4, 5}, 1, 1},
		{[]int{0, 3, 0, 0, 4, 5, 0}, 3, 3}, {[]int{3, 0, 4, 0, 5}, 2, 2}, {[]int{0}, 2, 0}, {nil, 2, 0},
	} {
		bufs := pieces(tt.sizes...)
		v, joined := frameio.AppendWrite(slices.Clone(before), []byte("of another"), bufs, tt.n)
		if want := append([]byte("before"), bytes.Join(bufs, nil)...); len(v)-1 != tt.want || !bytes.Equal(content(v), want) {
			t.Errorf("pieces %v in at most %d vectors: %d with %x, want %d with %x", tt.sizes, tt.n, len(v)-1, content(v), tt.want, want)
		}
		if !bytes.HasPrefix(joined, []byte("of another")) {
			t.Errorf("pieces %v: joined memory lost what it had, is %q", tt.sizes, joined)
		}
	}
}

func TestAppendRead(t *testing.T) {
	before := []unix.Iovec{frameio.Vector([]byte("before"))}
	for _, tt := range []struct {
		sizes         []int
		n, want, room int
	}{
		{[]int{3, 4, 5}, 10, 3, 12}, {[]int{3, 4, 5}, 2, 2, 7}, {[]int{0, 3, 0, 4, 5}, 3, 3, 12}, {nil, 3, 0, 0}, {[]int{0}, 3, 0, 0},
	} {
		bufs := pieces(tt.sizes...)
		v, room := frameio.AppendRead(slices.Clone(before), bufs, tt.n)
		want := append([]byte("before"), bytes.Join(bufs, nil)[:tt.room]...)
		if len(v)-1 != tt.want || room != tt.room || !bytes.Equal(content(v), want) {
			t.Errorf("pieces %v in at most %d vectors: %d, room %d; want %d, room %d", tt.sizes, tt.n, len(v)-1, room, tt.want, tt.room)
		}
	}
}

func TestDuplicate(t *testing.T) {
	r, w, err := os.Pipe()
	wiretest.Check(t, err)
	defer r.Close()
	fd, err := frameio.Duplicate(w)
	wiretest.Check(t, err, w.Close())
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags of the duplicate %#x, %v; want FD_CLOEXEC", flags, err)
	}
	again := os.NewFile(uintptr(fd), "again")
	_, err = again.Write([]byte("x"))
	wiretest.Check(t, err, again.Close())
	b := make([]byte, 2)
	if n, err := r.Read(b); n != 1 || err != nil || b[0] != 'x' {
		t.Errorf("through the duplicate came %q, %v", b[:n], err)
	}
	if _, err := frameio.Duplicate(w); err == nil {
		t.Error("a closed file was duplicated")
	}
}

func TestLimits(t *testing.T) {
	const tso = ethstack.OffloadTCPv4
	tagged := []byte{12: 0x81, 13: 0, 17: 0}
	for _, tt := range []struct {
		name string
		f    ethstack.Frame
		mtu  int
		have ethstack.Offloads
		want int
	}{
		{"plain", ethstack.Frame{Bufs: [][]byte{make([]byte, 60)}}, 1500, tso, 1514},
		{"tagged", ethstack.Frame{Bufs: [][]byte{tagged}}, 1500, 0, 1518},
		{"tagged, in pieces", ethstack.Frame{Bufs: [][]byte{tagged[:3], nil, tagged[3:13], tagged[13:]}}, 1500, 0, 1518},
		{"empty", ethstack.Frame{}, 1500, 0, 1514},
		{"super-frame", ethstack.Frame{Offload: ethstack.Offload{Segment: ethstack.SegmentTCPv4}}, 1500, tso, ethstack.MaxSuperFrame},
		{"super-frame, jumbo", ethstack.Frame{Offload: ethstack.Offload{Segment: ethstack.SegmentTCPv4}}, 70000, tso, 70018},
		{"super-frame without offload", ethstack.Frame{Offload: ethstack.Offload{Segment: ethstack.SegmentTCPv4}}, 1500, 0, 1518},
	} {
		if got := frameio.Limit(&tt.f, tt.mtu, tt.have); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestRefuse(t *testing.T) {
	frames := make([]ethstack.Frame, 2)
	if n, err := frameio.Refuse(frames, os.ErrClosed); n != 0 || err != os.ErrClosed || frames[0].Err != err || frames[1].Err != err {
		t.Errorf("Refuse: %d, %v, frames %v and %v", n, err, frames[0].Err, frames[1].Err)
	}
}
