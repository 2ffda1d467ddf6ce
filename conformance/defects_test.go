package conformance_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/conformance"
)

// Where things are in a frame.
const (
	typeAt   = 12
	packetAt = 14
	arpOpAt  = packetAt + 6
	ipSumAt  = packetAt + 10
	udpSumAt = packetAt + 20 + 6
	shortest = 60
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd
)

func typeOf(f []byte) uint16 { return binary.BigEndian.Uint16(f[typeAt:]) }

func isARP(f []byte, op byte) bool { return typeOf(f) == typeARP && f[arpOpAt+1] == op }

// A defect is something wrong that an endpoint could do, as seen from outside.
type defect struct {
	name string
	// sent changes what the endpoint has sent; nil drops it. received does so
	// with what it is about to receive.
	sent, received func([]byte) []byte
	// wrap puts something around the endpoint.
	wrap func(stack.LinkEndpoint) stack.LinkEndpoint
	// caughtBy is a check that has to fail.
	caughtBy string
}

func change(at int, when func([]byte) bool) func([]byte) []byte {
	return func(f []byte) []byte {
		if len(f) > at && when(f) {
			f[at] ^= 0x55
		}
		return f
	}
}

func drop(when func([]byte) bool) func([]byte) []byte {
	return func(f []byte) []byte {
		if when(f) {
			return nil
		}
		return f
	}
}

func always([]byte) bool { return true }

func ofType(typ uint16) func([]byte) bool { return func(f []byte) bool { return typeOf(f) == typ } }

func isGroup(f []byte) bool { return f[0]&1 != 0 && f[0] != 0xff }

var defects = []defect{
	{name: "wrong source", sent: change(11, always), caughtBy: "R11_RFC894_ipv4_encapsulation"},
	{name: "wrong destination", sent: change(5, ofType(typeIPv4)), caughtBy: "R11_RFC894_ipv4_encapsulation"},
	{name: "wrong type", sent: change(typeAt+1, ofType(typeIPv6)), caughtBy: "R11_RFC2464_ipv6_encapsulation"},
	{name: "wrong IPv4 header checksum", sent: change(ipSumAt, ofType(typeIPv4)), caughtBy: "R11_RFC894_packets_intact"},
	{name: "wrong UDP checksum", sent: change(udpSumAt, ofType(typeIPv4)), caughtBy: "R11_RFC894_packets_intact"},
	{name: "last byte lost", sent: func(f []byte) []byte { return f[:len(f)-1] }, caughtBy: "R14_RFC894_largest_packets"},
	{name: "last byte of what is received lost", received: func(f []byte) []byte { return f[:len(f)-1] }, caughtBy: "R7_RFC826_request_lengths"},
	{
		name: "padding not zero", caughtBy: "R17_RFC894_padding_zero",
		sent: func(f []byte) []byte {
			for len(f) < shortest {
				f = append(f, 0x5a)
			}
			return f
		},
	},
	{name: "padding too long", sent: func(f []byte) []byte { return append(f, make([]byte, 30)...) }, caughtBy: "R17_RFC894_trailing_bytes"},
	{
		name: "multicast as broadcast", caughtBy: "R33_RFC1112_multicast_mapping",
		sent: func(f []byte) []byte {
			if isGroup(f) {
				copy(f, "\xff\xff\xff\xff\xff\xff")
			}
			return f
		},
	},
	{
		name: "broadcast to nobody", caughtBy: "R33_RFC1122_broadcast_mapping",
		sent: func(f []byte) []byte {
			if f[0] == 0xff && typeOf(f) == typeIPv4 {
				copy(f, "\x00\x00\x00\x00\x00\x00")
			}
			return f
		},
	},
	{name: "no ARP replies", sent: drop(func(f []byte) bool { return isARP(f, 2) }), caughtBy: "R8_RFC826_reply_fields"},
	{name: "no ARP requests", sent: drop(func(f []byte) bool { return isARP(f, 1) }), caughtBy: "R9_RFC826_request_fields"},
	{name: "target of requests not zero", sent: change(packetAt+20, func(f []byte) bool { return isARP(f, 1) }), caughtBy: "R9_RFC826_request_fields"},
	{name: "ARP replies not taken in", received: drop(func(f []byte) bool { return isARP(f, 2) }), caughtBy: "R27_RFC1122_latest_packet_is_kept"},
	{name: "broadcast not received", received: drop(func(f []byte) bool { return f[0] == 0xff }), caughtBy: "R8_RFC826_reply_fields"},
	{name: "multicast not received", received: drop(isGroup), caughtBy: "R33_RFC1112_joined_group"},
	{
		name: "filter open", caughtBy: "R23_IEEE802.3_foreign_unicast",
		received: func(f []byte) []byte {
			if f[0]&1 == 0 {
				copy(f, hardwareAddr[:])
			}
			return f
		},
	},
	{name: "MTU of the frame", wrap: func(e stack.LinkEndpoint) stack.LinkEndpoint { return frameMTU{e} }, caughtBy: "C4_LinkEndpoint_mtu"},
	{name: "header longer than said", wrap: func(e stack.LinkEndpoint) stack.LinkEndpoint { return noHeader{e} }, caughtBy: "C2_LinkEndpoint_header_length"},
	{name: "fatal error", wrap: func(e stack.LinkEndpoint) stack.LinkEndpoint { return fatal{e} }, caughtBy: "C24_LinkEndpoint_write_after_close"},
	{name: "never detached", wrap: func(e stack.LinkEndpoint) stack.LinkEndpoint { return sticky{e} }, caughtBy: "C20_LinkEndpoint_attach_and_detach"},
	{name: "joins in Wait", wrap: func(e stack.LinkEndpoint) stack.LinkEndpoint { return &joining{LinkEndpoint: e} }, caughtBy: "C21_LinkEndpoint_waits_for_no_delivery"},
}

type frameMTU struct{ stack.LinkEndpoint }

func (e frameMTU) MTU() uint32 { return e.LinkEndpoint.MTU() - packetAt }

type noHeader struct{ stack.LinkEndpoint }

func (noHeader) MaxHeaderLength() uint16 { return 0 }

type fatal struct{ stack.LinkEndpoint }

func (e fatal) WritePackets(l stack.PacketBufferList) (int, tcpip.Error) {
	n, err := e.LinkEndpoint.WritePackets(l)
	if err != nil {
		err = &tcpip.ErrHostUnreachable{}
	}
	return n, err
}

type sticky struct{ stack.LinkEndpoint }

func (e sticky) Attach(d stack.NetworkDispatcher) {
	if d != nil {
		e.LinkEndpoint.Attach(d)
	}
}

// joining waits for a delivery under way.
type joining struct {
	stack.LinkEndpoint
	d    stack.NetworkDispatcher
	over chan struct{}
}

func (e *joining) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		e.LinkEndpoint.Attach(nil)
		return
	}
	e.d, e.over = d, make(chan struct{})
	e.LinkEndpoint.Attach(e)
}

func (e *joining) Wait() { <-e.over }

func (e *joining) DeliverNetworkPacket(p tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	defer close(e.over)
	e.d.DeliverNetworkPacket(p, pkt)
}

func (e *joining) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}

// defectWire changes frames on their way.
type defectWire struct {
	conformance.Wire
	d defect
}

func (w defectWire) Send(frame []byte) error {
	if w.d.received != nil {
		if frame = w.d.received(slices.Clone(frame)); frame == nil {
			return nil
		}
	}
	return w.Wire.Send(frame)
}

func (w defectWire) Recv(timeout time.Duration) []byte {
	f := w.Wire.Recv(timeout)
	if f != nil && w.d.sent != nil {
		return w.d.sent(f)
	}
	return f
}

// TestDefects: what the suite is for. An endpoint with a defect fails the check
// that it is meant for, which passes without.
func TestDefects(t *testing.T) {
	for _, d := range defects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			for _, broken := range []bool{false, true} {
				report := conformance.Collect(func() (*conformance.Subject, error) {
					s, err := onSegment()
					if err == nil && broken {
						s.Wire = defectWire{s.Wire, d}
						if d.wrap != nil {
							s.Endpoint = d.wrap(s.Endpoint)
						}
					}
					return s, err
				}, d.caughtBy)
				if len(report) != 1 {
					t.Fatalf("there is no check %s", d.caughtBy)
				}
				want := conformance.Passed
				if broken {
					want = conformance.Failed
				}
				if report[0].Outcome != want {
					t.Errorf("with the defect %v: the outcome is %v, want %v\n%v", broken, report[0].Outcome, want, report)
				}
			}
		})
	}
}
