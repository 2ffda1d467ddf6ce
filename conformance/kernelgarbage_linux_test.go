package conformance

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// randomFrame makes a frame of random bytes, most of which look like frames for
// own at first sight.
func randomFrame(r *rand.Rand, own hardwareAddr) frame {
	f := make(frame, headerLen+r.IntN(1501))
	for i := range f {
		f[i] = byte(r.Uint32())
	}
	switch r.IntN(4) {
	case 0:
		copy(f, everybody[:])
	case 1, 2:
		copy(f, own[:])
	}
	if r.IntN(8) > 0 {
		f[6] &^= 1 // one station's, not a group's
	}
	if types := []uint16{typeIPv4, typeIPv6, typeARP, typeVLAN, typeService, 46}; r.IntN(4) > 0 {
		binary.BigEndian.PutUint16(f[12:], types[r.IntN(len(types))])
	}
	return f
}

// received returns how many frames an endpoint has read, and whether each of
// them was delivered or counted as dropped.
func received(ep *endpoint.Endpoint) (frames uint64, err error) {
	own, strays := ep.Interface().Stats(), ep.Interface().Link().Stats()
	frames = own.RxFrames + strays.RxFrames
	became := own.RxDelivered + own.RxARP + own.RxDropped() + strays.RxDropped()
	if became != frames {
		err = fmt.Errorf("of %d frames that were read, %d were delivered or counted as dropped", frames, became)
	}
	return frames, err
}

// TestKernelGarbage: nothing that the kernel sends stops the netstack, and each
// frame is counted: by us, or by the kernel as dropped at the TAP.
func TestKernelGarbage(t *testing.T) {
	lasting(t, 2*time.Minute)
	w := newWire(t, wireOptions{quiet: true})
	own := hw(w.ours.HardwareAddr())
	p := w.listen()
	before, err := netns.Link(w.iface)
	wiretest.Check(t, err)

	sent := uint64(1)
	p.send(ether(hardwareAddr{2, 0, 0, 0, 0, 0x99}, gateway.hw, typeIPv4, echo4(gateway.ipv4, ownIPv4, nil)))
	// The kernel lets nobody send less than an Ethernet header.
	for n := range headerLen {
		if _, err := unix.Write(p.fd, make([]byte, n)); n > 0 && err == nil {
			sent++
		}
	}
	for n := headerLen; n < minFrame; n++ {
		p.send(ether(own, gateway.hw, typeIPv4, make([]byte, n-headerLen)))
		sent++
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range size(100_000, 20_000) {
		switch err := unix.Send(p.fd, randomFrame(r, own), 0); {
		case errors.Is(err, unix.ENOBUFS): // the kernel's own queue was full
		case err != nil:
			t.Fatal(err)
		default:
			sent++
		}
	}
	var read, dropped uint64
	wiretest.WaitFor(t, fmt.Sprintf("all of %d frames are counted", sent), func() bool {
		now, err := netns.Link(w.iface)
		wiretest.Check(t, err)
		n, err := received(w.ours.Endpoint())
		s := w.dev.Stats()
		read, dropped = n+s.ReadTooLong+s.ReadUnknownSegment+s.ReadMalformed, now.Stats.TxDropped-before.Stats.TxDropped
		return err == nil && read+dropped >= sent
	})
	t.Logf("%d frames sent: %d read, %d dropped by the kernel", sent, read, dropped)
	if read+dropped != sent {
		t.Errorf("%d frames are counted, %d were sent", read+dropped, sent)
	}
	if read < sent/10 {
		t.Errorf("only %d of %d frames were read", read, sent)
	}
	w.ping(w.kernel, w.ours)
	w.ping(w.ours, w.kernel)
}

// TestSocketpairGarbage is TestKernelGarbage where nothing loses a frame, and
// with frames that are shorter than an Ethernet header.
func TestSocketpairGarbage(t *testing.T) {
	for name, kind := range map[string]int{"datagram": unix.SOCK_DGRAM, "seqpacket": unix.SOCK_SEQPACKET} {
		t.Run(name, func(t *testing.T) {
			nstest.Need(t)
			lasting(t, 2*time.Minute)
			noLeaks(t)
			dev, p := newSocketpair(t, kind)
			t.Cleanup(func() { p.Close() })
			ours, err := lab.NewNetstack(dev, lab.NetstackOptions{Name: "netstack", Addrs: prefixes(oursIPv4)})
			wiretest.Check(t, err)
			t.Cleanup(ours.Close)
			own := hw(ours.HardwareAddr())

			frames := []frame{ether(hardwareAddr{2, 0, 0, 0, 0, 0x99}, gateway.hw, typeIPv4, echo4(gateway.ipv4, ownIPv4, nil))}
			for n := 1; n < minFrame; n++ {
				frames = append(frames, ether(own, gateway.hw, typeIPv4, make([]byte, minFrame))[:n])
			}
			r := rand.New(rand.NewPCG(3, 4))
			for range size(100_000, 20_000) {
				frames = append(frames, randomFrame(r, own))
			}
			frames = append(frames, ether(own, gateway.hw, typeIPv4, make([]byte, 1<<16-headerLen)), request(gateway, everybody, ownIPv4))
			// Who reads: what netstack says of the garbage is not to fill the
			// socket.
			answered := make(chan bool, 1)
			go func() { answered <- readUntil(p, isReplyTo(gateway)) }()
			for _, f := range frames {
				if _, err := p.Write(f); err != nil {
					t.Fatalf("sending %v: %v", f, err)
				}
			}
			if !<-answered {
				t.Error("a request behind the garbage was not answered")
			}
			wiretest.WaitFor(t, fmt.Sprintf("all of %d frames are counted", len(frames)), func() bool {
				n, err := received(ours.Endpoint())
				s := dev.Stats()
				return err == nil && n+s.ReadTooLong+s.ReadMalformed == uint64(len(frames))
			})
			t.Logf("%d frames sent, and all counted; dropped: %s", len(frames), drops(ours.Endpoint()))
		})
	}
}

// newSocketpair makes a device of one end of a pair of unix sockets, and returns
// the other end, which the caller closes.
func newSocketpair(t testing.TB, kind int) (*fdbased.Device, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	wiretest.Check(t, err)
	near, far := os.NewFile(uintptr(fds[0]), "one end"), os.NewFile(uintptr(fds[1]), "the other end")
	dev, err := fdbased.New(near, fdbased.Options{})
	if err != nil {
		near.Close()
		far.Close()
		t.Fatal(err)
	}
	return dev, far
}

// readUntil reads frames up to one that matches.
func readUntil(p *os.File, match func(frame) bool) bool {
	b := make([]byte, 1<<17)
	for {
		n, err := p.Read(b)
		if err != nil {
			return false
		}
		if match(b[:n]) {
			return true
		}
	}
}
