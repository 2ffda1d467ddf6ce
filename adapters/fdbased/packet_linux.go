package fdbased

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/linkwatch"
	"github.com/ethlink/ethlink/internal/vnet"
)

// metadata is what comes with a frame from a packet socket.
type metadata struct {
	vnet    [vnet.Len]byte
	from    unix.RawSockaddrLinklayer
	control struct {
		header  unix.Cmsghdr
		auxdata unix.TpacketAuxdata
	}
}

// point makes the message's header point to the metadata.
func (a *metadata) point(h *unix.Msghdr) {
	h.Name, h.Namelen = (*byte)(unsafe.Pointer(&a.from)), uint32(unsafe.Sizeof(a.from))
	h.Control = (*byte)(unsafe.Pointer(&a.control))
	h.SetControllen(int(unsafe.Sizeof(a.control)))
}

// hasAuxdata reports whether the kernel has filled in what was asked for.
func (a *metadata) hasAuxdata(h *unix.Msghdr) bool {
	c := &a.control.header
	return h.Flags&unix.MSG_CTRUNC == 0 && h.Controllen > 0 && c.Level == unix.SOL_PACKET && c.Type == unix.PACKET_AUXDATA
}

// tag returns the IEEE 802.1Q tag that the kernel took out of the frame.
func (a *metadata) tag() (tag [4]byte, ok bool) {
	x := &a.control.auxdata
	if x.Status&unix.TP_STATUS_VLAN_VALID == 0 {
		return tag, false
	}
	tpid := uint16(ethstack.EtherTypeVLAN)
	if x.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		tpid = x.Vlan_tpid
	}
	binary.BigEndian.PutUint16(tag[:], tpid)
	binary.BigEndian.PutUint16(tag[2:], x.Vlan_tci)
	return tag, true
}

// takePacket returns the length and the metadata of the frame of a message, of
// which size bytes were read, and whether it is to be delivered.
func (q *queue) takePacket(i, size int) (_ int, o ethstack.Offload, ok bool) {
	a := &q.meta[i]
	switch {
	case size < ethstack.HeaderLen || !a.hasAuxdata(&q.headers[i].Hdr):
		// Without it nobody knows which VLAN the frame is of.
		q.count.readMalformed.Add(1)
		return 0, o, false
	case a.from.Pkttype == unix.PACKET_OUTGOING:
		q.count.readOutgoing.Add(1)
		return 0, o, false
	}
	if o, ok = vnet.Get(a.vnet[:]); !ok {
		q.count.readUnknownSegment.Add(1)
		return 0, o, false
	}
	tag, tagged := a.tag()
	if !tagged {
		return size, o, true
	}
	if size+frameio.TagLen > q.rooms[i] {
		q.count.readTooLong.Add(1)
		return 0, o, false
	}
	insertTag(q.frames[i].Bufs, size, tag)
	if o.Flags&ethstack.NeedsChecksum != 0 {
		o.ChecksumStart += frameio.TagLen
	}
	if o.Segment != ethstack.SegmentNone {
		o.HeaderLen += frameio.TagLen
	}
	return size + frameio.TagLen, o, true
}

// countKernelDrops adds what the kernel dropped since it was asked last.
func (m *messages) countKernelDrops() {
	for _, q := range m.queues {
		q.raw.Control(func(fd uintptr) {
			if s, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
				m.count.readKernelDrops.Add(uint64(s.Drops))
			}
		})
	}
}

// isCutOff reports whether the kernel has taken the interface away from a
// packet socket.
func isCutOff(fd int) bool {
	_, err := address(fd)
	return errors.Is(err, linkwatch.ErrGone)
}

// address returns what a packet socket is bound to.
func address(fd int) (*unix.SockaddrLinklayer, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil, err
	}
	a, ok := sa.(*unix.SockaddrLinklayer)
	switch {
	case !ok:
		return nil, fmt.Errorf("its address is a %T, not a packet socket's", sa)
	case a.Ifindex < 0:
		return nil, linkwatch.ErrGone
	}
	return a, nil
}

// findInterface asks a packet socket for the name and the hardware address of
// its interface.
func findInterface(fd int) (name string, hw ethstack.HardwareAddr, err error) {
	a, err := address(fd)
	if err != nil {
		return "", hw, err
	}
	// The name does not matter, it is filled in.
	ifr, err := unix.NewIfreq("eth")
	if err != nil {
		return "", hw, err
	}
	ifr.SetUint32(uint32(a.Ifindex))
	err = unix.IoctlIfreq(fd, unix.SIOCGIFNAME, ifr)
	return ifr.Name(), ethstack.HardwareAddr(a.Addr[:]), err
}
