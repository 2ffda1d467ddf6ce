package fdbased

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/linkwatch"
)

// OpenPacket opens a packet socket on the interface of that name in the
// network namespace of the calling thread, or as many as the options have
// queues. Older kernels want the interface to be up for several queues.
func OpenPacket(name string, o Options) (*Device, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	fds, err := openPackets(name, max(o.Queues, 1))
	if err != nil {
		return nil, fmt.Errorf("fdbased: opening a packet socket on interface %q: %w", name, err)
	}
	c, err := takePackets(fds, unix.SOCK_RAW, o)
	if err != nil {
		return nil, fmt.Errorf("fdbased: interface %q: %w", name, err)
	}
	return &Device{c}, nil
}

// rights says what to do about an error.
func rights(err error) string {
	switch {
	case errors.Is(err, unix.EPERM):
		return " (needs CAP_NET_RAW: run as root, or give the program the capability with `setcap cap_net_raw+ep`, or run in a user and network namespace of your own, or have the socket opened for you and pass it to New)"
	case errors.Is(err, unix.ENODEV):
		return " (there is none of this name in this network namespace: `ip link` lists them)"
	case errors.Is(err, unix.EAFNOSUPPORT):
		return " (the kernel has no packet sockets: CONFIG_PACKET)"
	}
	return ""
}

// setOptions has the socket give metadata with each frame.
func setOptions(fd int) error {
	// Without it (before Linux 4.20) what the host sends is told by its type.
	unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	// What else may come with a frame would leave no room for the metadata.
	for _, o := range []int{unix.SO_TIMESTAMP, unix.SO_TIMESTAMPNS, unix.SO_TIMESTAMPING, unix.SO_RXQ_OVFL} {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, o, 0)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
		return fmt.Errorf("asking for VLAN tags (PACKET_AUXDATA): %w", err)
	}
	switch err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err {
	case nil:
	case unix.EBUSY:
		return fmt.Errorf("the packet socket has a ring (PACKET_RX_RING or PACKET_TX_RING): want one without: %w", err)
	default:
		return fmt.Errorf("asking for offload metadata (PACKET_VNET_HDR): %w", err)
	}
	enlargeBuffers(fd)
	return nil
}

// takePackets makes a device of packet sockets. It closes the file descriptors
// on an error.
func takePackets(fds []int, typ int, o Options) (conn, error) {
	p, err := inspect(fds[0], typ, o)
	if err == nil {
		err = p.join(fds[0], o)
	}
	if err != nil {
		closeAll(fds)
		return nil, err
	}
	hw := o.HardwareAddr
	if hw.IsZero() {
		hw = p.hardwareAddr
	}
	d, err := newBase(fds, p.name, p.mtu, hw)
	if err != nil {
		return nil, err
	}
	m := newMessages(d)
	m.packet, m.offloads = true, packetOffloads(fds[0])
	if err := m.watch(o.HardwareAddr.IsZero()); err != nil {
		d.closeFiles()
		return nil, err
	}
	return m, nil
}

// bound is a packet socket's interface.
type bound struct {
	name         string
	index        int
	hardwareAddr ethstack.HardwareAddr
	mtu          int
}

// inspect finds out what a packet socket is bound to, and sets its options.
func inspect(fd, typ int, o Options) (b bound, err error) {
	if typ != unix.SOCK_RAW {
		return b, errors.New("a packet socket without Ethernet headers: want one of type SOCK_RAW")
	}
	a, err := address(fd)
	switch {
	case err != nil:
		return b, err
	case a.Ifindex == 0:
		return b, errors.New("the packet socket is of all interfaces: bind it to one, or use OpenPacket")
	case a.Protocol != allProtocols:
		return b, fmt.Errorf("the packet socket is bound to protocol %#04x (network byte order), and would miss other frames: bind it to ETH_P_ALL", a.Protocol)
	case a.Hatype != unix.ARPHRD_ETHER || a.Halen != uint8(len(b.hardwareAddr)):
		return b, fmt.Errorf("the interface has hardware type %d with addresses of %d bytes: want Ethernet, 1 with 6 bytes", a.Hatype, a.Halen)
	case o.MTU != 0:
		return b, errMTU
	}
	b.index = a.Ifindex
	if b.name, b.hardwareAddr, err = findInterface(fd); err != nil {
		return b, fmt.Errorf("asking for the name of interface %d: %w", b.index, err)
	}
	ifr, err := unix.NewIfreq(b.name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFMTU, ifr)
	}
	if err != nil {
		return b, fmt.Errorf("asking for the MTU of %s: %w", b.name, err)
	}
	b.mtu = int(ifr.Uint32())
	return b, setOptions(fd)
}

// join opens the interface's filter as far as the device needs it, for as long
// as the socket is open.
func (b *bound) join(fd int, o Options) error {
	add := func(typ uint16, hw ethstack.HardwareAddr) error {
		m := unix.PacketMreq{Ifindex: int32(b.index), Type: typ, Alen: uint16(len(hw))}
		copy(m.Address[:], hw[:])
		return unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m)
	}
	// Choice: all groups, for the device does not know which ones its user is
	// in, and without them IPv6 finds no neighbor.
	if err := add(unix.PACKET_MR_ALLMULTI, ethstack.HardwareAddr{}); err != nil {
		return fmt.Errorf("making %s take all multicast: %w", b.name, err)
	}
	if o.Promiscuous {
		if err := add(unix.PACKET_MR_PROMISC, ethstack.HardwareAddr{}); err != nil {
			return fmt.Errorf("making %s promiscuous: %w", b.name, err)
		}
	}
	if !o.HardwareAddr.IsZero() && o.HardwareAddr != b.hardwareAddr {
		if err := add(unix.PACKET_MR_UNICAST, o.HardwareAddr); err != nil {
			return fmt.Errorf("making %s take frames for %v: %w", b.name, o.HardwareAddr, err)
		}
	}
	return nil
}

// packetOffloads returns what the kernel takes off our hands: whatever the
// hardware cannot do it does in software.
func packetOffloads(fd int) ethstack.Offloads {
	have := ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6 | ethstack.OffloadECN
	// Nothing tells whether UDP super-frames are taken, which is so since Linux
	// 6.2. This option came later, with 6.4.
	if _, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR_SZ); err == nil {
		have |= ethstack.OffloadUDP
	}
	return have
}

// watch follows the interface's state, its MTU and, if that is the device's,
// its hardware address.
func (m *messages) watch(follow bool) error {
	w, err := linkwatch.Start(linkwatch.Target{
		Conn: m.queues[0].raw, Namespace: unix.SIOCGSKNS, Find: findInterface,
		Observe: func(now *linkwatch.Message) { m.observe(now, follow) },
		Lost:    m.lost,
	}, nil)
	if err != nil && !errors.Is(err, linkwatch.ErrElsewhere) {
		return err
	}
	m.watcher = w
	return nil
}

// observe takes over what was said of the interface.
func (m *messages) observe(now *linkwatch.Message, follow bool) {
	if now.MTU > 0 {
		m.mtu.Store(int32(now.MTU))
	}
	if hw := now.HardwareAddr; follow && !hw.IsZero() {
		m.hardwareAddr.Store(&hw)
	}
	m.state.Set(now.State())
}

// lost is called when the interface is not to be seen any more.
func (m *messages) lost(err error) {
	if errors.Is(err, linkwatch.ErrGone) {
		m.gone()
		return
	}
	// Read and Write find out the rest.
	m.state.Set(ethstack.LinkUp)
}
