package endpoint

import (
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// TestHeadersDoNotCopyTheBody: when netstack looks at the headers of a packet that
// it shares, as TCP does with each segment, the memory of what follows is neither
// copied nor anybody's own. (Buffer.PullUp copies the whole of a shared chunk: with
// headers and body in one that was most of what receiving cost.)
func TestHeadersDoNotCopyTheBody(t *testing.T) {
	e := newTest(t, newTape(0))
	sent := tcpFrame(60000, true)
	d := &dispatcher{e: e, deliver: func(pkt *stack.PacketBuffer, _ bool) {
		shared := pkt.Clone()
		defer shared.DecRef()
		ip, ok := shared.NetworkHeader().Consume(header.IPv4MinimumSize)
		if !ok || header.IPv4(ip).TotalLength() != uint16(len(sent)-ethstack.HeaderLen) {
			t.Fatalf("the network header is %x", ip)
		}
		tcp, ok := shared.TransportHeader().Consume(header.TCPMinimumSize)
		if !ok || header.TCP(tcp).SequenceNumber() != 3 {
			t.Fatalf("the transport header is %x", tcp)
		}
		header.TCP(shared.TransportHeader().Slice()).SetSequenceNumber(4) // which Slice makes its own
		body, same := bodyOf(pkt), bodyOf(shared)
		if len(body) != len(sent)-headSize || &body[0] != &same[0] {
			t.Errorf("bodies of %d and %d bytes, the same memory: %v", len(body), len(same), &body[0] == &same[0])
		}
		if own, ok := pkt.Data().PullUp(header.IPv4MinimumSize + header.TCPMinimumSize); !ok || header.TCP(own[header.IPv4MinimumSize:]).SequenceNumber() != 3 {
			t.Errorf("the headers of the one are changed with the other's: %x", own)
		}
	}}
	q := newQueue(t, e, &nic{dispatcher: d, local: addrA})
	if why := q.inputFrame(sent, superTCP(1448)); why != ethstack.DropNone || d.delivered != 1 {
		t.Errorf("%v, %d delivered", why, d.delivered)
	}
}

// bodyOf returns the memory behind that of the headers.
func bodyOf(pkt *stack.PacketBuffer) []byte {
	views, _ := pkt.AsViewList()
	return views.Front().Next().AsSlice()
}
