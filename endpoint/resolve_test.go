package endpoint_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// arpLog collects the ARP packets that are sent on a segment.
type arpLog struct {
	mu      sync.Mutex
	packets []arp.Packet
}

func (l *arpLog) capture(c ethtest.Capture) {
	h, _ := ethstack.ParseHeader(c.Frame, len(c.Frame))
	if h.EtherType != ethstack.EtherTypeARP {
		return
	}
	p, err := arp.ParsePacket(c.Frame[h.Len:])
	if err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packets = append(l.packets, p)
}

// count returns how many packets there are that ok accepts.
func (l *arpLog) count(ok func(arp.Packet) bool) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.packets {
		if ok(p) {
			n++
		}
	}
	return n
}

// requestsFor returns how many requests asked for 10.0.0.n.
func (l *arpLog) requestsFor(n byte) int {
	return l.count(func(p arp.Packet) bool {
		return p.Operation == arp.OperationRequest && !p.IsAnnouncement() && p.TargetAddr.As4() == [4]byte{10, 0, 0, n}
	})
}

// pass lets a manual clock go on until f has returned.
func pass(t testing.TB, c *ethtest.ManualClock, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for deadline := time.Now().Add(patience); ; {
		select {
		case <-done:
			return
		case <-time.After(time.Millisecond):
			c.Advance(100 * time.Millisecond)
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing came of it in time")
		}
	}
}

// TestNoRouteToHost is R63: who dials an address at which nobody answers is told so,
// however the stack handles local traffic.
func TestNoRouteToHost(t *testing.T) {
	for _, handleLocal := range []bool{true, false} {
		for _, gateway := range []bool{false, true} {
			t.Run(fmt.Sprintf("handleLocal=%v,gateway=%v", handleLocal, gateway), func(t *testing.T) {
				var log arpLog
				clock := new(ethtest.ManualClock)
				s := newSegment(t, ethtest.SegmentOptions{Capture: log.capture})
				a := newHost(t, s, 2, hostOptions{
					endpoint: endpoint.Options{Clock: clock},
					stack:    stack.Options{HandleLocal: handleLocal},
				})
				to, hop := tcpip.AddrFrom4([4]byte{10, 0, 0, 99}), byte(99)
				if gateway {
					to, hop = tcpip.AddrFrom4([4]byte{192, 0, 2, 1}), 1
				}
				dial := func() error {
					_, err := a.dial(ipv4.ProtocolNumber, tcpip.FullAddress{NIC: nicID, Addr: to, Port: 80})
					return err
				}
				var err error
				start := clock.Now()
				pass(t, clock, func() { err = dial() })
				if err == nil || !strings.Contains(err.Error(), "no route to host") {
					t.Fatalf("dial: %v, want no route to host", err)
				}
				if d := clock.Now() - start; d < 2*time.Second {
					t.Errorf("failed after %v: RFC 1122 §2.4 forbids to report that there is no entry only", d)
				}
				if n := log.requestsFor(hop); n != 3 {
					t.Errorf("%d requests, want 3", n)
				}
				// While that is remembered, new attempts fail at once.
				before := clock.Now()
				pass(t, clock, func() { err = dial() })
				if err == nil || clock.Now()-before > 1500*time.Millisecond {
					t.Errorf("second dial: %v after %v, want an error at once", err, clock.Now()-before)
				}
			})
		}
	}
}

// TestUDPToUnreachable: a write to a next hop that has failed fails itself.
func TestUDPToUnreachable(t *testing.T) {
	clock := new(ethtest.ManualClock)
	s := newSegment(t, ethtest.SegmentOptions{})
	a := newHost(t, s, 2, hostOptions{endpoint: endpoint.Options{Clock: clock}})
	c, err := gonet.DialUDP(a.stack, nil, &tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom4([4]byte{10, 0, 0, 99}), Port: 7}, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("first")); err != nil {
		t.Fatalf("the first write: %v: there is no entry, which is no error", err)
	}
	clock.Advance(5 * time.Second)
	if _, err := c.Write([]byte("second")); err == nil || !strings.Contains(err.Error(), "no route to host") {
		t.Errorf("write to a next hop that has failed: %v, want no route to host", err)
	}
	eventually(t, "both packets dropped, counted", func() bool {
		clock.Advance(time.Millisecond)
		st := a.ep.Interface().Stats()
		return st.Drops[ethstack.DropTxUnresolved] == 2 && st.Pending[arp.DropUnreachable] == 2
	})
}

// TestOneRequestSeries is R26: a hundred connection attempts to one next hop cause
// the requests of one.
func TestOneRequestSeries(t *testing.T) {
	var log arpLog
	clock := new(ethtest.ManualClock)
	s := newSegment(t, ethtest.SegmentOptions{Capture: log.capture})
	a := newHost(t, s, 2, hostOptions{endpoint: endpoint.Options{Clock: clock}})
	const dials = 100
	errs := make(chan error, dials)
	pass(t, clock, func() {
		var wg sync.WaitGroup
		for range dials {
			wg.Go(func() {
				_, err := a.dial(ipv4.ProtocolNumber, tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom4([4]byte{10, 0, 0, 99}), Port: 80})
				errs <- err
			})
		}
		wg.Wait()
	})
	for range dials {
		if err := <-errs; err == nil || !strings.Contains(err.Error(), "no route to host") {
			t.Fatalf("dial: %v, want no route to host", err)
		}
	}
	if n := log.requestsFor(99); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func udpPair(t *testing.T, a, b *host, proto tcpip.NetworkProtocolNumber) (from net.Conn, to net.PacketConn) {
	t.Helper()
	listen := b.addr(proto, 7)
	to, err := gonet.DialUDP(b.stack, &listen, nil, proto)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { to.Close() })
	from, err = gonet.DialUDP(a.stack, nil, &listen, proto)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { from.Close() })
	to.SetDeadline(time.Now().Add(patience))
	from.SetDeadline(time.Now().Add(patience))
	return from, to
}

// TestColdOrder is R27: what is sent before the next hop is known arrives complete and
// in order, ahead of what is sent once it is.
func TestColdOrder(t *testing.T) {
	for _, delay := range []time.Duration{0, 300 * time.Microsecond, 5 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			s := newSegment(t, ethtest.SegmentOptions{MinDelay: delay})
			a := newHost(t, s, 2, hostOptions{})
			b := newHost(t, s, 3, hostOptions{})
			from, to := udpPair(t, a, b, ipv4.ProtocolNumber)
			const datagrams = 50
			for k := range datagrams {
				if _, err := from.Write(binary.BigEndian.AppendUint32(nil, uint32(k))); err != nil {
					t.Fatal(err)
				}
			}
			buf := make([]byte, 100)
			for k := range datagrams {
				n, _, err := to.ReadFrom(buf)
				if err != nil || n != 4 || binary.BigEndian.Uint32(buf) != uint32(k) {
					t.Fatalf("datagram %d: got %x (%v)", k, buf[:n], err)
				}
			}
		})
	}
}

// TestColdFragments is R27: the first datagram to a new neighbor may have many
// fragments.
func TestColdFragments(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			s := newSegment(t, ethtest.SegmentOptions{MinDelay: time.Millisecond})
			a := newHost(t, s, 2, hostOptions{})
			b := newHost(t, s, 3, hostOptions{port: ethtest.PortOptions{Queues: 3}})
			for _, dir := range []struct{ from, to *host }{{a, b}, {b, a}} {
				from, to := udpPair(t, dir.from, dir.to, p.number)
				sent := make([]byte, 20000)
				for k := range sent {
					sent[k] = byte(k * k >> 7)
				}
				if _, err := from.Write(sent); err != nil {
					t.Fatal(err)
				}
				got := make([]byte, 65536)
				n, _, err := to.ReadFrom(got)
				if err != nil || string(got[:n]) != string(sent) {
					t.Fatalf("got %d bytes, want the %d that were sent: %v", n, len(sent), err)
				}
				to.Close()
			}
		})
	}
}

// TestBadFragmentChecksum: netstack verifies what it reassembles, although the
// endpoint says that it need not.
func TestBadFragmentChecksum(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	b := newHost(t, s, 3, hostOptions{})
	peer, err := s.NewPort(ethtest.PortOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	listen := b.addr(ipv4.ProtocolNumber, 7)
	to, err := gonet.DialUDP(b.stack, &listen, nil, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	for _, good := range []bool{false, true} {
		for _, f := range fragments(b, 3000, good) {
			if _, err := peer.Write(0, []ethstack.Frame{{Bufs: [][]byte{f}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	to.SetDeadline(time.Now().Add(patience))
	buf := make([]byte, 65536)
	n, _, err := to.ReadFrom(buf)
	if err != nil || n != 3000 {
		t.Fatalf("got %d bytes (%v), want the good datagram of 3000", n, err)
	}
	if n := b.stack.Stats().UDP.ChecksumErrors.Value(); n != 1 {
		t.Errorf("netstack counts %d wrong checksums, want 1", n)
	}
	to.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if n, _, err := to.ReadFrom(buf); !isTimeout(err) {
		t.Errorf("another %d bytes (%v), want nothing", n, err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
