package ethstack

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/ethlink/ethlink/arp"
)

// Handlers take the packets that come in, by what they are. A nil handler
// drops its packets, counted. A packet is the frame's payload: it may have
// padding behind it, its memory is valid during the call only, and it is
// longer than the MTU where the device hands up super-frames.
type Handlers struct {
	IPv4, IPv6 func(packet []byte)
	// Other takes every other EtherType but ARP, which is handled inside.
	Other func(h Header, packet []byte)
}

// A Stack is an Ethernet stack: it parses frames from a device and can
// associate them with IP addresses via ARP. It is the MirageOS module type of
// that name in Go's form, a [Link] with one [Interface] behind a small API.
//
// Answers to queries come in through Listen or Input: without either, no
// query succeeds.
type Stack struct {
	link *Link
	i    *Interface
	// listener holds the handlers of the Listen that is under way.
	listener atomic.Pointer[listener]
}

// Connect builds a stack on a device, which belongs to it from here on; with an
// error it stays the caller's. It checks the options and allocates; it reads and
// sends nothing.
func Connect(dev Device, o Options) (*Stack, error) {
	return connect(dev, o, LinkOptions{})
}

// ConnectLink is Connect with the options of the link: a clock, a logger, a
// function that is told of the link's state. NewReceiver must be nil, as the
// stack is the receiver.
func ConnectLink(dev Device, o Options, lo LinkOptions) (*Stack, error) {
	if lo.NewReceiver != nil {
		return nil, errors.New("ethstack: ConnectLink makes its own receivers: LinkOptions.NewReceiver must be nil")
	}
	return connect(dev, o, lo)
}

func connect(dev Device, o Options, lo LinkOptions) (*Stack, error) {
	s := new(Stack)
	lo.NewReceiver = func(int) Receiver { return &listenReceiver{s: s} }
	var err error
	if s.link, err = NewLink(dev, lo); err != nil {
		return nil, err
	}
	if s.i, err = s.link.NewInterface(o); err != nil {
		dev.Notify(nil)
		return nil, err
	}
	return s, nil
}

// Disconnect ends Listen and every query, and closes the device. Nothing of
// the stack runs when it returns. It may be called more than once; it must not
// be called from a handler.
func (s *Stack) Disconnect() error { return s.link.Close() }

// ID returns the device that the stack was made of.
func (s *Stack) ID() Device { return s.link.Device() }

// MAC returns the hardware address in use now.
func (s *Stack) MAC() net.HardwareAddr {
	hw := s.i.HardwareAddr()
	return hw[:]
}

// Interface returns what the stack is a small API for.
func (s *Stack) Interface() *Interface { return s.i }

// Write sends one complete frame, header included, as it is. A frame that is
// too short for its header, longer than the MTU allows, or whose length field
// promises more than is there, is an error and nothing is sent.
func (s *Stack) Write(frame []byte) error { return s.Writev([][]byte{frame}) }

// Writev sends one complete frame given in pieces, as Write does.
func (s *Stack) Writev(bufs [][]byte) error {
	f := []Frame{{Bufs: bufs}}
	head := bufs
	var start [HeaderLen + tagLen]byte
	n := 0
	for len(head) > 0 && n < len(start) {
		n += copy(start[n:], head[0])
		head = head[1:]
	}
	if err := checkFrame(start[:n], f[0].WireLen(), s.i.MTU()); err != nil {
		return err
	}
	// The device wants all headers in its first buffer.
	if len(bufs[0]) < f[0].WireLen() && len(bufs[0]) < HeadLen {
		f[0].Bufs = [][]byte{flatten(bufs, f[0].WireLen())}
	}
	_, err := s.i.Write(0, f)
	return wrapError("write", err)
}

// checkFrame says what is wrong with a frame of size bytes that starts so.
func checkFrame(start []byte, size, mtu int) error {
	if size < HeaderLen {
		return fmt.Errorf("ethstack: cannot write a frame of %d bytes: the Ethernet header alone has %d", size, HeaderLen)
	}
	header := HeaderLen
	typ := binary.BigEndian.Uint16(start[12:14])
	if EtherType(typ) == EtherTypeVLAN && len(start) >= HeaderLen+tagLen {
		header += tagLen
		typ = binary.BigEndian.Uint16(start[16:18])
	}
	if size > header+mtu {
		return fmt.Errorf("ethstack: cannot write a frame of %d bytes: the MTU of %d allows %d with the header: %w",
			size, mtu, header+mtu, ErrMessageTooLong)
	}
	// IEEE 802.3 §3.2.6: a length counts the payload without padding.
	if typ <= maxLength && int(typ) > size-header {
		return fmt.Errorf("ethstack: cannot write a frame whose length field says %d: its payload has %d bytes", typ, size-header)
	}
	return nil
}

func flatten(bufs [][]byte, size int) []byte {
	b := make([]byte, 0, size)
	for _, x := range bufs {
		b = append(b, x...)
	}
	return b
}

// Input takes in one complete frame that the caller has, as if it had been
// read from the device: ARP is handled inside, everything else goes to the
// handlers before Input returns. Frames that are not for us are dropped,
// counted.
func (s *Stack) Input(frame []byte, h Handlers) {
	f := Frame{Bufs: [][]byte{frame}, Len: len(frame)}
	var sums batch
	s.link.input(&listenReceiver{handlers: &h}, &f, s.i.MTU(), &sums)
	sums.flush()
}

// AddIPv4 binds an address that ARP answers for, and announces it. Again it
// does nothing.
func (s *Stack) AddIPv4(addr netip.Addr) error { return s.i.AddIPv4(addr) }

// ClaimIPv4 is AddIPv4 for an address that another host may have: it asks first.
// See [Interface.Claim].
func (s *Stack) ClaimIPv4(ctx context.Context, addr netip.Addr, o arp.ClaimOptions) error {
	return s.i.Claim(ctx, addr, o)
}

// RemoveIPv4 ends what AddIPv4 began.
func (s *Stack) RemoveIPv4(addr netip.Addr) error { return s.i.RemoveIPv4(addr) }

// IPv4s returns the addresses that ARP answers for, in no order.
func (s *Stack) IPv4s() []netip.Addr { return s.i.IPv4s() }

// QueryARPv4 returns the hardware address of an on-link IPv4 neighbor. If it
// is not known, requests are sent, one series for all who ask, and the call
// waits for an answer, [ErrUnreachable] when there is none, the context's end,
// or [ErrDisconnected]. One who leaves early leaves the others waiting.
func (s *Stack) QueryARPv4(ctx context.Context, addr netip.Addr) (net.HardwareAddr, error) {
	return s.i.QueryARPv4(ctx, addr)
}
