package conformance

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// A piece is a packet of UDP or ICMP, or a fragment of one.
type piece struct {
	from     hardwareAddr
	v6       bool
	fragment bool
	id       uint32
	at       int // where in the packet's payload
	more, df bool
	data     []byte
}

// piece reads what a frame carries of a datagram or a ping.
func (f frame) piece() (p piece, ok bool) {
	if h, is := f.ipv4(); is {
		p = piece{
			from: f.from(), fragment: h.More() || h.FragmentOffset() != 0, id: uint32(h.ID()),
			at: int(h.FragmentOffset()), more: h.More(), df: h.Flags()&header.IPv4FlagDontFragment != 0, data: h.Payload(),
		}
		return p, h.TransportProtocol() == header.UDPProtocolNumber || h.TransportProtocol() == header.ICMPv4ProtocolNumber
	}
	h, is := f.ipv6()
	if !is {
		return p, false
	}
	p = piece{from: f.from(), v6: true, data: h.Payload()}
	next := h.NextHeader()
	if next == uint8(header.IPv6FragmentExtHdrIdentifier) && len(p.data) >= header.IPv6FragmentHeaderSize {
		// RFC 8200 §4.5: next header, reserved, offset in units of 8 bytes and
		// the M flag, identification.
		word := binary.BigEndian.Uint16(p.data[2:])
		next, p.fragment, p.at, p.more = p.data[0], true, int(word&^7), word&1 != 0
		p.id, p.data = binary.BigEndian.Uint32(p.data[4:]), p.data[8:]
	}
	if next == uint8(header.ICMPv6ProtocolNumber) {
		// Not a message of neighbor discovery.
		ping := p.at > 0 || len(p.data) > 0 && (p.data[0] == uint8(header.ICMPv6EchoRequest) || p.data[0] == uint8(header.ICMPv6EchoReply))
		return p, ping
	}
	return p, next == uint8(header.UDPProtocolNumber)
}

// pieces returns those of one station, each packet's in order.
func pieces(list []sight, from hardwareAddr) (all []piece) {
	for _, s := range list {
		if p, ok := s.piece(); ok && p.from == from {
			all = append(all, p)
		}
	}
	return all
}

// checkPieces says what is wrong with the pieces of one packet: with an MTU, so
// many bytes of payload go in one piece if there is room, else in fragments that
// are in order, and as long as possible, but for the last.
func checkPieces(list []piece, v6 bool, mtu, size int) error {
	room := mtu - header.IPv4MinimumSize
	if v6 {
		room = mtu - header.IPv6MinimumSize
	}
	whole := size <= room
	if !whole {
		if v6 {
			room -= header.IPv6FragmentHeaderSize
		}
	}
	at := 0
	for i, p := range list {
		want := len(p.data)
		if i+1 < len(list) {
			want = room &^ 7
		}
		switch {
		case p.fragment == whole:
			return fmt.Errorf("piece %d of a packet of %d bytes: is it a fragment: %v", i, size, p.fragment)
		case !whole && p.id != list[0].id:
			return fmt.Errorf("piece %d has identification %d, the first has %d", i, p.id, list[0].id)
		case p.at != at || len(p.data) != want || want > room || p.more != (at+want < size):
			return fmt.Errorf("piece %d is %d bytes at %d, more follow: %v; want %d of at most %d at %d of %d", i, len(p.data), p.at, p.more, want, room, at, size)
		}
		at += want
	}
	if at != size {
		return fmt.Errorf("%d pieces have %d bytes of %d", len(list), at, size)
	}
	return nil
}

// all has a packet socket see what is sent from the interface, too.
func (p *packetSocket) all() *packetSocket {
	p.t.Helper()
	wiretest.Check(p.t, unix.SetsockoptInt(p.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 0))
	return p
}

// fragmenting is a station whose pings and datagrams have an explicit strategy
// for what is longer than the MTU: with whole, it forbids all to fragment them
// (the DF flag), without, it lets all do it.
type fragmenting struct {
	lab.Station
	whole bool
}

func (s fragmenting) Ping(to netip.Addr) (lab.PacketConn, error) {
	if n, ok := s.Station.(*lab.Netstack); ok {
		protocol := tcpip.TransportProtocolNumber(icmp.ProtocolNumber4)
		if to.Is6() {
			protocol = icmp.ProtocolNumber6
		}
		return s.dialNetstack(n, protocol, netip.AddrPortFrom(to, 0))
	}
	c, err := s.Station.Ping(to)
	return s.set(c, err, to)
}

func (s fragmenting) DialUDP(to netip.AddrPort) (lab.PacketConn, error) {
	if n, ok := s.Station.(*lab.Netstack); ok {
		return s.dialNetstack(n, udp.ProtocolNumber, to)
	}
	c, err := s.Station.DialUDP(to)
	return s.set(c, err, to.Addr())
}

// set gives a socket of the kernel the strategy.
func (s fragmenting) set(c lab.PacketConn, err error, to netip.Addr) (lab.PacketConn, error) {
	if err != nil {
		return nil, err
	}
	level, name, value := unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT
	if s.whole {
		value = unix.IP_PMTUDISC_DO
	}
	if to.Is6() { // whose values are IPv4's
		level, name = unix.SOL_IPV6, unix.IPV6_MTU_DISCOVER
	}
	return c, setOption(c, level, name, value)
}

// dialNetstack connects a socket of netstack's with the strategy.
func (s fragmenting) dialNetstack(n *lab.Netstack, protocol tcpip.TransportProtocolNumber, to netip.AddrPort) (lab.PacketConn, error) {
	strategy := tcpip.PMTUDiscoveryDont
	if s.whole {
		strategy = tcpip.PMTUDiscoveryDo
	}
	network := tcpip.NetworkProtocolNumber(ipv4.ProtocolNumber)
	if to.Addr().Is6() {
		network = ipv6.ProtocolNumber
	}
	var wq waiter.Queue
	ep, err := n.Stack().NewEndpoint(protocol, network, &wq)
	if err != nil {
		return nil, fmt.Errorf("%v", err)
	}
	err = ep.SetSockOptInt(tcpip.MTUDiscoverOption, int(strategy))
	if err == nil {
		err = ep.Connect(tcpip.FullAddress{Addr: tcpip.AddrFromSlice(to.Addr().AsSlice()), Port: to.Port()})
	}
	if err != nil {
		ep.Close()
		return nil, fmt.Errorf("%v", err)
	}
	return gonet.NewUDPConn(&wq, ep), nil
}

// TestCheckPieces: the reader that other tests trust finds what is wrong.
func TestCheckPieces(t *testing.T) {
	make := func(v6 bool, parts ...int) (list []piece) {
		at := 0
		for i, n := range parts {
			list = append(list, piece{v6: v6, fragment: len(parts) > 1, at: at, more: i+1 < len(parts), data: data(n)})
			at += n
		}
		return list
	}
	for _, tt := range []struct {
		what      string
		list      []piece
		v6        bool
		mtu, size int
		good      bool
	}{
		{"whole", make(false, 1480), false, 1500, 1480, true},
		{"whole, IPv6", make(true, 1460), true, 1500, 1460, true},
		{"two", make(false, 1480, 1), false, 1500, 1481, true},
		{"two, IPv6", make(true, 1448, 13), true, 1500, 1461, true},
		{"the last is longer", make(false, 1472, 1475), false, 1499, 2947, true},
		{"not in multiples of 8", make(false, 1475, 6), false, 1499, 1481, false},
		{"shorter than they could be", make(false, 1472, 9), false, 1500, 1481, false},
		{"longer than the MTU", make(false, 1480, 1481), false, 1500, 2961, false},
		{"one in a fragment of 0", make(false, 1480, 0), false, 1500, 1480, false},
		{"the last is missing", make(false, 1480, 1480, 1)[:2], false, 1500, 2961, false},
		{"the first is missing", make(false, 1480, 1480, 1)[1:], false, 1500, 2961, false},
		{"none", nil, false, 1500, 1, false},
	} {
		if err := checkPieces(tt.list, tt.v6, tt.mtu, tt.size); (err == nil) != tt.good {
			t.Errorf("%s: %v; want it to be right: %v", tt.what, err, tt.good)
		}
	}
	reversed := make(false, 1480, 1)
	slices.SortFunc(reversed, func(a, b piece) int { return cmp.Compare(b.at, a.at) })
	if checkPieces(reversed, false, 1500, 1481) == nil {
		t.Error("pieces out of order are right")
	}
}
