package conformance

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestProxyBehindBridge: a netstack with spoofing and promiscuous mode on, as
// proxies have it, neither answers ARP for the world nor takes what a bridge
// floods for others.
func TestProxyBehindBridge(t *testing.T) {
	for _, companion := range []bool{false, true} {
		t.Run(fmt.Sprintf("companion=%v", companion), func(t *testing.T) {
			ctx := lasting(t, time.Minute)
			noLeaks(t)
			newBridge(t, "bridge")
			elsewhere := newCable(t, "port", "world")
			dev := newTAP(t, 0, true)
			wiretest.Check(t, netns.SetBridge("port", "bridge"), netns.SetBridge(dev.Info().Name, "bridge"))
			proxy, err := lab.NewNetstack(dev, lab.NetstackOptions{Name: "proxy", Addrs: prefixes(oursIPv4), Companion: companion, Proxy: true})
			wiretest.Check(t, err)
			t.Cleanup(proxy.Close)

			world, err := lab.NewKernelIn(elsewhere, "world", prefixes(kernelIPv4))
			wiretest.Check(t, err)
			if _, err := lab.Ping(ctx, world, oursIPv4, lab.PingSize); err != nil {
				t.Fatalf("ping of the proxy itself: %v", err)
			}
			var p *packetSocket
			wiretest.Check(t, elsewhere.Do(func() error { p = listenOn(t, "world"); return nil }))
			p.fence()
			own, foreign := hw(proxy.HardwareAddr()), hardwareAddr{2, 0, 0, 0, 0, 0x99}
			from := alice
			for _, target := range []tcpip.Address{bob.ipv4, offLink, subnetBroadcast, limitedBroadcast, tcpip.AddrFrom4([4]byte{8, 8, 8, 8})} {
				p.send(request(from, everybody, target), request(from, own, target))
			}
			// The bridge does not know where foreign is, so it asks all.
			for _, to := range []tcpip.Address{ownIPv4, bob.ipv4, offLink} {
				p.send(
					ether(foreign, from.hw, typeIPv4, echo4(from.ipv4, to, []byte("for another"))),
					ether(foreign, from.hw, typeIPv4, udp4(from.ipv4, to, closedPort, []byte("for another"))))
			}
			for _, s := range p.fence() {
				if s.from() == own {
					t.Errorf("the proxy said %v", s.frame)
				}
			}
			// What it is there for: any destination, in a frame for itself.
			c, err := proxy.ListenUDP(netip.AddrPortFrom(netip.IPv4Unspecified(), openPort))
			wiretest.Check(t, err)
			defer c.Close()
			data := []byte("for the proxy")
			p.send(ether(own, from.hw, typeIPv4, udp4(from.ipv4, offLink, openPort, data)))
			wiretest.Check(t, c.SetReadDeadline(time.Now().Add(wiretest.Patience)))
			b := make([]byte, 100)
			if n, _, err := c.ReadFrom(b); err != nil || string(b[:n]) != string(data) {
				t.Errorf("a socket for any address got %q, %v; want %q", b[:n], err, data)
			}
		})
	}
}
