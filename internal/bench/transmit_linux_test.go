package bench

import (
	"net/netip"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	gvfdbased "gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
)

// BenchmarkTransmitNull is the whole way out of a packet of 64 bytes of payload,
// its making included, to a file that forgets: one writev for each, as on a TAP.
func BenchmarkTransmitNull(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	theirs, err := gvfdbased.New(&gvfdbased.Options{FDs: []int{int(null.Fd())}, MTU: mtu, EthernetHeader: true, Address: stationAddr})
	if err != nil {
		b.Fatal(err)
	}
	ours, err := endpoint.New(&nullDevice{fd: null.Fd(), closed: make(chan struct{})}, endpoint.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer ours.Close()
	hw := ethstack.HardwareAddr{2, 0, 0, 0, 0, 2}
	if err := ours.Interface().AddStaticNeighbor(netip.AddrFrom4(nullPeer.As4()), hw); err != nil {
		b.Fatal(err)
	}
	resolved := nullRoute()
	resolved.RemoteLinkAddress = tcpip.LinkAddress(hw[:])
	failed := 0
	way := func(ep stack.LinkEndpoint, r stack.RouteInfo) func(int) {
		var list stack.PacketBufferList
		return func(n int) {
			for range n {
				failed += transmit(ep, r, &list)
			}
		}
	}
	inTurn(b, opsInTurn, way(theirs, resolved), way(ours, nullRoute()))
	if failed > 0 {
		b.Errorf("%d packets were not written", failed)
	}
}

var nullPeer = tcpip.AddrFrom4([4]byte{10, 0, 0, 2})

func nullRoute() (r stack.RouteInfo) {
	r.NetProto = header.IPv4ProtocolNumber
	r.LocalAddress, r.RemoteAddress = tcpip.AddrFrom4([4]byte{10, 0, 0, 1}), nullPeer
	r.LocalLinkAddress = stationAddr
	return r
}

// transmit sends one packet as the IP layer does, and returns 1 if that failed.
func transmit(ep stack.LinkEndpoint, r stack.RouteInfo, list *stack.PacketBufferList) int {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(ep.MaxHeaderLength()) + header.IPv4MinimumSize,
		Payload:            buffer.MakeWithView(buffer.NewViewSize(64)),
	})
	pkt.EgressRoute, pkt.NetworkProtocolNumber = r, ipv4.ProtocolNumber
	pkt.NetworkHeader().Push(header.IPv4MinimumSize)
	ep.AddHeader(pkt)
	list.PushBack(pkt)
	defer list.Reset() // gives up the packet
	if n, err := ep.WritePackets(*list); n != 1 || err != nil {
		return 1
	}
	return 0
}

// A nullDevice writes each frame to a file, as a TAP does.
type nullDevice struct {
	fd     uintptr
	closed chan struct{}
	iov    []unix.Iovec
}

func (*nullDevice) Info() ethstack.DeviceInfo {
	return ethstack.DeviceInfo{Name: os.DevNull, MTU: mtu, MaxFrame: frameio.MaxPlain(mtu)}
}
func (*nullDevice) Queues() int                       { return 1 }
func (*nullDevice) Notify(f func(ethstack.LinkState)) {}
func (d *nullDevice) Close() error                    { close(d.closed); return nil }

func (d *nullDevice) Read(int, []ethstack.Frame) (int, error) {
	<-d.closed
	return 0, ethstack.ErrDisconnected
}

func (d *nullDevice) Write(_ int, frames []ethstack.Frame) (int, error) {
	for k := range frames {
		d.iov, _ = frameio.AppendWrite(d.iov[:0], nil, frames[k].Bufs, frameio.MaxVectors)
		if _, _, errno := unix.Syscall(unix.SYS_WRITEV, d.fd, uintptr(unsafe.Pointer(&d.iov[0])), uintptr(len(d.iov))); errno != 0 {
			frames[k].Err = errno
			return k, errno
		}
	}
	return len(frames), nil
}
