package devicetest_test

import (
	"testing"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/ethstack/ethtest/devicetest"
)

// TestFaulty: a device whose faults never happen keeps the contract.
func TestFaulty(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) (ethstack.Device, ethstack.Device) {
		a, b, err := ethtest.Pipe(ethtest.PortOptions{}, ethtest.PortOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var devices [2]ethstack.Device
		for i, p := range []*ethtest.Port{a, b} {
			if devices[i], err = ethtest.Faulty(p, ethtest.FaultOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		return devices[0], devices[1]
	})
}
