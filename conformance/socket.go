package conformance

import (
	"bytes"
	"fmt"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// A socket is a UDP socket of the endpoint's host, bound to openPort.
type socket struct {
	tcpip.Endpoint
	queue waiter.Queue
}

// listen opens a socket.
func (t *trial) listen(proto tcpip.NetworkProtocolNumber) *socket {
	s := &socket{}
	var err tcpip.Error
	s.Endpoint, err = t.stack.NewEndpoint(udp.ProtocolNumber, proto, &s.queue)
	t.noError("NewEndpoint", err)
	t.sockets = append(t.sockets, s)
	s.SocketOptions().SetBroadcast(true)
	t.noError("Bind", s.Bind(tcpip.FullAddress{Port: openPort}))
	return s
}

// send sends a datagram to a peer's port and returns what the write returned.
func (s *socket) send(to tcpip.Address, data []byte) tcpip.Error {
	_, err := s.Write(bytes.NewReader(data), tcpip.WriteOptions{To: &tcpip.FullAddress{NIC: nicID, Addr: to, Port: peerPort}})
	return err
}

// received returns the next datagram that has been delivered, nil if none has.
func (s *socket) received() []byte {
	var b bytes.Buffer
	if _, err := s.Read(&b, tcpip.ReadOptions{}); err != nil {
		return nil
	}
	return b.Bytes()
}

// wantDelivered fails the check unless exactly the datagram was delivered; nil
// is none.
func (t *trial) wantDelivered(s *socket, what string, data []byte) {
	t.settle()
	if got := s.received(); !bytes.Equal(got, data) {
		t.errorf("%s: a socket received %q, want %q", what, got, data)
	}
}

// token returns data that no other datagram of the check has.
func (t *trial) token() []byte {
	t.tokens++
	return fmt.Appendf(nil, "datagram %04d", t.tokens)
}

// sent sends a datagram to an address and returns the frame that leaves first
// because of it: the datagram, or a request. What the stack says to the write is
// no concern of most checks.
func (t *trial) sent(s *socket, to tcpip.Address) (data, request frame) {
	token := t.token()
	s.send(to, token)
	f := t.await(func(f frame) bool { return isDatagram(token)(f) || isRequestFor(to)(f) })
	switch {
	case f == nil:
		t.fatalf("a datagram to %v: neither that nor a request for the address came; what came is %v", to, t.seen)
	case f.typ() == typeARP:
		return nil, f
	}
	return f, nil
}

// wantKnown fails the check unless a datagram to the peer is sent to its
// hardware address at once.
func (t *trial) wantKnown(s *socket, what string, p peer) {
	if data, _ := t.sent(s, p.ipv4); data == nil {
		t.errorf("%s: the endpoint asks for %v, which it has been told", what, p.ipv4)
	} else {
		t.wantTo(what+": a datagram to "+p.ipv4.String(), data, p.hw)
	}
}

// wantUnknown fails the check unless the endpoint asks for the peer before it
// sends a datagram to it.
func (t *trial) wantUnknown(s *socket, what string, p peer) {
	if data, _ := t.sent(s, p.ipv4); data != nil {
		t.errorf("%s: the endpoint has learned that %v is at % x", what, p.ipv4, data.to())
	}
}

// write sends a datagram on a connected socket.
func (s *socket) write(data []byte) tcpip.Error {
	_, err := s.Write(bytes.NewReader(data), tcpip.WriteOptions{})
	return err
}
