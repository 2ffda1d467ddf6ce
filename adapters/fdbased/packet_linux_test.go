package fdbased_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/vnet"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// tagged puts tags of 4 bytes behind the addresses of a frame.
func tagged(b []byte, tags string) []byte { return slices.Concat(b[:12], []byte(tags), b[12:]) }

func TestTagIsPutBack(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	kernel := wiretest.Listen(t, b, false)
	for _, tags := range []string{
		"", "\x81\x00\x00\x05", "\x81\x00\xff\xff", "\x81\x00\x60\x00", "\x88\xa8\x00\x07", "\x88\xa8\x00\x07\x81\x00\x00\x05",
	} {
		for _, cuts := range [][]int{nil, {14}, {128}, {12, 1, 1, 1, 1}, {1, 0, 15, 3}, {200}} {
			want := tagged(wiretest.Frame(200, 7), tags)
			for i := 30; i < len(want); i++ {
				want[i] = byte(i)
			}
			kernel.Send(t, nil, want)
			frames := make([]ethstack.Frame, 1)
			for _, n := range append(cuts, 2000) {
				frames[0].Bufs = append(frames[0].Bufs, make([]byte, n))
			}
			n, err := d.Read(0, frames)
			if got := bytes.Join(frames[0].Bufs, nil)[:frames[0].Len]; n != 1 || err != nil || !bytes.Equal(got, want) {
				t.Errorf("tags %x, memory cut at %v: %d, %v, %x...; want %x...", tags, cuts, n, err, got[:40], want[:40])
			}
		}
	}
	// The tag has to fit, too.
	kernel.Send(t, nil, tagged(wiretest.Frame(200, 1), "\x81\x00\x00\x05"))
	kernel.Send(t, nil, tagged(wiretest.Frame(199, 2), "\x81\x00\x00\x05"))
	frames := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 203)}}}
	if n, err := d.Read(0, frames); n != 1 || err != nil || frames[0].Len != 203 || frames[0].Bufs[0][18] != 2 {
		t.Errorf("Read into 203 bytes: %d, %v, of %d bytes; want the second frame", n, err, frames[0].Len)
	}
	wantStats(t, d, fdbased.Stats{ReadTooLong: 1})
}

// ipv4 makes a frame with an IPv4 packet of a protocol.
func ipv4(n int, protocol byte) []byte {
	b := wiretest.Frame(n, 0)
	copy(b[12:], "\x08\x00\x45\x00")
	binary.BigEndian.PutUint16(b[16:], uint16(n-14))
	b[23] = protocol
	b[46] = 0x50 // the length of TCP's header
	return b
}

// TestMetadataOfTaggedFrame: offsets count from the first byte of the frame,
// the tag included.
func TestMetadataOfTaggedFrame(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	kernel := wiretest.Listen(t, b, true)
	udp := ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 34, ChecksumOffset: 6}
	tcp := ethstack.Offload{
		Flags: ethstack.NeedsChecksum, ChecksumStart: 34, ChecksumOffset: 16,
		Segment: ethstack.SegmentTCPv4, SegmentSize: 1000, HeaderLen: 54,
	}
	for _, tag := range []string{"", "\x81\x00\x00\x05"} {
		for _, tt := range []struct {
			o ethstack.Offload
			b []byte
		}{{udp, ipv4(1000, unix.IPPROTO_UDP)}, {tcp, ipv4(9054, unix.IPPROTO_TCP)}} {
			wantO, want := tt.o, tagged(tt.b, tag)
			wantO.ChecksumStart += uint16(len(tag))
			if wantO.Segment != ethstack.SegmentNone {
				wantO.HeaderLen += uint16(len(tag))
			}
			header := make([]byte, vnet.Len)
			if !vnet.Put(header, wantO, d.Info().Offloads) {
				t.Fatalf("no header for %+v", wantO)
			}
			kernel.Send(t, header, want)
			if got, o := wiretest.Read(t, d); !bytes.Equal(got, want) || o != wantO {
				t.Errorf("tag %x: metadata %+v with %d bytes, want %+v with %d, the same", tag, o, len(got), wantO, len(want))
			}
			wiretest.Write(t, d, want, wantO)
			// This reader gets the frame without the tag.
			got, gotB := kernel.Receive(t)
			if o, ok := vnet.Get(got); !ok || o != tt.o || !bytes.Equal(gotB, tt.b) {
				t.Errorf("tag %x: the kernel has metadata %+v with %d bytes, want %+v with %d, the same", tag, o, len(gotB), tt.o, len(tt.b))
			}
		}
	}
}

// TestOtherControlMessages: what the opener of a socket asked for with each
// frame does not displace the tag. If it does the frame is dropped, for it would
// be taken for one of another VLAN.
func TestOtherControlMessages(t *testing.T) {
	a, b := veth(t)
	f := rawSocket(t, unix.SOCK_RAW, unix.ETH_P_ALL, a)
	again, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	wiretest.Check(t, err)
	t.Cleanup(func() { unix.Close(again) })
	ask := func() {
		wiretest.Check(t, unix.SetsockoptInt(again, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
	}
	ask()
	d := device(t, f, fdbased.Options{})
	kernel := wiretest.Listen(t, b, false)
	want := tagged(wiretest.Frame(60, 1), "\x81\x00\x00\x05")
	kernel.Send(t, nil, want)
	if got, _ := wiretest.Read(t, d); !bytes.Equal(got, want) {
		t.Errorf("read %x, want %x", got, want)
	}
	ask()
	kernel.Send(t, nil, want)
	go d.Read(0, wiretest.Memory(d, 1))
	wiretest.WaitFor(t, "the frame to be dropped", func() bool {
		return d.Stats() == fdbased.Stats{ReadMalformed: 1}
	})
}

// TestHostsOwnFrames: what the host sends on the interface is not received.
func TestHostsOwnFrames(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	host, peer := wiretest.Listen(t, a, false), wiretest.Listen(t, b, false)
	host.Send(t, nil, wiretest.Frame(60, 1))
	peer.Send(t, nil, wiretest.Frame(60, 2))
	if got, _ := wiretest.Read(t, d); got[14] != 2 {
		t.Errorf("read the frame that the host sent")
	}
	wantStats(t, d, fdbased.Stats{})

	// Those that a socket has received before it became the device's are told
	// by their type.
	fd := rawSocket(t, unix.SOCK_RAW, unix.ETH_P_ALL, a)
	host.Send(t, nil, wiretest.Frame(60, 1))
	peer.Send(t, nil, wiretest.Frame(60, 2))
	d = device(t, fd, fdbased.Options{})
	if got, _ := wiretest.Read(t, d); got[14] != 2 {
		t.Errorf("read the frame that the host sent")
	}
	wantStats(t, d, fdbased.Stats{ReadOutgoing: 1})
}

// rawSocket opens a packet socket as a program that passes it on does, bound to
// the interface unless its name is empty.
func rawSocket(t testing.TB, typ, protocol int, name string) *os.File {
	t.Helper()
	nstest.Need(t)
	fd, err := unix.Socket(unix.AF_PACKET, typ|unix.SOCK_CLOEXEC, 0)
	wiretest.Check(t, err)
	f := os.NewFile(uintptr(fd), "passed packet socket")
	t.Cleanup(func() { f.Close() })
	if name != "" {
		link, err := netns.Link(name)
		wiretest.Check(t, err)
		order := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, uint16(protocol)))
		wiretest.Check(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: order, Ifindex: link.Index}))
	}
	return f
}

func TestWriteOfWhatIsNoFrame(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	kernel := wiretest.Listen(t, b, false)
	var frames []ethstack.Frame
	for n := range 14 {
		frames = append(frames, ethstack.Frame{Bufs: [][]byte{make([]byte, n)}})
	}
	// Metadata that the device has, but that is wrong for the frame.
	last := wiretest.Frame(60, 1)
	frames = append(frames,
		ethstack.Frame{Bufs: [][]byte{wiretest.Frame(60, 0)}, Offload: ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 59}},
		ethstack.Frame{Bufs: [][]byte{wiretest.Frame(60, 0)}, Offload: ethstack.Offload{Segment: ethstack.SegmentTCPv4}},
		ethstack.Frame{Bufs: [][]byte{last}},
	)
	n, err := d.Write(0, frames)
	if n != 1 || err == nil || err != frames[0].Err {
		t.Errorf("Write of one good frame in %d: %d, %v; want 1 and the first frame's error, %v", len(frames), n, err, frames[0].Err)
	}
	for i := range 14 {
		if frames[i].Err == nil || errors.Is(frames[i].Err, ethstack.ErrNoBufferSpace) {
			t.Errorf("a frame of %d bytes: %v; want an error that does not ask to retry", i, frames[i].Err)
		}
	}
	for _, f := range frames[14:16] {
		if !errors.Is(f.Err, ethstack.ErrUnsupportedOffload) {
			t.Errorf("a frame of 60 bytes with %+v: %v, want %v", f.Offload, f.Err, ethstack.ErrUnsupportedOffload)
		}
	}
	if _, got := kernel.Receive(t); !bytes.Equal(got, last) {
		t.Errorf("the kernel received %x, want %x", got, last)
	}
	wantStats(t, d, fdbased.Stats{WriteInvalid: 16})
}

// TestFrameInManyPieces: more pieces than a system call takes, in batches that
// are larger than one call's.
func TestFrameInManyPieces(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			testManyPieces(t, device(t, a, fdbased.Options{}), device(t, b, fdbased.Options{}))
		})
	}
	t.Run("packet", func(t *testing.T) {
		a, b := veth(t)
		testManyPieces(t, openPacket(t, a, fdbased.Options{}), openPacket(t, b, fdbased.Options{}))
	})
}

func testManyPieces(t *testing.T, d, peer *fdbased.Device) {
	batch := make([]ethstack.Frame, 70)
	var want [][]byte
	for k := range batch {
		f := wiretest.Frame(1100+k, byte(k))
		want = append(want, f)
		for i := range f {
			batch[k].Bufs = append(batch[k].Bufs, f[i:i+1], nil)
		}
	}
	for range 2 { // again, with vectors that were used before
		if n, err := d.Write(0, batch); n != len(batch) || err != nil {
			t.Fatalf("Write of %d frames in pieces: %d, %v", len(batch), n, err)
		}
		for k := range want {
			if got, _ := wiretest.Read(t, peer); !bytes.Equal(got, want[k]) {
				t.Errorf("frame %d: %d bytes %.20x..., want %d bytes %.20x...", k, len(got), got, len(want[k]), want[k])
			}
		}
	}
}
