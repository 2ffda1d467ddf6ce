package endpoint_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
)

// numbered makes a frame whose first payload byte is a number.
func numbered(size int, number byte) []byte {
	b := make([]byte, size)
	ethstack.Header{
		Destination: ethstack.HardwareAddr{2, 5: 2}, Source: ethstack.HardwareAddr{2, 5: 1}, EtherType: ethstack.EtherTypeIPv6,
	}.Put((*[ethstack.HeaderLen]byte)(b))
	b[ethstack.HeaderLen] = number
	return b
}

func inject(child *channel.Endpoint, b []byte) {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(b)})
	child.InjectInbound(0, pkt)
	pkt.DecRef()
}

// TestFromLinkPacketShape: the child gets packets as netstack would hand them to
// it.
func TestFromLinkPacketShape(t *testing.T) {
	child := channel.New(4, frameMTU, "")
	d := fromLink(t, child)
	for _, size := range []int{14, 15, 600, 1514} {
		want := numbered(max(size, 15), 7)[:size]
		if n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{want[:9], want[9:]}}}); n != 1 || err != nil {
			t.Fatalf("Write of %d bytes: %d, %v", size, n, err)
		}
		pkt := child.Read()
		v := pkt.ToView()
		if !bytes.Equal(v.AsSlice(), want) || !bytes.Equal(pkt.LinkHeader().Slice(), want[:14]) || pkt.Data().Size() != size-14 ||
			pkt.NetworkProtocolNumber != ipv6.ProtocolNumber {
			t.Errorf("packet of %d bytes: %x, header %x, protocol %#x; want %x", size, v.AsSlice(), pkt.LinkHeader().Slice(), pkt.NetworkProtocolNumber, want)
		}
		v.Release()
		pkt.DecRef()
	}
	if n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{make([]byte, 13)}}}); n != 0 || err == nil {
		t.Errorf("Write of 13 bytes: %d, %v; want an error", n, err)
	}
}

// TestFromLinkMetadata: what netstack's words can say passes to the child and
// back, what they cannot is refused.
func TestFromLinkMetadata(t *testing.T) {
	const needs = ethstack.NeedsChecksum
	tcp4 := ethstack.Offload{Flags: needs, Segment: ethstack.SegmentTCPv4, SegmentSize: 1448, HeaderLen: 66, ChecksumStart: 34, ChecksumOffset: 16}
	with := func(change func(*ethstack.Offload)) ethstack.Offload {
		o := tcp4
		change(&o)
		return o
	}
	for _, tt := range []struct {
		name string
		o    ethstack.Offload
		want stack.GSO
		err  error
	}{
		{"none", ethstack.Offload{}, stack.GSO{}, nil},
		{"valid", ethstack.Offload{Flags: ethstack.DataValid}, stack.GSO{}, nil},
		{"checksum", ethstack.Offload{Flags: needs, ChecksumStart: 54, ChecksumOffset: 6},
			stack.GSO{Type: stack.GSOTCPv4, NeedsCsum: true, CsumOffset: 6, MSS: 65535, L3HdrLen: 40, MaxSize: 1 << 15}, nil},
		{"TCP over IPv4", tcp4, stack.GSO{Type: stack.GSOTCPv4, NeedsCsum: true, CsumOffset: 16, MSS: 1448, L3HdrLen: 20, MaxSize: 1 << 15}, nil},
		{"TCP over IPv6", with(func(o *ethstack.Offload) { o.Segment = ethstack.SegmentTCPv6 }),
			stack.GSO{Type: stack.GSOTCPv6, NeedsCsum: true, CsumOffset: 16, MSS: 1448, L3HdrLen: 20, MaxSize: 1 << 15}, nil},
		{"UDP", with(func(o *ethstack.Offload) { o.Segment = ethstack.SegmentUDP }), stack.GSO{}, ethstack.ErrUnsupportedOffload},
		{"ECN", with(func(o *ethstack.Offload) { o.Flags |= ethstack.ECN }), stack.GSO{}, ethstack.ErrUnsupportedOffload},
		{"no checksum", with(func(o *ethstack.Offload) { o.Flags = 0 }), stack.GSO{}, ethstack.ErrUnsupportedOffload},
		{"segment size 0", with(func(o *ethstack.Offload) { o.SegmentSize = 0 }), stack.GSO{}, ethstack.ErrUnsupportedOffload},
		{"headers too long", with(func(o *ethstack.Offload) { o.HeaderLen = 4001 }), stack.GSO{}, ethstack.ErrUnsupportedOffload},
		{"headers too short", with(func(o *ethstack.Offload) { o.HeaderLen = 33 }), stack.GSO{}, ethstack.ErrUnsupportedOffload},
		{"start in the header", with(func(o *ethstack.Offload) { o.ChecksumStart = 13 }), stack.GSO{}, ethstack.ErrUnsupportedOffload},
		{"start behind the end", with(func(o *ethstack.Offload) { o.ChecksumOffset = 3965 }), stack.GSO{}, ethstack.ErrUnsupportedOffload},
	} {
		t.Run(tt.name, func(t *testing.T) {
			child := channel.New(1, frameMTU, "")
			child.SupportedGSOKind = stack.HostGSOSupported
			d := fromLink(t, child)
			b := numbered(4000, 1)
			if tt.o.Segment == ethstack.SegmentNone {
				b = b[:1000]
			}
			n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{b}, Offload: tt.o}})
			if !errors.Is(err, tt.err) || (n == 1) != (tt.err == nil) {
				t.Fatalf("Write: %d, %v; want error %v", n, err, tt.err)
			}
			if tt.err != nil {
				return
			}
			pkt := child.Read()
			defer pkt.DecRef()
			if diff := cmp.Diff(tt.want, pkt.GSOOptions); diff != "" {
				t.Errorf("GSO options (-want +got):\n%s", diff)
			}
			if tt.o.Segment != ethstack.SegmentNone && pkt.HeaderSize() != int(tt.o.HeaderLen) {
				t.Errorf("headers of %d bytes, want %d", pkt.HeaderSize(), tt.o.HeaderLen)
			}
			child.InjectInbound(0, pkt)
			back := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 100), make([]byte, 1<<16)}}}
			if n, err := d.Read(0, back); n != 1 || err != nil {
				t.Fatalf("Read: %d, %v", n, err)
			}
			want := tt.o
			want.Flags &^= ethstack.DataValid // nobody has said so to this side
			if back[0].Offload != want || !bytes.Equal(slices.Concat(back[0].Bufs...)[:back[0].Len], b) {
				t.Errorf("came back as %d bytes, %+v; want %d, %+v", back[0].Len, back[0].Offload, len(b), want)
			}
		})
	}
}

// TestFromLinkVouches: the child's word on checksums is passed on.
func TestFromLinkVouches(t *testing.T) {
	for caps, want := range map[stack.LinkEndpointCapabilities]ethstack.OffloadFlags{
		0: 0, stack.CapabilityRXChecksumOffload: ethstack.DataValid, stack.CapabilityTXChecksumOffload: 0,
	} {
		child := channel.New(1, frameMTU, "")
		child.LinkEPCapabilities = caps
		d := fromLink(t, child)
		inject(child, numbered(60, 1))
		f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 100)}}}
		if n, err := d.Read(0, f); n != 1 || err != nil || f[0].Offload != (ethstack.Offload{Flags: want}) {
			t.Errorf("capabilities %v: %d, %v, %+v; want flags %v", caps, n, err, f[0].Offload, want)
		}
	}
}

// headed is a child that takes headers off by itself, one of virtio's and
// Ethernet's, as link/sharedmem does.
type headed struct{ *channel.Endpoint }

func (headed) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }
func (headed) MaxHeaderLength() uint16 {
	return header.VirtioNetHeaderSize + header.EthernetMinimumSize
}

func (c headed) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range list.AsSlice() {
		copy(pkt.VirtioNetHeader().Push(header.VirtioNetHeaderSize), "virtio")
	}
	return c.Endpoint.WritePackets(list)
}

// TestFromLinkHeaders: a child finds room for its own headers, and what it has
// taken off is no part of the frame.
func TestFromLinkHeaders(t *testing.T) {
	child := headed{channel.New(1, 1500, "")}
	d := fromLink(t, child)
	want := numbered(700, 9)
	if n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{want}}}); n != 1 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	out := child.Read()
	in := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: out.ToBuffer()})
	out.DecRef()
	if v, ok := in.VirtioNetHeader().Consume(header.VirtioNetHeaderSize); !ok || string(v[:6]) != "virtio" {
		t.Errorf("the virtio header reads %q", v)
	}
	in.LinkHeader().Consume(header.EthernetMinimumSize)
	child.InjectInbound(ipv6.ProtocolNumber, in)
	in.DecRef()
	f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 128), make([]byte, 1500)}}}
	if n, err := d.Read(0, f); n != 1 || err != nil || !bytes.Equal(slices.Concat(f[0].Bufs...)[:f[0].Len], want) {
		t.Errorf("Read: %d, %v, %d bytes", n, err, f[0].Len)
	}
}

// refusing is a child that answers WritePackets with what it was told, and
// then takes everything.
type refusing struct {
	*channel.Endpoint
	n   int
	err tcpip.Error
}

func (c *refusing) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	n, err := c.n, c.err
	c.n, c.err = -1, nil
	if n < 0 {
		n = list.Len()
	}
	return n, err
}

// TestFromLinkRefused: each frame has the error that the child meant for it.
func TestFromLinkRefused(t *testing.T) {
	full, long, gone := ethstack.ErrNoBufferSpace, ethstack.ErrMessageTooLong, ethstack.ErrDisconnected
	for _, tt := range []struct {
		name string
		n    int
		err  tcpip.Error
		want [3]error
	}{
		{"all taken", 3, nil, [3]error{}},
		{"more than all", 4, nil, [3]error{}},
		{"some, without an error", 1, nil, [3]error{nil, full, full}},
		{"full", 2, &tcpip.ErrNoBufferSpace{}, [3]error{nil, nil, full}},
		{"would block", 0, &tcpip.ErrWouldBlock{}, [3]error{full, full, full}},
		{"one too long, then the rest", 1, &tcpip.ErrMessageTooLong{}, [3]error{nil, long, nil}},
		{"closed", 1, &tcpip.ErrClosedForSend{}, [3]error{nil, gone, gone}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := fromLink(t, &refusing{channel.New(1, frameMTU, ""), tt.n, tt.err})
			frames := make([]ethstack.Frame, 3)
			for i := range frames {
				frames[i].Bufs = [][]byte{numbered(60, byte(i))}
			}
			n, err := d.Write(0, frames)
			want, first := 0, error(nil)
			for i, e := range tt.want {
				if !errors.Is(frames[i].Err, e) {
					t.Errorf("frame %d: %v, want %v", i, frames[i].Err, e)
				}
				if e == nil {
					want++
				} else if first == nil {
					first = e
				}
			}
			if n != want || !errors.Is(err, first) {
				t.Errorf("Write: %d, %v; want %d, %v", n, err, want, first)
			}
			if _, err := d.Write(0, frames[:1]); errors.Is(err, gone) != (tt.name == "closed") {
				t.Errorf("the next Write: %v", err)
			}
		})
	}
	d := fromLink(t, &refusing{channel.New(1, frameMTU, ""), 0, &tcpip.ErrNotPermitted{}})
	frames := []ethstack.Frame{{Bufs: [][]byte{numbered(60, 1)}}, {Bufs: [][]byte{numbered(60, 2)}}}
	if n, err := d.Write(0, frames); n != 1 || err == nil || frames[0].Err != err || frames[1].Err != nil {
		t.Errorf("an unknown error for the first of two frames: %d, %v", n, err)
	}
}

// TestFromLinkQueue: what does not fit is counted, what is left at Close is
// given back.
func TestFromLinkQueue(t *testing.T) {
	const length = 1024
	child := channel.New(1, frameMTU, "")
	d := fromLink(t, child)
	inject(child, numbered(1000, 0))
	for i := range length + 5 {
		inject(child, numbered(60, byte(i)))
	}
	f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 100)}}, {Bufs: [][]byte{make([]byte, 100)}}}
	if n, err := d.Read(0, f); n != 1 || err != nil || f[0].Bufs[0][ethstack.HeaderLen] != 0 {
		t.Errorf("Read: %d, %v; want the first of the short frames", n, err)
	}
	if n, err := d.Read(0, nil); n != 0 || err != nil {
		t.Errorf("Read into nothing: %d, %v", n, err)
	}
	d.Close()
	inject(child, numbered(60, 0)) // to nobody
	want := endpoint.LinkDeviceStats{QueueFull: 6, TooLong: 1, Closed: length - 2}
	if diff := cmp.Diff(want, d.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	if child.IsAttached() {
		t.Error("the child is still attached")
	}
}
