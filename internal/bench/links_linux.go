package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	gvfdbased "gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/link/qdisc/fifo"
	"gvisor.dev/gvisor/pkg/tcpip/link/tun"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/internal/netns"
)

// A link is what a netstack is put on. It ends with its process.
type link struct {
	endpoint stack.LinkEndpoint
	queue    stack.QueueingDiscipline // nil: none
	needsARP bool
}

// openers make the links of the subjects that have a netstack, in the network
// namespace of this process. A tuned one has the name of its plain form.
var openers = map[string]func(expert bool) (link, error){
	"fdbased-tap":          openFdbasedTAP,
	"channel-tap":          openChannelTAP,
	"fdbased-packet":       func(expert bool) (link, error) { return openFdbasedPacket(expert, false) },
	"fdbased-packet-gso":   func(expert bool) (link, error) { return openFdbasedPacket(expert, true) },
	"ethlink-tap":          func(bool) (link, error) { return openOurTAP(endpoint.Queue{}, false) },
	"ethlink-tap-queue":    func(bool) (link, error) { return openOurTAP(ourQueue, false) },
	"ethlink-tap-plain":    func(bool) (link, error) { return openOurTAP(ourQueue, true) },
	"ethlink-packet":       func(bool) (link, error) { return openOurPacket(endpoint.Queue{}) },
	"ethlink-packet-queue": func(bool) (link, error) { return openOurPacket(ourQueue) },
}

// fifoLen is how many packets runsc lets wait.
const fifoLen = 1000

// ourQueue is as long.
var ourQueue = endpoint.Queue{Len: fifoLen}

// stationAddr is a subject's hardware address on a TAP.
const stationAddr = tcpip.LinkAddress("\x02\x00\x5e\x00\x53\x02")

// openTAP opens the TAP as users of gVisor do.
func openTAP() (int, error) {
	fd, err := tun.OpenTAP(peerIface)
	if err != nil {
		return 0, fmt.Errorf("opening a TAP (needs read and write access to /dev/net/tun): %w", err)
	}
	return fd, nil
}

// processors is how many goroutines take what one file descriptor receives; 0
// means link/fdbased's default.
func processors(expert bool) int {
	if expert {
		return 1
	}
	return 0
}

func openFdbasedTAP(expert bool) (link, error) {
	fd, err := openTAP()
	if err != nil {
		return link{}, err
	}
	ep, err := gvfdbased.New(&gvfdbased.Options{
		FDs: []int{fd}, MTU: mtu, EthernetHeader: true, Address: stationAddr, ProcessorsPerChannel: processors(expert),
	})
	return link{endpoint: ep, needsARP: true}, err
}

func openFdbasedPacket(expert, gso bool) (link, error) {
	fd, addr, err := openPacket(gso)
	if err != nil {
		return link{}, err
	}
	o := gvfdbased.Options{
		FDs: []int{fd}, MTU: mtu, EthernetHeader: true, Address: addr,
		PacketDispatchMode: gvfdbased.RecvMMsg, ProcessorsPerChannel: processors(expert),
	}
	if gso {
		o.GSOMaxSize, o.RXChecksumOffload = 65536, true
	}
	ep, err := gvfdbased.New(&o)
	if err != nil {
		return link{}, err
	}
	l := link{endpoint: ep, needsARP: true}
	if gso {
		l.queue = fifo.New(ep, runtime.GOMAXPROCS(0), fifoLen)
	}
	return l, nil
}

// openPacket opens a packet socket on this side's interface, with what runsc
// sets. It returns the interface's hardware address, too.
func openPacket(vnet bool) (fd int, addr tcpip.LinkAddress, err error) {
	info, err := netns.Link(subjectIface)
	if err != nil {
		return 0, "", err
	}
	const all = unix.ETH_P_ALL
	protocol := binary.NativeEndian.Uint16([]byte{all >> 8, all})
	if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, "", fmt.Errorf("opening a packet socket: %w", err)
	}
	options := []struct{ level, option, value int }{
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, defaultBuffer},
		{unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, defaultBuffer},
	}
	if vnet {
		options = append(options, struct{ level, option, value int }{unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1})
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.option, o.value); err != nil {
			return 0, "", fmt.Errorf("setting option %d of level %d of a packet socket: %w", o.option, o.level, err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: info.Index}); err != nil {
		return 0, "", fmt.Errorf("binding a packet socket to interface %q: %w", subjectIface, err)
	}
	return fd, tcpip.LinkAddress(info.HardwareAddr[:]), nil
}

// openChannelTAP is the loop that programs have around link/channel.
func openChannelTAP(bool) (link, error) {
	fd, err := openTAP()
	if err != nil {
		return link{}, err
	}
	file := os.NewFile(uintptr(fd), peerIface)
	// The MTU of a channel counts the Ethernet header.
	ch := channel.New(fifoLen, mtu+14, stationAddr)
	go func() {
		b := make([]byte, mtu+14)
		for {
			n, err := file.Read(b)
			if err != nil {
				return
			}
			pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(b[:n])})
			ch.InjectInbound(0, pkt)
			pkt.DecRef()
		}
	}()
	go func() {
		for {
			pkt := ch.ReadContext(context.Background())
			v := pkt.ToView()
			pkt.DecRef()
			file.Write(v.AsSlice())
			v.Release()
		}
	}()
	return link{endpoint: ethernet.New(ch), needsARP: true}, nil
}

func openOurTAP(q endpoint.Queue, plain bool) (link, error) {
	dev, err := tap.Open(tap.Options{Name: peerIface, NoOffload: plain})
	if err != nil {
		return link{}, err
	}
	ep, err := endpoint.New(dev, endpoint.Options{Queue: q})
	return link{endpoint: ep}, err
}

func openOurPacket(q endpoint.Queue) (link, error) {
	dev, err := fdbased.OpenPacket(subjectIface, fdbased.Options{})
	if err != nil {
		return link{}, err
	}
	ep, err := endpoint.New(dev, endpoint.Options{Queue: q})
	return link{endpoint: ep}, err
}
