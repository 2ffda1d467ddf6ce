package conformance

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// The longest datagrams of both kinds of IP.
const (
	longest4 = 65535 - header.IPv4MinimumSize - header.UDPMinimumSize
	longest6 = 65535 - header.UDPMinimumSize
)

// setOption sets an option of a kernel's socket.
func setOption(c net.PacketConn, level, name, value int) error {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, name, value) })
	return errors.Join(err, failed)
}

// aroundMTU returns sizes of datagrams: the shortest, those around each number of
// full frames, the longest.
func aroundMTU(mtu int, v6 bool) []int {
	room, longest := mtu-header.IPv4MinimumSize, longest4
	if v6 {
		room, longest = mtu-header.IPv6MinimumSize, longest6
	}
	most := room - header.UDPMinimumSize // that goes in one frame
	sizes := []int{1, most - 1, most, most + 1}
	if v6 {
		room -= header.IPv6FragmentHeaderSize
	}
	two := 2*(room&^7) - header.UDPMinimumSize // in two fragments
	return append(sizes, two, two+1, 20000, longest)
}

// TestKernelFragments: with each MTU, datagrams of all sizes arrive both ways,
// and are fragmented as little as possible, and not at all where that is enough.
func TestKernelFragments(t *testing.T) {
	for _, mtu := range []int{576, 1280, 1500, 9000} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			ctx := lasting(t, time.Minute)
			w := newWire(t, wireOptions{mtu: mtu, quiet: mtu < header.IPv6MinimumMTU})
			families := w.ways(oursIPv4, oursIPv6)
			if mtu < header.IPv6MinimumMTU {
				families = w.ways(oursIPv4)
			}
			p := w.listen().all()
			for _, y := range families {
				for _, size := range aroundMTU(mtu, y.at.Is6()) {
					if err := lab.EchoUDP(ctx, fragmenting{Station: y.from}, y.to, y.at, []int{size}); err != nil {
						t.Errorf("%s: %v", y.name, err)
					}
					seen := p.fence()
					for _, s := range []lab.Station{y.from, y.to} {
						list := pieces(seen, hw(s.HardwareAddr()))
						if err := checkPieces(list, y.at.Is6(), mtu, size+header.UDPMinimumSize); err != nil {
							t.Errorf("%s, %d bytes from %s: %v", y.name, size, s.Name(), err)
						}
						for _, f := range list {
							if s == y.from && f.df {
								t.Errorf("%s, %d bytes: DF is set, and should not be", y.name, size)
							}
						}
					}
				}
			}
			if d := drops(w.ours.Endpoint()); d != "" {
				t.Errorf("dropped: %s", d)
			}
		})
	}
}

// TestKernelDontFragment: a datagram that must not be fragmented is not: the
// longest that fits goes in one frame with DF set, and one that is a byte longer
// not at all from the kernel.
//
// Netstack does not know of the kernel's error for what is too long, and sends
// it in fragments (gvisor.dev/issue/5919): what it sends has to arrive.
func TestKernelDontFragment(t *testing.T) {
	const mtu = 1500
	ctx := lasting(t, time.Minute)
	w := newWire(t, wireOptions{mtu: mtu})
	p := w.listen().all()
	for _, y := range w.ways(oursIPv4, oursIPv6) {
		from := fragmenting{Station: y.from, whole: true}
		most := mtu - header.IPv4MinimumSize - header.UDPMinimumSize
		if y.at.Is6() {
			most = mtu - header.IPv6MinimumSize - header.UDPMinimumSize
		}
		for _, size := range []int{1, most, most + 1} {
			err := lab.EchoUDP(ctx, from, y.to, y.at, []int{size})
			list := pieces(p.fence(), hw(y.from.HardwareAddr()))
			if size > most && y.from == w.kernel {
				if !errors.Is(err, unix.EMSGSIZE) || len(list) > 0 {
					t.Errorf("%s, %d bytes: %d frames, %v; want none, %v", y.name, size, len(list), err, unix.EMSGSIZE)
				}
				continue
			}
			wiretest.Check(t, err, checkPieces(list, y.at.Is6(), mtu, size+header.UDPMinimumSize))
			// RFC 8200 §4.5: in IPv6 no router fragments, and there is no flag.
			if !y.at.Is6() && !list[0].df {
				t.Errorf("%s, %d bytes: DF is not set", y.name, size)
			}
		}
	}
}

// TestKernelJumboDontFragment: a ping that fills a jumbo frame, and that nobody
// may fragment, goes in one with DF set, and its answer in one.
func TestKernelJumboDontFragment(t *testing.T) {
	const mtu = 9000
	ctx := lasting(t, time.Minute)
	w := newWire(t, wireOptions{mtu: mtu})
	p := w.listen().all()
	for _, y := range w.ways(oursIPv4, oursIPv6) {
		size := mtu - header.IPv4MinimumSize - header.ICMPv4MinimumSize
		if y.at.Is6() {
			size = mtu - header.IPv6MinimumSize - header.ICMPv6EchoMinimumSize
		}
		if _, err := lab.Ping(ctx, fragmenting{Station: y.from, whole: true}, y.at, size); err != nil {
			t.Errorf("%s: %v", y.name, err)
		}
		seen := p.fence()
		for _, s := range []lab.Station{y.from, y.to} {
			list := pieces(seen, hw(s.HardwareAddr()))
			if len(list) != lab.PingCount {
				t.Errorf("%s: %d frames of %s's, want %d", y.name, len(list), s.Name(), lab.PingCount)
			}
			for _, f := range list {
				err := checkPieces([]piece{f}, y.at.Is6(), mtu, mtu-headerOf(y.at.Is6()))
				if err != nil || s == y.from && !f.df && !y.at.Is6() {
					t.Errorf("%s, sent by %s: DF is %v, %v", y.name, s.Name(), f.df, err)
				}
			}
		}
		if y.from == w.kernel {
			_, err := lab.Ping(ctx, fragmenting{Station: y.from, whole: true}, y.at, size+1)
			if err == nil || !strings.Contains(err.Error(), unix.EMSGSIZE.Error()) {
				t.Errorf("%s: a ping that does not fit: %v; want %v", y.name, err, unix.EMSGSIZE)
			}
		}
	}
}

// headerOf returns the length of an IP header.
func headerOf(v6 bool) int {
	if v6 {
		return header.IPv6MinimumSize
	}
	return header.IPv4MinimumSize
}
