package conformance

import (
	"net/netip"
	"testing"
	"time"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
)

// TestIntact: whatever way a netstack is connected, TCP and datagrams arrive as
// they were sent, both ways and with both kinds of IP, and each frame on the wire
// between is right to a reader that has nothing to do with this module.
func TestIntact(t *testing.T) {
	for _, n := range nears {
		t.Run(n.name, func(t *testing.T) {
			if !n.foreign {
				noLeaks(t)
			}
			ctx := lasting(t, 2*time.Minute)
			c := newCopper(t)
			ours := n.netstack(t, "netstack", n.open(c), oursIPv4, oursIPv6)
			far := n.far(c, kernelIPv4, kernelIPv6)
			wire := startCapture(t, c.ns, c.far)
			for i, a := range [][2]netip.Addr{{oursIPv4, kernelIPv4}, {oursIPv6, kernelIPv6}} {
				for j, x := range []*lab.Transfer{{From: ours, To: far, At: a[1]}, {From: far, To: ours, At: a[0]}} {
					x.Size, x.Seed = size[int64](2<<20, 1<<19), uint64(2*i+j)
					if _, err := x.Run(ctx); err != nil {
						t.Errorf("TCP from %s to %v: %v", x.From.Name(), x.At, err)
					}
					sent := ours.Endpoint().Interface().Stats().TxFrames
					count := size(1000, 300)
					if err := sendDatagrams(ctx, x.From, x.To, x.At, count); err != nil {
						t.Errorf("UDP from %s to %v: %v", x.From.Name(), x.At, err)
					}
					if x.From == lab.Station(ours) {
						sent = ours.Endpoint().Interface().Stats().TxFrames - sent
						t.Logf("%d datagrams to %v went out in %d frames", count, x.At, sent)
						if merges := n.merges(ours.Endpoint()); merges != (sent < uint64(count)) {
							t.Errorf("%d datagrams went out in %d frames; are some merged: %v", count, sent, merges)
						}
					}
				}
				if _, err := lab.Ping(ctx, ours, a[1], 1000); err != nil {
					t.Errorf("ping of %v: %v", a[1], err)
				}
			}
			wire.verify(t, "IPv4 TCP", "IPv4 UDP", "IPv4 ICMP", "IPv6 TCP", "IPv6 UDP", "IPv6 ICMP")
			if d := drops(ours.Endpoint()); d != "" {
				t.Logf("netstack's end dropped: %s", d)
			}
		})
	}
}

// merges reports whether datagrams become super-frames on their way out: they
// come in lists, and the device takes such frames.
func (n *near) merges(ep *endpoint.Endpoint) bool {
	have := ep.Interface().Link().Device().Info().Offloads
	return (n.fifo > 0 || n.queue.Len > 0) && n.vlan == (ethstack.VLAN{}) && have.Has(ethstack.OffloadUDP|ethstack.OffloadChecksum)
}
