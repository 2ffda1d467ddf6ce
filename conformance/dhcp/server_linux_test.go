package dhcp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

const leaseTime = time.Hour

// A pool gives each client the first of its addresses that nobody has declined.
type pool struct {
	t *testing.T

	mu    sync.Mutex
	addrs []netip.Addr
	heard []string // the messages
}

// answer answers a message of a client's.
func (p *pool) answer(c net.PacketConn, peer net.Addr, m *dhcpv4.DHCPv4) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, m.MessageType().String())
	typ := dhcpv4.MessageTypeOffer
	switch m.MessageType() {
	case dhcpv4.MessageTypeDiscover:
	case dhcpv4.MessageTypeRequest:
		typ = dhcpv4.MessageTypeAck
		if want := m.RequestedIPAddress(); !want.Equal(p.addrs[0].AsSlice()) {
			p.t.Errorf("the client requests %v, and was offered %v", want, p.addrs[0])
			return
		}
	case dhcpv4.MessageTypeDecline:
		p.addrs = p.addrs[1:]
		return
	default:
		return
	}
	reply, err := dhcpv4.NewReplyFromRequest(m,
		dhcpv4.WithMessageType(typ),
		dhcpv4.WithYourIP(p.addrs[0].AsSlice()),
		dhcpv4.WithServerIP(serverAddr.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(serverAddr.AsSlice())),
		dhcpv4.WithNetmask(net.CIDRMask(subnet.Bits(), 32)),
		dhcpv4.WithRouter(serverAddr.AsSlice()),
		dhcpv4.WithLeaseTime(uint32(leaseTime.Seconds())))
	if err == nil {
		_, err = c.WriteTo(reply.ToBytes(), peer)
	}
	if err != nil {
		p.t.Errorf("answering a %v: %v", m.MessageType(), err)
	}
}

// serve has a pool's server run on a netstack until the test ends.
func (p *pool) serve(n *lab.Netstack) {
	p.t.Helper()
	var wq waiter.Queue
	ep, err := n.Stack().NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, &wq)
	if err != nil {
		p.t.Fatal(err)
	}
	ep.SocketOptions().SetBroadcast(true)
	// Answers go to everybody, of all networks: so the interface must be named.
	if err := ep.Bind(tcpip.FullAddress{NIC: 1, Port: dhcpv4.ServerPort}); err != nil {
		p.t.Fatal(err)
	}
	server, failed := server4.NewServer("", nil, p.answer, server4.WithConn(gonet.NewUDPConn(&wq, ep)))
	wiretest.Check(p.t, failed)
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve() // ends with an error when it is closed
	}()
	p.t.Cleanup(func() {
		server.Close()
		<-done
	})
}

// wantHeard wants these messages to have come, in this order.
func (p *pool) wantHeard(want ...string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	// What took long to be answered was said again.
	if got := slices.Compact(slices.Clone(p.heard)); !slices.Equal(got, want) {
		p.t.Errorf("the client said %v, want %v", got, want)
	}
}

// TestServer: a server on netstack gives a lease to busybox's client, which has no
// address until then, and asks whether somebody has the one it is offered.
// Where that is so, by our ARP's answer, it declines and gets another.
func TestServer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		addrs []netip.Addr
		heard []string
	}{
		{"free", []netip.Addr{freeAddr}, []string{"DISCOVER", "REQUEST"}},
		{"in use", []netip.Addr{takenAddr, freeAddr}, []string{"DISCOVER", "REQUEST", "DECLINE", "DISCOVER", "REQUEST"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			busybox := nstest.NeedProgram(t, "busybox", "busybox")
			dev, ns := newTAP(t)
			ours, err := lab.NewNetstack(dev, lab.NetstackOptions{
				Name: "netstack", Addrs: []netip.Prefix{onLink(serverAddr), onLink(takenAddr)}, Companion: true,
			})
			wiretest.Check(t, err)
			t.Cleanup(ours.Close)
			p := &pool{t: t, addrs: slices.Clone(tt.addrs)}
			p.serve(ours)
			told := filepath.Join(t.TempDir(), "told")
			script := filepath.Join(t.TempDir(), "script")
			wiretest.Check(t, os.WriteFile(script, []byte("#!/bin/sh\nenv >'"+told+".'$1\n"), 0o755))
			client := nstest.Start(t, ns, busybox, "udhcpc", "-i", host, "-s", script,
				"-f", "-q", "-n", "-a", "-t", "8", "-T", "1", "-A", "1")
			if status := client.Wait(); status != 0 {
				t.Fatalf("the client's status is %d, want 0", status)
			}
			got, err := os.ReadFile(told + ".bound")
			wiretest.Check(t, err)
			for _, want := range []string{
				fmt.Sprintf("ip=%v", freeAddr), fmt.Sprintf("mask=%d", subnet.Bits()), fmt.Sprintf("router=%v", serverAddr),
				fmt.Sprintf("lease=%d", int(leaseTime.Seconds())), fmt.Sprintf("serverid=%v", serverAddr),
			} {
				if !slices.Contains(strings.Split(string(got), "\n"), want) {
					t.Errorf("the client's script was not told %s, but:\n%s", want, got)
				}
			}
			p.wantHeard(tt.heard...)
			kernel, err := lab.NewKernelIn(ns, host, []netip.Prefix{onLink(freeAddr)})
			wiretest.Check(t, err)
			for from, to := range map[lab.Station]netip.Addr{kernel: serverAddr, ours: freeAddr} {
				if _, err := lab.Ping(t.Context(), from, to, lab.PingSize); err != nil {
					t.Errorf("ping from %s: %v", from.Name(), err)
				}
			}
		})
	}
}
