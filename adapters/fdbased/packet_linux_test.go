package fdbased_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
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

// TestMetadataOfTaggedFrame: offsets count from the first byte of the frame,
// the tag included.
func TestMetadataOfTaggedFrame(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	kernel := wiretest.Listen(t, b, true)
	udp := wiretest.Frame(1000, 0)
	copy(udp[12:], "\x08\x00\x45\x00")
	binary.BigEndian.PutUint16(udp[16:], uint16(len(udp)-14))
	udp[23] = unix.IPPROTO_UDP
	for _, tt := range []struct {
		tag  string
		want ethstack.Offload
	}{
		{"", ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 34, ChecksumOffset: 6}},
		{"\x81\x00\x00\x05", ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 38, ChecksumOffset: 6}},
	} {
		header := make([]byte, 10)
		header[0] = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM
		binary.NativeEndian.PutUint16(header[6:], tt.want.ChecksumStart)
		binary.NativeEndian.PutUint16(header[8:], tt.want.ChecksumOffset)
		want := tagged(udp, tt.tag)
		kernel.Send(t, header, want)
		if got, o := wiretest.Read(t, d); !bytes.Equal(got, want) || o != tt.want {
			t.Errorf("tag %x: metadata %+v with %d bytes, want %+v with %d, the same", tt.tag, o, len(got), tt.want, len(want))
		}
		wiretest.Write(t, d, want, tt.want)
		kernel.Receive(t)
	}
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

// TestKernelDrops: each frame is either read or counted as dropped.
func TestKernelDrops(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	kernel := wiretest.Listen(t, b, false)
	const rounds = 3
	sent, got := 0, uint64(0)
	for range rounds {
		before := d.Stats().ReadKernelDrops
		for d.Stats().ReadKernelDrops == before && sent < 1e6 {
			for range 500 {
				kernel.Send(t, nil, wiretest.Frame(1514, 1))
				sent++
			}
		}
		last := wiretest.Frame(60, 2)
		for frames := wiretest.Memory(d, 8); ; {
			n, err := d.Read(0, frames)
			wiretest.Check(t, err)
			got += uint64(n)
			if got+d.Stats().ReadKernelDrops == uint64(sent) {
				break
			}
		}
		kernel.Send(t, nil, last)
		if b, _ := wiretest.Read(t, d); !bytes.Equal(b, last) {
			t.Errorf("after the drops, read %d bytes %.20x..., want the frame of %d", len(b), b, len(last))
		}
	}
	drops := d.Stats().ReadKernelDrops
	wantStats(t, d, fdbased.Stats{ReadKernelDrops: drops})
	wiretest.Check(t, d.Close())
	if again := d.Stats().ReadKernelDrops; again != drops || drops < rounds {
		t.Errorf("%d drops, %d after Close; want the same, at least %d", drops, again, rounds)
	}
}

// TestInterfacesFilter: it is opened as far as the options need it, and no
// longer than the device lives.
func TestInterfacesFilter(t *testing.T) {
	const promiscuity, allmulti = 30, 61 // IFLA_PROMISCUITY, IFLA_ALLMULTI
	a, _ := veth(t)
	own, err := netns.Link(a)
	wiretest.Check(t, err)
	for _, tt := range []struct {
		name            string
		o               fdbased.Options
		promiscuous     uint32
		wantHardwareAdd ethstack.HardwareAddr
	}{
		{"usual", fdbased.Options{}, 0, own.HardwareAddr},
		{"the interface's address", fdbased.Options{HardwareAddr: own.HardwareAddr}, 0, own.HardwareAddr},
		// A veth has no filter for single addresses: it becomes promiscuous.
		{"own address", fdbased.Options{HardwareAddr: ethstack.HardwareAddr{2, 9}}, 1, ethstack.HardwareAddr{2, 9}},
		{"promiscuous", fdbased.Options{Promiscuous: true}, 1, own.HardwareAddr},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := openPacket(t, a, tt.o)
			if got := d.Info().HardwareAddr; got != tt.wantHardwareAdd {
				t.Errorf("hardware address %v, want %v", got, tt.wantHardwareAdd)
			}
			if p, m := attribute(t, a, promiscuity), attribute(t, a, allmulti); p != tt.promiscuous || m != 1 {
				t.Errorf("promiscuity %d, all multicast %d; want %d and 1", p, m, tt.promiscuous)
			}
			wiretest.Check(t, d.Close())
			if p, m := attribute(t, a, promiscuity), attribute(t, a, allmulti); p != 0 || m != 0 {
				t.Errorf("after Close promiscuity %d, all multicast %d; want 0", p, m)
			}
		})
	}
}

// attribute returns a number that rtnetlink has for an interface.
func attribute(t testing.TB, name string, typ uint16) uint32 {
	t.Helper()
	link, err := netns.Link(name)
	wiretest.Check(t, err)
	rib, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	wiretest.Check(t, err)
	messages, err := syscall.ParseNetlinkMessage(rib)
	wiretest.Check(t, err)
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWLINK || int(binary.NativeEndian.Uint32(m.Data[4:])) != link.Index {
			continue
		}
		list, err := syscall.ParseNetlinkRouteAttr(&m)
		wiretest.Check(t, err)
		for _, a := range list {
			if a.Attr.Type == typ {
				return binary.NativeEndian.Uint32(a.Value)
			}
		}
	}
	t.Fatalf("no attribute %d of interface %s", typ, name)
	return 0
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
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	kernel := wiretest.Listen(t, b, false)
	batch := make([]ethstack.Frame, 70)
	var want [][]byte
	for k := range batch {
		f := wiretest.Frame(1400, byte(k))
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
			if _, got := kernel.Receive(t); !bytes.Equal(got, want[k]) {
				t.Errorf("frame %d: the kernel received %d bytes %.20x..., want %d bytes %.20x...", k, len(got), got, len(want[k]), want[k])
			}
		}
	}
}
