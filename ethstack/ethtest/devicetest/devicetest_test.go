package devicetest_test

import (
	"testing"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/ethstack/ethtest/devicetest"
)

// TestPort runs the contract on ethtest's own device.
func TestPort(t *testing.T) {
	const all = ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6 | ethstack.OffloadECN | ethstack.OffloadUDP
	for _, tt := range []struct {
		name string
		a, b ethtest.PortOptions
	}{
		{"plain", ethtest.PortOptions{}, ethtest.PortOptions{}},
		{"offload", ethtest.PortOptions{Offloads: all}, ethtest.PortOptions{Offloads: all}},
		{"mixed", ethtest.PortOptions{Offloads: all, MTU: 9000}, ethtest.PortOptions{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) (ethstack.Device, ethstack.Device) {
				a, b, err := ethtest.Pipe(tt.a, tt.b)
				if err != nil {
					t.Fatal(err)
				}
				return a, b
			})
		})
	}
}
