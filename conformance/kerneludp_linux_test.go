package conformance

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestKernelFirstDatagram: the first datagram to a neighbor that is not known
// is not lost, although it is in 14 fragments.
//
// RFC 1122 §2.3.2.2: at least one packet is kept while its next hop is resolved.
func TestKernelFirstDatagram(t *testing.T) {
	onColdWires(t, wireOptions{}, func(t *testing.T, w *wire, y way) {
		ctx := lasting(t, time.Minute)
		if err := lab.EchoUDP(ctx, y.from, y.to, y.at, []int{20000}); err != nil {
			t.Error(err)
		}
	})
}

// TestKernelFirstDatagrams: many datagrams that are sent before the neighbor is
// known arrive; where it is our ARP that finds the neighbor, in the order in which
// they were sent.
//
// In the kernel, and in netstack's neighbor discovery for IPv6, a datagram that is
// sent when the answer has come overtakes those that have waited for it.
func TestKernelFirstDatagrams(t *testing.T) {
	const datagrams = 50
	onColdWires(t, wireOptions{}, func(t *testing.T, w *wire, y way) {
		lasting(t, time.Minute)
		server, err := y.to.ListenUDP(netip.AddrPortFrom(y.at, 0))
		wiretest.Check(t, err)
		defer server.Close()
		c, err := y.from.DialUDP(netip.AddrPortFrom(y.at, server.LocalAddr().(*net.UDPAddr).AddrPort().Port()))
		wiretest.Check(t, err)
		defer c.Close()
		b := make([]byte, 1000)
		var want, got []uint32
		for i := range uint32(datagrams) {
			binary.BigEndian.PutUint32(b, i)
			if _, err := c.Write(b); err != nil {
				t.Fatalf("datagram %d: %v", i, err)
			}
			want = append(want, i)
		}
		wiretest.Check(t, server.SetReadDeadline(time.Now().Add(wiretest.Patience)))
		for range datagrams {
			n, _, err := server.ReadFrom(b)
			if err != nil || n != len(b) {
				t.Fatalf("after %d datagrams: %d bytes, %v", len(got), n, err)
			}
			got = append(got, binary.BigEndian.Uint32(b))
		}
		if y.at.Is6() || y.from == w.kernel {
			slices.Sort(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("what arrived is %d, want them in order", got)
		}
	})
}
