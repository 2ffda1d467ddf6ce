package fdbased

import (
	"fmt"

	"github.com/ethlink/ethlink/ethstack"
)

// Options say how a [Device] behaves. The zero value is ready for use.
type Options struct {
	// HardwareAddr is this end's. Zero means the interface's own for a packet
	// socket, a random one for a TAP, and none for another socket, where
	// whoever uses the device chooses one. For a packet socket with another
	// address than the interface's, the interface is told to take it; there
	// the address must be given here, not only to those who use the device.
	HardwareAddr ethstack.HardwareAddr
	// MTU is the largest payload in bytes, without the Ethernet header, that
	// the other end of a socket takes: from 68 to 65535; 0 means 1500. An
	// interface has an MTU of its own: with a packet socket or a TAP it must
	// be 0.
	MTU int
	// Promiscuous makes the interface of a packet socket take frames for all
	// hardware addresses: for a stack with several of them, such as a bridge.
	Promiscuous bool
	// Queues is how many packet sockets [OpenPacket] opens, from 1 to 256, each
	// a queue; 0 means 1. A file that New is given is one queue.
	Queues int
}

const (
	// minMTU is IPv4's least (RFC 791 §3.2), maxMTU its longest packet.
	minMTU = 68
	maxMTU = 65535
	// maxQueues is the kernel's PACKET_FANOUT_MAX.
	maxQueues = 256
)

// check finds options that fit no file descriptor.
func (o *Options) check() error {
	switch {
	case o.MTU != 0 && (o.MTU < minMTU || o.MTU > maxMTU):
		return fmt.Errorf("fdbased: MTU %d: from %d to %d is allowed, or 0 for the usual one", o.MTU, minMTU, maxMTU)
	case o.Queues < 0 || o.Queues > maxQueues:
		return fmt.Errorf("fdbased: %d queues: from 1 to %d are allowed, or 0 for one", o.Queues, maxQueues)
	case o.HardwareAddr.IsGroup():
		return fmt.Errorf("fdbased: hardware address %v is a group's: the lowest bit of the first byte must be 0", o.HardwareAddr)
	}
	return nil
}

// Device is an open file descriptor that carries frames, or several that share
// them.
type Device struct{ conn conn }

var _ ethstack.Device = (*Device)(nil)

// A conn is a device of one kind.
type conn interface {
	ethstack.Device
	stats() Stats
}

// Info describes the device. Of a packet socket the MTU, and the hardware
// address unless the options gave one, are the interface's present ones.
func (d *Device) Info() ethstack.DeviceInfo { return d.conn.Info() }

// Queues returns how many queues the device was opened with.
func (d *Device) Queues() int { return d.conn.Queues() }

// Read waits for frames, as [ethstack.Device] says.
func (d *Device) Read(queue int, frames []ethstack.Frame) (int, error) {
	return d.conn.Read(queue, frames)
}

// Write sends frames, as [ethstack.Device] says. Besides the errors listed
// there a frame shorter than an Ethernet header has one of its own.
func (d *Device) Write(queue int, frames []ethstack.Frame) (int, error) {
	return d.conn.Write(queue, frames)
}

// Notify sets the function that is told of the link's state, as
// [ethstack.Device] says. It may be called from inside such a call.
func (d *Device) Notify(f func(ethstack.LinkState)) { d.conn.Notify(f) }

// Close ends Read and gives the file descriptor up.
func (d *Device) Close() error { return d.conn.Close() }

// Stats returns what was counted so far.
func (d *Device) Stats() Stats { return d.conn.stats() }

// Stats counts the frames that a [Device] dropped by itself. What it passed on
// is counted above it.
type Stats struct {
	// ReadTooLong: frames that did not fit the memory given to Read.
	ReadTooLong uint64
	// ReadUnknownSegment: super-frames of a kind that has no
	// [ethstack.SegmentType], such as tunnelled ones.
	ReadUnknownSegment uint64
	// ReadMalformed: what the kernel returned lacked its metadata, or a stream
	// ended within a frame.
	ReadMalformed uint64
	// ReadOutgoing: frames that the host itself had sent on the interface of a
	// packet socket, from before it was this package's.
	ReadOutgoing uint64
	// ReadOutOfSync is 1 once a stream had a length that no frame has.
	ReadOutOfSync uint64
	// ReadKernelDrops: frames that the kernel dropped because a packet socket
	// was full.
	ReadKernelDrops uint64
	// WriteDown: frames that were not taken because the interface was down.
	WriteDown uint64
	// WriteFull: frames that were not taken because the kernel or the other
	// end had no room.
	WriteFull uint64
	// WriteTooLong: frames longer than the device takes.
	WriteTooLong uint64
	// WriteInvalid: frames shorter than an Ethernet header, or with metadata
	// that the device does not have or the kernel found wrong.
	WriteInvalid uint64
	// WriteGone: frames offered to a device that was gone or closed.
	WriteGone uint64
}
