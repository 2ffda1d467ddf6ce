package conformance

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/lab"
)

// A stackHost is a computer of the simulation, which has a netstack while it
// runs.
type stackHost struct {
	*lab.Netstack
	s    *stackSim
	name string
	n    byte
	nics []*stackNIC
	// How it is made each time.
	companion bool
	fifo      int
	echo      []net.PacketConn // sockets that send back what comes
	links     []*endpoint.Endpoint
}

// A stackNIC is a host's device: a port, which can be kept from announcing the
// host's address.
type stackNIC struct {
	*ethtest.Port
	s       *stackSim
	name    string
	host    *stackHost
	segment int
	addrs   []netip.Prefix
	quiet   atomic.Bool
	muted   atomic.Uint64 // announcements that were not sent

	// Under the simulation's lock:
	hw, before ethstack.HardwareAddr
	changed    time.Duration
}

// newHost describes a host with the number n on some segments.
func (s *stackSim) newHost(n int, segments ...int) *stackHost {
	h := &stackHost{s: s, n: byte(n), name: fmt.Sprintf("host %d", n), companion: s.chance(50) || len(segments) > 1}
	if s.chance(30) {
		h.fifo = 1024
	}
	for _, k := range segments {
		h.nics = append(h.nics, &stackNIC{
			s: s, host: h, segment: k, name: fmt.Sprintf("%s/%d", h.name, k),
			addrs: []netip.Prefix{stackAddr4(k, h.n), stackAddr6(k, h.n)},
		})
	}
	return h
}

func stackAddr4(segment int, n byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(segment), n}), 24)
}

func stackAddr6(segment int, n byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 7: byte(segment), 15: n}), 64)
}

// boot makes the stack, with new devices and new hardware addresses.
func (h *stackHost) boot() {
	h.s.note("%s boots", h.name)
	h.links = nil
	for _, n := range h.nics {
		h.links = append(h.links, n.plug())
	}
	first := h.nics[0]
	o := lab.NetstackOptions{
		Name: h.name, Companion: h.companion, FIFO: h.fifo, Clock: stackClock{&h.s.clock},
		Addrs: first.addrs, Gateways: []netip.Addr{stackAddr4(first.segment, 1).Addr(), stackAddr6(first.segment, 1).Addr()},
	}
	if h == h.s.router || h.s.router == nil {
		o.Gateways = nil
	}
	var err error
	if h.Netstack, err = lab.NewNetstackOn(h.links[0], o); err != nil {
		h.s.t.Fatal(err)
	}
	// With tail loss probes, netstack does not send a FIN again that was lost when
	// all data before it has arrived: nothing is outstanding then by its count, so
	// no timer is set (sender.SetPipe, sender.postXmit), and both ends wait.
	recovery := tcpip.TCPRecovery(0)
	if err := h.Stack().SetTransportProtocolOption(tcp.ProtocolNumber, &recovery); err != nil {
		h.s.t.Fatalf("TCP's recovery: %v", err)
	}
	for k, n := range h.nics[1:] {
		if err := h.AddNIC(h.links[k+1], n.addrs, nil); err != nil {
			h.s.t.Fatal(err)
		}
	}
	if h == h.s.router {
		h.forward()
		return
	}
	for _, a := range first.addrs {
		c, err := h.ListenUDP(netip.AddrPortFrom(a.Addr(), stackEchoPort))
		if err != nil {
			h.s.t.Fatal(err)
		}
		h.echo = append(h.echo, c)
		go lab.ServeEcho(c)
	}
}

// forward makes the host a router.
func (h *stackHost) forward() {
	for _, p := range []tcpip.NetworkProtocolNumber{ipv4.ProtocolNumber, ipv6.ProtocolNumber} {
		if err := h.Stack().SetForwardingDefaultAndAllNICs(p, true); err != nil {
			h.s.t.Fatalf("forwarding: %v", err)
		}
	}
}

const allOffloads = ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6 | ethstack.OffloadECN | ethstack.OffloadUDP

// plug connects a new device, and makes an endpoint of it.
func (n *stackNIC) plug() *endpoint.Endpoint {
	s := n.s
	hw := ethstack.HardwareAddr{2, n.host.n, byte(n.segment), byte(s.random.Uint32()), byte(s.random.Uint32()), byte(s.random.Uint32())}
	o := ethtest.PortOptions{Name: n.name, HardwareAddr: hw, QueueLen: 1 << 14, Queues: 1 + s.random.IntN(2)}
	if s.chance(50) {
		o.Offloads = allOffloads
	}
	port, err := s.segments[n.segment].NewPort(o)
	if err != nil {
		s.t.Fatal(err)
	}
	n.Port = port
	n.quiet.Store(s.chance(30)) // it is up to the others to find out
	n.muted.Store(0)
	s.clock.AfterFunc(5*time.Second, func() { n.quiet.Store(false) })
	s.mu.Lock()
	s.nics[port] = n
	s.mu.Unlock()
	s.isAt(n, hw)
	ep, err := endpoint.New(n, endpoint.Options{Clock: &s.clock, ARP: arp.Config{Seed: s.random.Uint64()}})
	if err != nil {
		s.t.Fatal(err)
	}
	return ep
}

// isAt notes a NIC's hardware address.
func (s *stackSim) isAt(n *stackNIC, hw ethstack.HardwareAddr) {
	s.note("%s is at %v, and says so: %v", n.name, hw, !n.quiet.Load())
	s.mu.Lock()
	defer s.mu.Unlock()
	n.before, n.hw, n.changed = n.hw, hw, s.clock.Now()
	for _, a := range n.addrs {
		if s.been[a.Addr()] == nil {
			s.been[a.Addr()] = map[ethstack.HardwareAddr]bool{}
		}
		s.been[a.Addr()][hw] = true
	}
}

// Write keeps announcements back while the NIC is quiet.
func (n *stackNIC) Write(queue int, frames []ethstack.Frame) (taken int, first error) {
	if !n.quiet.Load() {
		return n.Port.Write(queue, frames)
	}
	for i := range frames {
		f := frames[i : i+1]
		if p, _, ok := arpIn(f[0].Bufs[0]); ok && p.IsAnnouncement() {
			f[0].Err = nil
			n.muted.Add(1)
			taken++
			continue
		}
		k, err := n.Port.Write(queue, f)
		taken += k
		if first == nil {
			first = err
		}
	}
	return taken, first
}

// renumber gives the host's interfaces other hardware addresses, silently or
// not.
func (h *stackHost) renumber(silently bool) {
	for k, n := range h.nics {
		hw := n.hw
		hw[5]++
		n.quiet.Store(silently)
		if silently {
			h.s.clock.AfterFunc(5*time.Second, func() { n.quiet.Store(false) })
		}
		h.s.isAt(n, hw)
		if err := h.links[k].Interface().SetHardwareAddr(hw); err != nil {
			h.s.errorf("%s: %v", n.name, err)
		}
	}
}

// flap takes a link down for some time.
func (h *stackHost) flap(d time.Duration) {
	n := h.nics[h.s.random.IntN(len(h.nics))]
	h.s.note("%s: link down for %v", n.name, d)
	port := n.Port
	port.SetLinkState(ethstack.LinkDown)
	h.s.clock.AfterFunc(d, func() {
		h.s.note("%s: link up", n.name)
		port.SetLinkState(ethstack.LinkUp)
	})
}

// reboot is a crash: from one moment to the next nothing comes from the host any
// more, and what it knew is gone.
func (h *stackHost) reboot() {
	h.s.note("%s crashes", h.name)
	for _, n := range h.nics {
		n.SetLinkState(ethstack.LinkGone)
	}
	for _, x := range h.s.streams {
		x.crash(h)
	}
	for _, x := range h.s.bursts {
		if x.from == h {
			x.close()
		}
	}
	h.shutdown()
	h.s.pass(time.Duration(h.s.random.Int64N(int64(3 * time.Second))))
	h.boot()
}

// shutdown ends the stack, and waits until nothing of it runs.
func (h *stackHost) shutdown() {
	for _, c := range h.echo {
		c.Close()
	}
	h.echo = nil
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Netstack.Close()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		h.s.t.Fatalf("seed %d: %s does not end within %v", h.s.seed, h.name, patience)
	}
}
