package ethstack

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
)

// The tests of this file are of the last value that is still good, or the first
// that is not, and of what a thing leaves alone.

// TestLinkMTUs: the least MTU is that of RFC 791, the largest that of an IP packet.
func TestLinkMTUs(t *testing.T) {
	for mtu, want := range map[int]bool{67: false, 68: true, 65535: true, 65536: false} {
		dev := newMemDevice()
		dev.info.MTU = mtu
		l, err := NewLink(dev, LinkOptions{})
		if (err == nil) != want {
			t.Errorf("a link with an MTU of %d: %v", mtu, err)
		}
		if err == nil {
			l.Close()
		}
	}
}

// TestLongestSuperFrame: a frame of MaxFrame bytes is the device's to segment,
// one of a byte more is not.
func TestLongestSuperFrame(t *testing.T) {
	f := testPacket{payload: 3000}.build(1).partial()
	frame := Frame{Bufs: [][]byte{f.bytes}, Offload: f.offload(1000)}
	for maxFrame, want := range map[int]bool{len(f.bytes) - 1: false, len(f.bytes): true} {
		info := DeviceInfo{MTU: 1500, MaxFrame: maxFrame, Offloads: ^Offloads(0)}
		have, plain := info.offloadsFor(&frame)
		if plain != want || have.Has(OffloadTCPv4) != want {
			t.Errorf("%d bytes on a device that takes %d: written as it is %v, offloads %v", len(f.bytes), maxFrame, plain, have)
		}
	}
}

// TestChecksumAtTheEnd: a checksum field may be the frame's last two bytes.
func TestChecksumAtTheEnd(t *testing.T) {
	b := frameOf(hwB, hwA, []byte{0x88, 0xb5}, 1, 2, 3, 4, 0, 0)
	f := Frame{Bufs: [][]byte{b}, Len: len(b), Offload: Offload{Flags: NeedsChecksum, ChecksumStart: HeaderLen, ChecksumOffset: 4}}
	CompleteChecksum(&f)
	if want := []byte{0xfb, 0xf9}; !bytes.Equal(b[len(b)-2:], want) || f.Offload.Flags != DataValid {
		t.Errorf("the checksum is % x, want % x; the flags are %v", b[len(b)-2:], want, f.Offload.Flags)
	}
	f.Offload = Offload{Flags: NeedsChecksum, ChecksumStart: HeaderLen, ChecksumOffset: 5}
	CompleteChecksum(&f)
	if f.Offload.Flags != NeedsChecksum {
		t.Error("a checksum beyond the end of the frame was completed")
	}
}

// TestProtocolNumbers: the tests of other files use the constants, so these are
// told from the standard's here (IANA).
func TestProtocolNumbers(t *testing.T) {
	got := [...]int{protoHopByHop, protoTCP, protoUDP, protoRouting, protoFragment, protoDestination, protoMobility}
	if want := [...]int{0, 6, 17, 43, 44, 60, 135}; got != want {
		t.Errorf("the protocol numbers are %d, want %d", got, want)
	}
}

// TestTableKeys: no two addresses share a place in the table.
func TestTableKeys(t *testing.T) {
	for at := range 4 {
		for bit := range 8 {
			var a [4]byte
			a[at] = 1 << bit
			if got, want := tableKey(a), uint32(1)<<(8*(3-at)+bit); got != want {
				t.Errorf("tableKey(%v) = %#x, want %#x", a, got, want)
			}
		}
	}
}

// TestTableUnknown: who is not in the table is neither found nor in use.
func TestTableUnknown(t *testing.T) {
	var tab table
	tab.init()
	tab.set(1, hwOf(1), true)
	tab.set(1, HardwareAddr{}, false)
	for _, key := range []uint32{1, 2} {
		if hw, ok, use := tab.lookup(key); ok || use || !hw.IsZero() {
			t.Errorf("lookup(%d) = %v, %v, %v; want nothing", key, hw, ok, use)
		}
	}
}

// TestRemoveOneAddress leaves the others.
func TestRemoveOneAddress(t *testing.T) {
	_, _, all := trunk(t)
	i, other := all[VLAN{}], netip.MustParseAddr("10.0.0.77")
	if err := i.AddIPv4(other); err != nil {
		t.Fatal(err)
	}
	if err := i.RemoveIPv4(ipA); err != nil {
		t.Fatal(err)
	}
	if i.isOurs(ipA) || !i.isOurs(other) {
		t.Errorf("after %v was removed: ours %v; %v: ours %v", ipA, i.isOurs(ipA), other, i.isOurs(other))
	}
	if err := i.RemoveIPv4(other); err != nil {
		t.Error(err)
	}
}

// TestErrorsOfFramesUsedAgain: a frame whose last Write failed has no error once
// it is taken.
func TestErrorsOfFramesUsedAgain(t *testing.T) {
	for v := range tags {
		_, _, all := trunk(t)
		frames := []Frame{{Bufs: [][]byte{frameOf(hwB, hwA, []byte{8, 0}, 1, 2, 3)}, Err: ErrNoBufferSpace}}
		if n, err := all[v].Write(0, frames); n != 1 || err != nil || frames[0].Err != nil {
			t.Errorf("%v: Write: %d, %v; the frame's error is %v", v, n, err, frames[0].Err)
		}
	}
}

// TestOneBadFrame: the error of a frame that cannot be made plain is that of the
// batch, and the others go out.
func TestOneBadFrame(t *testing.T) {
	_, dev, all := trunk(t)
	good := frameOf(hwB, hwA, []byte{8, 0}, 1, 2, 3)
	frames := []Frame{{Bufs: [][]byte{good}}, {Bufs: [][]byte{good}, Offload: Offload{Segment: SegmentTCPv4}}, {Bufs: [][]byte{good}}}
	n, err := all[VLAN{}].Write(0, frames)
	if n != 2 || !errors.Is(err, ErrUnsupportedOffload) || !errors.Is(frames[1].Err, err) || len(dev.written) != 2 {
		t.Errorf("Write: %d, %v, of which %d on the wire; the frame's error is %v", n, err, len(dev.written), frames[1].Err)
	}
}

// oneQueue is a device that knows which queue it has.
type oneQueue struct{ *memDevice }

func (d oneQueue) Write(queue int, frames []Frame) (int, error) {
	if queue != 0 {
		return 0, errors.New("there is no such queue")
	}
	return d.memDevice.Write(queue, frames)
}

// TestStackWritesToTheFirstQueue, which every device has.
func TestStackWritesToTheFirstQueue(t *testing.T) {
	s, err := Connect(oneQueue{newMemDevice()}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Disconnect()
	if err := s.Write(frameOf(hwB, hwA, []byte{8, 0}, 1, 2, 3)); err != nil {
		t.Error(err)
	}
}

// TestKnownErrors: an error of this package's, in whatever it is wrapped, is not
// one that nobody knows.
func TestKnownErrors(t *testing.T) {
	var unknown *UnknownError
	if err := wrapError("write", errTooMany); !errors.Is(err, ErrUnsupportedOffload) || errors.As(err, &unknown) {
		t.Errorf("%v is not known as %v", err, ErrUnsupportedOffload)
	}
	if err := wrapError("write", errTooShort); !errors.As(err, &unknown) || unknown.Op != "write" {
		t.Errorf("%v is known", err)
	}
}

// TestListenUntilTheDeviceEnds: a device that goes away by itself ends Listen.
func TestListenUntilTheDeviceEnds(t *testing.T) {
	dev := newMemDevice()
	s, err := Connect(dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Disconnect()
	done := make(chan error, 1)
	go func() { done <- s.Listen(t.Context(), Handlers{}) }()
	dev.Close()
	select {
	case err := <-done:
		if !errors.Is(err, ErrDisconnected) {
			t.Errorf("Listen: %v, want %v", err, ErrDisconnected)
		}
	case <-time.After(10 * time.Second):
		t.Error("Listen goes on")
	}
}

// TestRefusedClaim is not kept.
func TestRefusedClaim(t *testing.T) {
	_, _, all := trunk(t)
	i := all[VLAN{}]
	err := i.Claim(t.Context(), netip.MustParseAddr("224.0.0.1"), arp.ClaimOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), "ethstack: arp: ") || len(i.res.claims) != 0 {
		t.Errorf("Claim: %v; %d claims are under way, want an error and none", err, len(i.res.claims))
	}
}

// TestChangesAreLogged: a change of the link's state is, its being told again is not.
func TestChangesAreLogged(t *testing.T) {
	var log bytes.Buffer
	l, err := NewLink(newMemDevice(), LinkOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, s := range []LinkState{LinkUp, LinkUp, LinkUp, LinkDown, LinkUp} {
		l.notify(l.port.Load(), s)
	}
	if n := strings.Count(log.String(), "link state changed"); n != 2 {
		t.Errorf("of two changes %d are logged:\n%s", n, log.String())
	}
}
