package conformance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// vnetHeader writes metadata as struct virtio_net_hdr of linux/virtio_net.h.
func vnetHeader(o ethstack.Offload) []byte {
	kinds := map[ethstack.SegmentType]byte{ethstack.SegmentTCPv4: 1, ethstack.SegmentTCPv6: 4, ethstack.SegmentUDP: 5}
	b := []byte{byte(o.Flags & 3), kinds[o.Segment]}
	if o.Flags&ethstack.ECN != 0 {
		b[1] |= 0x80
	}
	for _, v := range []uint16{o.HeaderLen, o.SegmentSize, o.ChecksumStart, o.ChecksumOffset} {
		b = binary.NativeEndian.AppendUint16(b, v)
	}
	return b
}

// sendWith sends a frame with metadata out of the interface. The error is the
// kernel's, which looks at both.
func (p *packetSocket) sendWith(f frame, o ethstack.Offload) error {
	_, err := unix.Write(p.fd, slices.Concat(vnetHeader(o), f))
	return err
}

// liar opens a packet socket whose frames have metadata.
func liar(t testing.TB, iface string) *packetSocket {
	t.Helper()
	p := listenOn(t, iface)
	wiretest.Check(t, unix.SetsockoptInt(p.fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1))
	return p
}

// lieWires are a netstack's devices whose other end a program with a packet
// socket has.
var lieWires = map[string]func(t *testing.T) (ours *lab.Netstack, p *packetSocket){
	"TAP": func(t *testing.T) (*lab.Netstack, *packetSocket) {
		w := newWire(t, wireOptions{quiet: true})
		return w.ours, liar(t, w.iface)
	},
	"packet socket": func(t *testing.T) (*lab.Netstack, *packetSocket) {
		noLeaks(t)
		ns := newCable(t, "near", "far")
		dev, err := fdbased.OpenPacket("near", fdbased.Options{})
		wiretest.Check(t, err)
		ours := new(near).netstack(t, "netstack", dev, oursIPv4)
		var p *packetSocket
		wiretest.Check(t, ns.Do(func() error { p = liar(t, "far"); return nil }))
		return ours, p
	},
}

// TestKernelLies: whatever lying metadata the kernel lets another program send,
// the kernel drops the frame, or we do and count it, or it is delivered as the good
// frame that the kernel has made of it.
func TestKernelLies(t *testing.T) {
	for name, open := range lieWires {
		t.Run(name, func(t *testing.T) {
			lasting(t, time.Minute)
			ours, p := open(t)
			i := ours.Endpoint().Interface()
			server, err := ours.ListenUDP(netip.AddrPortFrom(oursIPv4, openPort))
			wiretest.Check(t, err)
			defer server.Close()
			fates := map[string][]string{}
			for n, l := range lies(hw(i.HardwareAddr())) {
				before, fate := i.Stats(), "dropped by the kernel"
				if p.sendWith(l.frame, l.o) != nil {
					fate = "refused by the kernel"
				}
				// What comes behind it is not harmed.
				last := []byte{0xa5, byte(n)}
				wiretest.Check(t, p.sendWith(ether(hw(i.HardwareAddr()), alice.hw, typeIPv4, udp4(alice.ipv4, ownIPv4, openPort, last)), ethstack.Offload{}))
				whole := receiveUntil(t, server, last)
				now := i.Stats()
				switch came := now.RxFrames - before.RxFrames - 1; {
				case now.Drops[ethstack.DropBadOffload] > before.Drops[ethstack.DropBadOffload]:
					fate = "dropped by us"
				case came > 0:
					fate = "made good by the kernel"
					for _, b := range whole {
						if !bytes.Equal(b, data(1400)) {
							t.Errorf("%s: a socket received %d bytes that nobody sent: %.40x...", l.name, len(b), b)
						}
					}
				}
				fates[fate] = append(fates[fate], l.name)
			}
			for fate, names := range fates {
				t.Logf("%s: %s", fate, strings.Join(names, ", "))
			}
			if len(fates["dropped by us"]) == 0 {
				t.Error("the kernel passed on no lie at all: nothing was tested")
			}
		})
	}
}

// receiveUntil returns what a socket receives before a certain datagram.
func receiveUntil(t testing.TB, c net.PacketConn, last []byte) (list [][]byte) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(wiretest.Patience))
	for b := make([]byte, 1<<16); ; {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			t.Fatalf("waiting for the datagram %x: %v", last, err)
		}
		if bytes.Equal(b[:n], last) {
			return list
		}
		list = append(list, bytes.Clone(b[:n]))
	}
}

// TestChecksumInside: a checksum that is missing from what a datagram carries, as
// when a tunnel's packet comes from another guest, is completed before a socket
// receives it.
func TestChecksumInside(t *testing.T) {
	for name, open := range lieWires {
		t.Run(name, func(t *testing.T) {
			lasting(t, time.Minute)
			ours, p := open(t)
			server, err := ours.ListenUDP(netip.AddrPortFrom(oursIPv4, openPort))
			wiretest.Check(t, err)
			defer server.Close()
			const before, pseudo = 50, 0x1234 // bytes before what the checksum is of
			inner := data(500)
			binary.BigEndian.PutUint16(inner[before+tcpField:], pseudo)
			want := slices.Clone(inner)
			binary.BigEndian.PutUint16(want[before+tcpField:], ^checksum.Checksum(inner[before:], 0))
			f := ether(hw(ours.HardwareAddr()), alice.hw, typeIPv4, udp4(alice.ipv4, ownIPv4, openPort, inner))
			binary.BigEndian.PutUint16(f[transport4+udpField:], 0) // as VXLAN has it
			o := ethstack.Offload{
				Flags: ethstack.NeedsChecksum, ChecksumStart: transport4 + header.UDPMinimumSize + before, ChecksumOffset: tcpField,
			}
			err = p.sendWith(f, o)
			if errors.Is(err, unix.EINVAL) {
				t.Skip("this kernel lets no program send a checksum that is to be completed inside of a datagram")
			}
			wiretest.Check(t, err)
			server.SetReadDeadline(time.Now().Add(wiretest.Patience))
			got := make([]byte, 1<<16)
			n, _, err := server.ReadFrom(got)
			wiretest.Check(t, err)
			if !bytes.Equal(got[:n], want) {
				t.Errorf("a socket received %d bytes with checksum %x, want %d with %x", n, got[before+tcpField:][:2], len(want), want[before+tcpField:][:2])
			}
		})
	}
}
