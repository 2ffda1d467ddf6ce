package netns_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ethlink/ethlink/internal/netns"
)

// TestAddrUsableAtOnce: what is sent to an address that was just added arrives.
// The kernel has a worker complete an IPv6 address, so many are tried.
func TestAddrUsableAtOnce(t *testing.T) {
	veth(t, "va", "vb")
	check(t, netns.SetUp("va"), netns.SetUp("vb"))
	for i := range 200 {
		for _, address := range []string{fmt.Sprintf("10.1.0.%d", i+1), fmt.Sprintf("fd00:1::%x", i+1)} {
			a := netip.MustParseAddr(address)
			check(t, netns.AddAddr("va", netip.PrefixFrom(a, a.BitLen()/2)))
			c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
			check(t, err)
			_, err = c.WriteTo([]byte("to myself"), c.LocalAddr())
			check(t, err, c.SetReadDeadline(time.Now().Add(2*time.Second)))
			n, _, err := c.ReadFrom(make([]byte, 100))
			c.Close()
			if err != nil {
				t.Fatalf("a datagram to %v, which was just added, gave %d bytes, %v", a, n, err)
			}
		}
	}
}
