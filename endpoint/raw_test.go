package endpoint_test

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/packet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"
	"gvisor.dev/gvisor/pkg/waiter"
)

// rawFactory makes raw and packet sockets.
type rawFactory struct{}

func (rawFactory) NewUnassociatedEndpoint(s *stack.Stack, net tcpip.NetworkProtocolNumber, trans tcpip.TransportProtocolNumber, wq *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return raw.NewEndpoint(s, net, trans, wq)
}

func (rawFactory) NewPacketEndpoint(s *stack.Stack, cooked bool, net tcpip.NetworkProtocolNumber, wq *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return packet.NewEndpoint(s, cooked, net, wq), nil
}
