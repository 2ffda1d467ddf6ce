package conformance

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// A packetSocket is what a program on the kernel's side sees of an interface,
// read by other means than those of package fdbased.
type packetSocket struct {
	t  testing.TB
	fd int
}

// A sight is a frame that came in. The kernel takes the outer VLAN tag out of
// it and tells it apart: that is checked here, and the tag put back.
type sight struct {
	frame
	tagged bool
}

// listen opens a packet socket for what comes in at the kernel's end of a wire.
func (w *wire) listen() *packetSocket {
	w.t.Helper()
	return listenOn(w.t, w.iface)
}

func listenOn(t testing.TB, iface string) *packetSocket {
	t.Helper()
	link, err := netns.Link(iface)
	wiretest.Check(t, err)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	wiretest.Check(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	timeout := unix.NsecToTimeval(int64(wiretest.Patience))
	const all = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL<<8&0xff00 // in network byte order
	wiretest.Check(t,
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}),
	)
	return &packetSocket{t, fd}
}

// send sends frames out of the interface.
func (p *packetSocket) send(frames ...frame) {
	p.t.Helper()
	for _, f := range frames {
		if _, err := unix.Write(p.fd, f); err != nil {
			p.t.Fatalf("sending %v: %v", f, err)
		}
	}
}

// next returns the next frame that has come in.
func (p *packetSocket) next() sight {
	p.t.Helper()
	s, err := p.read()
	if err != nil {
		p.t.Fatalf("waiting for a frame: %v", err)
	}
	return s
}

// read waits for a frame, for as long as the socket's timeout is.
func (p *packetSocket) read() (sight, error) {
	b, oob := make([]byte, 1<<17), make([]byte, 256)
	n, oobn, _, _, err := unix.Recvmsg(p.fd, b, oob, 0)
	if err != nil {
		return sight{}, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return sight{}, err
	}
	s := sight{frame: slices.Clone(b[:n])}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA || len(m.Data) < int(unsafe.Sizeof(auxdata{})) {
			continue
		}
		var aux auxdata
		if _, err := binary.Decode(m.Data, binary.NativeEndian, &aux); err != nil {
			return sight{}, err
		}
		if s.tagged = aux.Status&unix.TP_STATUS_VLAN_VALID != 0; s.tagged {
			s.frame = s.frame.tagged(aux.TPID, aux.TCI)
		}
	}
	return s, nil
}

// auxdata is a struct tpacket_auxdata.
type auxdata struct {
	Status, Len, SnapLen uint32
	MAC, Net, TCI, TPID  uint16
}

// until returns what has come in up to the first frame that matches.
func (p *packetSocket) until(match func(frame) bool) (list []sight) {
	p.t.Helper()
	for {
		s := p.next()
		list = append(list, s)
		if match(s.frame) {
			return list
		}
	}
}

// fence returns what the netstack has sent so far: it is asked for its address
// by a host that asks for nothing else, and answers in order.
func (p *packetSocket) fence() []sight {
	p.t.Helper()
	p.send(request(witness, everybody, ownIPv4))
	list := p.until(isReplyTo(witness))
	return list[:len(list)-1]
}

// flood sends frames out of the interface, as fast as it can, until the
// function that it returns is called or there is no interface any more.
func (p *packetSocket) flood(frames ...frame) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
			}
			err := unix.Sendto(p.fd, frames[i%len(frames)], unix.MSG_DONTWAIT, nil)
			if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
				return
			}
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}

// count returns how many frames match.
func count(list []sight, match func(frame) bool) (n int) {
	for _, s := range list {
		if match(s.frame) {
			n++
		}
	}
	return n
}

// hw converts an address to the suite's type.
func hw(a ethstack.HardwareAddr) hardwareAddr { return hardwareAddr(a) }
