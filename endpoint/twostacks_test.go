package endpoint_test

import (
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

var protocols = []struct {
	name   string
	number tcpip.NetworkProtocolNumber
}{{"IPv4", ipv4.ProtocolNumber}, {"IPv6", ipv6.ProtocolNumber}}

const allOffloads = ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6 | ethstack.OffloadECN | ethstack.OffloadUDP

// size is how much to do: little where the race detector makes it slow.
func size(full, short int) int {
	if testing.Short() || endpoint.RaceEnabled {
		return short
	}
	return full
}

func TestTwoStacks(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b ethtest.PortOptions
	}{
		{"no offload", ethtest.PortOptions{}, ethtest.PortOptions{}},
		{"offload", ethtest.PortOptions{Offloads: allOffloads}, ethtest.PortOptions{Offloads: allOffloads}},
		{"offload to none", ethtest.PortOptions{Offloads: allOffloads}, ethtest.PortOptions{}},
		{"jumbo", ethtest.PortOptions{MTU: 9000}, ethtest.PortOptions{MTU: 9000}},
		{"four queues", ethtest.PortOptions{Queues: 4, Offloads: allOffloads}, ethtest.PortOptions{Queues: 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSegment(t, ethtest.SegmentOptions{})
			a := newHost(t, s, 2, hostOptions{port: tt.a})
			b := newHost(t, s, 3, hostOptions{port: tt.b})
			for _, p := range protocols {
				t.Run(p.name, func(t *testing.T) {
					for _, n := range []int{0, 56, 4000} {
						a.mustPing(p.number, b.addr(p.number, 0).Addr, n)
						b.mustPing(p.number, a.addr(p.number, 0).Addr, n)
					}
					stream(t, a, b, p.number, size(16<<20, 4<<20))
				})
			}
		})
	}
}
