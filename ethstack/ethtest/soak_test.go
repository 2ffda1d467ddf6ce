package ethtest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// TestSoak gives an Ethernet stack random frames through a device with every
// fault. Each frame is accounted for, nothing panics, and once the faults have
// stopped ARP is answered.
func TestSoak(t *testing.T) {
	const seed, rate = 11, 0.01
	frames := 100_000
	if testing.Short() {
		frames = 10_000
	}
	nstest.CheckLeaks(t)
	d, peer := newFaulty(t, ethtest.FaultOptions{Seed: seed, Rates: ethtest.AllFaults(rate)})
	port := peerOf(t, d)
	s, err := ethstack.Connect(d, ethstack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	own := netip.MustParseAddr("10.0.0.1")
	if err := s.AddIPv4(own); err != nil {
		t.Fatal(err)
	}
	listen(t, s)

	random := rand.New(rand.NewPCG(seed, 0))
	for sent := 0; sent < frames; {
		var batch []ethstack.Frame
		for range 64 {
			batch = append(batch, ethstack.Frame{Bufs: [][]byte{ethtest.RandomFrame(random, addrA, 1500)}})
		}
		n, err := peer.Write(0, batch)
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		s.Interface().Write(0, batch[:4]) // what is refused is counted
		waitFor(t, "room in the queue", func() bool { return port.Stats().Waiting < 512 })
	}
	waitFor(t, "all frames", func() bool { return port.Stats().Waiting == 0 })
	d.SetRates(ethtest.FaultRates{})
	waitUntilAnswered(t, peer, own)
	checkAccounts(t, fmt.Sprintf("seed %d", seed), s.Interface(), d, port)
	for f, n := range d.Faults() {
		if n == 0 {
			t.Errorf("seed %d: %v never happened", seed, ethtest.Fault(f))
		}
	}
}

// peerOf returns the port inside a device of newFaulty's.
func peerOf(t *testing.T, d *ethtest.FaultyDevice) *ethtest.Port {
	t.Helper()
	port, ok := d.Device().(*ethtest.Port)
	if !ok {
		t.Fatalf("the device inside is a %T", d.Device())
	}
	return port
}

// listen reads until the test ends.
func listen(t *testing.T, s *ethstack.Stack) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	none := func([]byte) {}
	go func() { done <- s.Listen(ctx, ethstack.Handlers{IPv4: none, IPv6: none}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != context.Canceled {
			t.Errorf("Listen ended before the test: %v", err)
		}
		s.Disconnect()
	})
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still waiting for %s", patience, what)
		}
	}
}

// waitUntilAnswered asks for an address from the port until there is an answer,
// and drops what else there is to read.
func waitUntilAnswered(t *testing.T, p *ethtest.Port, addr netip.Addr) {
	t.Helper()
	asker := netip.MustParseAddr("10.0.0.99")
	b := make([]byte, 60)
	ethstack.Header{Destination: arp.Broadcast, Source: addrB, EtherType: ethstack.EtherTypeARP}.Put((*[ethstack.HeaderLen]byte)(b))
	arp.Packet{Operation: arp.OperationRequest, SenderHardwareAddr: addrB, SenderAddr: asker, TargetAddr: addr}.Put((*[arp.PacketLen]byte)(b[ethstack.HeaderLen:]))
	answered := func() bool {
		for p.Stats().Waiting > 0 {
			f := []ethstack.Frame{{Bufs: [][]byte{make([]byte, 2000)}}}
			if _, err := p.Read(0, f); err != nil {
				t.Fatal(err)
			}
			h, why := ethstack.ParseHeader(f[0].Bufs[0], f[0].Len)
			if why != ethstack.DropNone || h.EtherType != ethstack.EtherTypeARP {
				continue
			}
			reply, err := arp.ParsePacket(f[0].Bufs[0][h.Len:f[0].Len])
			if err == nil && reply.Operation == arp.OperationReply && reply.SenderAddr == addr && reply.TargetAddr == asker {
				return true
			}
		}
		return false
	}
	for deadline := time.Now().Add(patience); !answered(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no answer for %v within %v", addr, patience)
		}
		write(t, p, b)
	}
}

// checkAccounts compares what an interface counted with what its device did.
func checkAccounts(t *testing.T, who string, i *ethstack.Interface, d *ethtest.FaultyDevice, port *ethtest.Port) {
	t.Helper()
	// Counters are added up once for each batch that was read.
	waitFor(t, "the counters", func() bool {
		return i.Stats().RxFrames == port.Stats().Delivered+d.Faults()[ethtest.FaultDuplicate]
	})
	s, faults := i.Stats(), d.Faults()
	for _, c := range []struct {
		what      string
		got, want uint64
	}{
		{"frames received, by what became of them", s.RxDelivered + s.RxARP + s.RxDropped(), s.RxFrames},
		{"errors of Read", s.RxErrors, faults[ethtest.FaultReadError]},
		{"frames sent", s.TxFrames, port.Stats().Sent},
		{"sent: full", s.Drops[ethstack.DropTxFull], faults[ethtest.FaultFull] + faults[ethtest.FaultPartial] + faults[ethtest.FaultStall]},
		{"sent: too long", s.Drops[ethstack.DropTxTooLong], faults[ethtest.FaultTooLong]},
		{"sent: offload", s.Drops[ethstack.DropTxOffload], faults[ethtest.FaultOffload]},
		{"sent: disconnected", s.Drops[ethstack.DropTxDisconnected], faults[ethtest.FaultDisconnected]},
		{"sent: error", s.Drops[ethstack.DropTxError], faults[ethtest.FaultWriteError]},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s: %d, want %d", who, c.what, c.got, c.want)
		}
	}
	if t.Failed() {
		t.Logf("stats: %+v\nfaults: %v", s, faults)
	}
}
