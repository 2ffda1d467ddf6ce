package conformance_test

import (
	"context"
	"fmt"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/conformance"
)

// gvisorEthernet is a factory as the author of a link endpoint writes it. Here
// the endpoint is gVisor's link/ethernet, and its wire a channel.
func gvisorEthernet() (*conformance.Subject, error) {
	const headerLen, mtu = 14, 1500
	wire := channel.New(4096, mtu+headerLen, "\x02\xaa\x00\x00\x00\x02")
	return &conformance.Subject{
		Endpoint:         ethernet.New(wire),
		NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
		HardwareAddr:     wire.LinkAddress(),
		MTU:              mtu,
		Wire:             channelWire{wire},
		Clock:            conformance.NewClock(),
	}, nil
}

// channelWire is the other end of a channel.
type channelWire struct{ *channel.Endpoint }

func (w channelWire) Send(frame []byte) error {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
	defer pkt.DecRef()
	w.InjectInbound(0, pkt)
	return nil
}

func (w channelWire) Recv(timeout time.Duration) []byte {
	pkt := w.Read()
	if pkt == nil && timeout > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		pkt = w.ReadContext(ctx)
	}
	if pkt == nil {
		return nil
	}
	defer pkt.DecRef()
	return pkt.ToView().AsSlice()
}

// A test has all checks run, by conformance.Run(t, gvisorEthernet). This is for
// a look at some of them.
func Example() {
	report := conformance.Collect(gvisorEthernet, "R8_RFC826_reply_fields", "R17_RFC894_padding_zero", "R23_IEEE802.3_foreign_unicast")
	for _, r := range report {
		fmt.Println(r.Outcome, r.Clause, r.Asks)
	}
	// Output:
	// pass RFC 826, reply The reply goes to the requester's hardware address alone, with our addresses as the sender and the requester's as the target.
	// pass RFC 894, minimum length What fills a short frame up to 60 bytes is zero, and no memory of other packets (CVE-2003-0001).
	// FAIL IEEE 802.3 §4.2.9 A frame to another station's address is dropped, although the IP address in it is ours.
}
