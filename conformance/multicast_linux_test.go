package conformance

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// Groups that are joined, and one of either kind that never is.
var (
	joined4, others4 = netip.MustParseAddr("239.129.2.3"), netip.MustParseAddr("239.1.2.3")
	joined6, others6 = netip.MustParseAddr("ff15::8100:203"), netip.MustParseAddr("ff15::1:203")
)

// Who manages groups, as netstack's options.
var (
	withIGMP = ipv4.Options{IGMP: ipv4.IGMPOptions{Enabled: true}}
	withMLD  = ipv6.Options{MLD: ipv6.MLDOptions{Enabled: true}, AutoGenLinkLocal: true}
)

// networkOf returns netstack's number for the kind of an address.
func networkOf(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// A groupLan is a bridge that forwards to members only, with our netstack, a
// kernel, and another kernel's cable where nobody is a member of anything.
type groupLan struct {
	ours   *lab.Netstack
	kernel *lab.Kernel
	wire   *packetSocket // where our netstack is
	other  *packetSocket
}

func newGroupLan(t *testing.T) *groupLan {
	t.Helper()
	noLeaks(t)
	const check = "ipv6/conf/default/accept_dad"
	wiretest.Check(t, netns.SetSysctl(check, "0"))
	t.Cleanup(func() { wiretest.Check(t, netns.SetSysctl(check, "1")) })
	newBridge(t, "bridge")
	l := new(groupLan)
	kernelNS, otherNS := newCable(t, "port1", "kernel"), newCable(t, "port2", "other")
	dev := newTAP(t, 0, true)
	name := dev.Info().Name
	wiretest.Check(t,
		netns.SetBridge("port1", "bridge"), netns.SetBridge("port2", "bridge"), netns.SetBridge(name, "bridge"),
		kernelNS.Do(func() error { return netns.SetIPv6("kernel", true) }))
	// It asks from an address of its own, of the link. Without one when the
	// querier is switched on, it asks half a minute later.
	wiretest.WaitFor(t, "the bridge can carry frames", func() bool {
		link, err := netns.Link("bridge")
		return err == nil && link.Running
	})
	wiretest.Check(t, netns.SetIPv6("bridge", true), netns.AddAddr("bridge", netip.MustParsePrefix("fe80::b/64")), netns.SetQuerier("bridge"))
	var err error
	l.wire = listenOn(t, name)
	wiretest.Check(t, otherNS.Do(func() error { l.other = listenOn(t, "other"); return nil }))
	l.ours, err = lab.NewNetstack(dev, lab.NetstackOptions{
		Name: "netstack", Addrs: prefixes(oursIPv4, oursIPv6), Companion: true, IPv4: withIGMP, IPv6: withMLD,
	})
	wiretest.Check(t, err)
	t.Cleanup(l.ours.Close)
	l.kernel, err = lab.NewKernelIn(kernelNS, "kernel", prefixes(kernelIPv4, kernelIPv6))
	wiretest.Check(t, err)
	wiretest.Check(t, kernelNS.Do(func() error {
		return netns.AddRoute("kernel", netip.MustParsePrefix("224.0.0.0/4"), netip.Addr{})
	}))
	for _, group := range []netip.Addr{others4, others6} {
		// Until it has asked, it forwards to all.
		wiretest.WaitFor(t, "the bridge forwards to members only", func() bool {
			b := []byte("is it forwarded?")
			l.send(t, group, openPort, b)
			return !l.reachesOther(t, b)
		})
	}
	return l
}

// send sends a datagram of the kernel's.
func (l *groupLan) send(t *testing.T, to netip.Addr, port uint16, b []byte) {
	t.Helper()
	c, err := l.kernel.DialUDP(netip.AddrPortFrom(to, port))
	wiretest.Check(t, err)
	defer c.Close()
	_, err = c.Write(b)
	wiretest.Check(t, err)
}

// reachesOther reports whether a datagram has come to the station that is in no
// group, of all that were sent so far.
func (l *groupLan) reachesOther(t *testing.T, b []byte) (seen bool) {
	t.Helper()
	end := []byte("for everybody")
	l.send(t, netip.AddrFrom4(subnetBroadcast.As4()), closedPort, end)
	for _, s := range l.other.until(isDatagram(end)) {
		seen = seen || isDatagram(b)(s.frame)
	}
	return seen
}

// anyOf returns the unspecified address of a kind.
func anyOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// TestKernelGroups: what a kernel sends to a group is received from when it was
// joined until it was left. A bridge that forwards to members only learns of it
// from our reports, and keeps it from others.
func TestKernelGroups(t *testing.T) {
	lasting(t, time.Minute)
	l := newGroupLan(t)
	for _, tt := range []struct{ group, other, own netip.Addr }{{joined4, others4, oursIPv4}, {joined6, others6, oursIPv6}} {
		server, err := l.ours.ListenUDP(netip.AddrPortFrom(anyOf(tt.own), openPort))
		wiretest.Check(t, err)
		group, network := tcpip.AddrFromSlice(tt.group.AsSlice()), networkOf(tt.group)

		// The datagram for our own address shows that those before it were not taken.
		marks := [][]byte{[]byte("before it was joined"), []byte("joined"), []byte("after it was left")}
		l.send(t, tt.group, openPort, []byte("nobody's"))
		l.send(t, tt.own, openPort, marks[0])
		wantDatagrams(t, server, "before "+tt.group.String()+" is joined", marks[0])

		if err := l.ours.Stack().JoinGroup(network, 1, group); err != nil {
			t.Fatal(err)
		}
		l.wire.until(isReport(tt.group, true))
		l.send(t, tt.other, openPort, []byte("another group's"))
		l.send(t, tt.group, openPort, marks[1])
		wantDatagrams(t, server, tt.group.String()+" is joined", marks[1])

		if err := l.ours.Stack().LeaveGroup(network, 1, group); err != nil {
			t.Fatal(err)
		}
		l.wire.until(isReport(tt.group, false))
		l.send(t, tt.group, openPort, []byte("nobody's any more"))
		l.send(t, tt.own, openPort, marks[2])
		wantDatagrams(t, server, "after "+tt.group.String()+" was left", marks[2])
		wiretest.Check(t, server.Close())
	}
	if l.reachesOther(t, []byte("joined")) {
		t.Error("the bridge forwarded to who is in no group")
	}
}

// TestKernelTwoWayGroup: a netstack and a kernel are in one group, as with mDNS:
// each hears what the other sends to it.
func TestKernelTwoWayGroup(t *testing.T) {
	lasting(t, time.Minute)
	w := newWire(t, wireOptions{companion: true, ipv4: withIGMP, ipv6: withMLD})
	for _, group := range []netip.Addr{netip.MustParseAddr("224.0.0.251"), netip.MustParseAddr("ff15::fb")} {
		at := netip.AddrPortFrom(group, 5353)
		address := tcpip.AddrFromSlice(group.AsSlice())
		s := w.ours.Stack()
		if err := s.JoinGroup(networkOf(group), 1, address); err != nil {
			t.Fatal(err)
		}
		s.AddRoute(tcpip.Route{Destination: address.WithPrefix().Subnet(), NIC: 1})
		iface, err := net.InterfaceByName(w.iface)
		wiretest.Check(t, err)
		kernel, err := net.ListenMulticastUDP("udp", iface, net.UDPAddrFromAddrPort(at))
		wiretest.Check(t, err)
		defer kernel.Close()
		ours, err := w.ours.ListenUDP(netip.AddrPortFrom(anyOf(group), at.Port()))
		wiretest.Check(t, err)
		ask, err := w.ours.DialUDP(at)
		wiretest.Check(t, err)
		defer ask.Close()

		question, answer := []byte("who is there?"), []byte("the kernel")
		_, err = ask.Write(question)
		wiretest.Check(t, err)
		wantDatagrams(t, kernel, "a question to "+group.String(), question)
		wantDatagrams(t, ours, "what we send to a group that we are in", question)
		wiretest.Check(t, setGroupInterface(kernel, group, iface))
		_, err = kernel.WriteTo(answer, net.UDPAddrFromAddrPort(at))
		wiretest.Check(t, err)
		wantDatagrams(t, ours, "an answer to "+group.String(), answer)
		wiretest.Check(t, ours.Close())
	}
}

// setGroupInterface has a kernel's socket send to groups from an interface.
func setGroupInterface(c *net.UDPConn, group netip.Addr, iface *net.Interface) error {
	if group.Is6() {
		return setOption(c, unix.SOL_IPV6, unix.IPV6_MULTICAST_IF, iface.Index)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptIPMreqn(int(fd), unix.SOL_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(iface.Index)})
	})
	return errors.Join(err, failed)
}

// TestKernelAllHosts: a ping of all hosts by the kernel is answered from our own
// address, and one of a group that we are not in is not.
func TestKernelAllHosts(t *testing.T) {
	lasting(t, time.Minute)
	w := newWire(t, wireOptions{companion: true, ipv4: withIGMP, ipv6: withMLD})
	wiretest.Check(t, netns.AddRoute(w.iface, netip.MustParsePrefix("224.0.0.0/4"), netip.Addr{}))
	info, err := netns.Link(w.iface)
	wiretest.Check(t, err)
	zone := strconv.Itoa(info.Index)
	p := w.listen()
	w.ping(w.kernel, w.ours)
	p.fence()
	for _, tt := range []struct {
		to, own netip.Addr
	}{{netip.MustParseAddr("224.0.0.1"), oursIPv4}, {netip.MustParseAddr("ff02::1").WithZone(zone), oursIPv6}} {
		body := []byte("all of you")
		answer, request := isEchoReply(body), header.IPv4(echo4(alice.ipv4, ownIPv4, body)).Payload()
		if tt.to.Is6() {
			answer, request = isEchoReply6(body), header.IPv6(echo6(alice.ipv6, ownIPv6, body)).Payload()
		}
		for _, to := range []netip.Addr{others4, others6, tt.to} {
			if to.Is4() != tt.to.Is4() {
				continue
			}
			c, err := w.kernel.Ping(to)
			wiretest.Check(t, err)
			_, err = c.Write(request)
			wiretest.Check(t, err, c.Close())
		}
		p.until(answer)
		if n := count(p.fence(), answer); n != 0 {
			t.Errorf("%v: %d more answers than 1", tt.to, n)
		}
	}
}
