package endpoint_test

import (
	"math/rand/v2"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestSoak gives a netstack random frames through a device with every fault.
// Each frame is accounted for, nothing panics, every packet is given back (see
// TestMain), and once the faults have stopped the stack works as before.
func TestSoak(t *testing.T) {
	const seed, rate = 12, 0.01
	frames := size(100_000, 10_000)
	s := newSegment(t, ethtest.SegmentOptions{})
	own := ethstack.HardwareAddr{2, 5: 2}
	port, err := s.NewPort(ethtest.PortOptions{HardwareAddr: own})
	if err != nil {
		t.Fatal(err)
	}
	dev, err := ethtest.Faulty(port, ethtest.FaultOptions{Seed: seed, Rates: ethtest.AllFaults(rate)})
	if err != nil {
		t.Fatal(err)
	}
	ep, err := endpoint.New(dev, endpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := hostOn(t, 2, ep)
	noise, err := s.NewPort(ethtest.PortOptions{QueueLen: 1})
	if err != nil {
		t.Fatal(err)
	}

	random := rand.New(rand.NewPCG(seed, 0))
	for range frames {
		f := []ethstack.Frame{{Bufs: [][]byte{ethtest.RandomFrame(random, own, 1500)}}}
		if _, err := noise.Write(0, f); err != nil {
			t.Fatal(err)
		}
		if port.Stats().Waiting >= 512 {
			eventually(t, "the frames are read", func() bool { return port.Stats().Waiting == 0 })
		}
	}
	eventually(t, "all frames are read", func() bool { return port.Stats().Waiting == 0 })
	if err := dev.SetRates(ethtest.FaultRates{}); err != nil {
		t.Fatal(err)
	}

	b := newHost(t, s, 9, hostOptions{})
	b.mustPing(ipv4.ProtocolNumber, a.addr4(), 56)
	a.mustPing(ipv4.ProtocolNumber, b.addr4(), 4000)
	stream(t, a, b, ipv4.ProtocolNumber, 1<<20)
	eventually(t, "everything received is counted", func() bool {
		return ep.Interface().Stats().RxFrames == port.Stats().Delivered+dev.Faults()[ethtest.FaultDuplicate]
	})
	st, faults := ep.Interface().Stats(), dev.Faults()
	if sum := st.RxDelivered + st.RxARP + st.RxDropped(); sum != st.RxFrames {
		t.Errorf("seed %d: of %d frames %d are accounted for: %+v", seed, st.RxFrames, sum, st)
	}
	if st.RxErrors != faults[ethtest.FaultReadError] {
		t.Errorf("seed %d: %d errors of Read, want %d", seed, st.RxErrors, faults[ethtest.FaultReadError])
	}
	if st.TxFrames < uint64(frames/100) {
		t.Errorf("seed %d: only %d frames were answered", seed, st.TxFrames)
	}
}
