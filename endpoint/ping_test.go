package endpoint_test

import (
	"errors"
	"fmt"
	"io"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/waiter"
)

// ping sends an echo request with so many bytes from a socket of h and waits
// for the reply.
func (h *host) ping(proto tcpip.NetworkProtocolNumber, to tcpip.Address, size int) error {
	var wq waiter.Queue
	transport, request := header.ICMPv4ProtocolNumber, byte(header.ICMPv4Echo)
	if proto == ipv6.ProtocolNumber {
		transport, request = header.ICMPv6ProtocolNumber, byte(header.ICMPv6EchoRequest)
	}
	ep, err := h.stack.NewEndpoint(transport, proto, &wq)
	if err != nil {
		return errors.New(err.String())
	}
	defer ep.Close()
	we, ready := waiter.NewChannelEntry(waiter.ReadableEvents)
	wq.EventRegister(&we)
	defer wq.EventUnregister(&we)
	payload := make([]byte, 8+size)
	payload[0] = request
	payload[7] = 1
	for i := range size {
		payload[8+i] = byte(i)
	}
	if _, err := ep.Write(newPayload(payload), tcpip.WriteOptions{To: &tcpip.FullAddress{NIC: nicID, Addr: to}}); err != nil {
		return errors.New(err.String())
	}
	select {
	case <-ready:
	case <-time.After(patience):
		return fmt.Errorf("no reply from %v", to)
	}
	var got sliceWriter
	if _, err := ep.Read(&got, tcpip.ReadOptions{}); err != nil {
		return errors.New(err.String())
	}
	if len(got) != len(payload) || string(got[8:]) != string(payload[8:]) {
		return fmt.Errorf("reply of %d bytes differs from the request of %d", len(got), len(payload))
	}
	return nil
}

func (h *host) mustPing(proto tcpip.NetworkProtocolNumber, to tcpip.Address, size int) {
	h.t.Helper()
	if err := h.ping(proto, to, size); err != nil {
		h.t.Fatalf("ping of %v with %d bytes: %v", to, size, err)
	}
}

type sliceWriter []byte

func (w *sliceWriter) Write(b []byte) (int, error) {
	*w = append(*w, b...)
	return len(b), nil
}

// A payload is what a netstack socket is given to write.
type payload struct {
	b  []byte
	at int
}

func newPayload(b []byte) *payload { return &payload{b: b} }

func (p *payload) Len() int { return len(p.b) - p.at }

func (p *payload) Read(b []byte) (int, error) {
	if p.Len() == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.b[p.at:])
	p.at += n
	return n, nil
}
