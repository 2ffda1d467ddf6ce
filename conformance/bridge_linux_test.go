package conformance

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// A bridgeLan is a kernel bridge with our netstack on a TAP, a kernel host that
// has an address, and a further host, played by a packet socket and, if it likes,
// by the kernel behind it.
type bridgeLan struct {
	ours     *lab.Netstack
	old      *lab.Kernel
	oldNS    *netns.Namespace
	further  *netns.Namespace
	socket   *packetSocket
	furthest hardwareAddr // its
}

func newBridgeLan(t *testing.T) *bridgeLan {
	t.Helper()
	noLeaks(t)
	newBridge(t, "bridge")
	l := &bridgeLan{oldNS: newCable(t, "port1", "old"), further: newCable(t, "port2", "new")}
	dev := newTAP(t, 0, true)
	wiretest.Check(t, netns.SetBridge("port1", "bridge"), netns.SetBridge("port2", "bridge"), netns.SetBridge(dev.Info().Name, "bridge"))
	var err error
	l.ours, err = lab.NewNetstack(dev, lab.NetstackOptions{Name: "ours", Addrs: prefixes(oursIPv4), Companion: true})
	wiretest.Check(t, err)
	t.Cleanup(l.ours.Close)
	l.old, err = lab.NewKernelIn(l.oldNS, "old", prefixes(kernelIPv4))
	wiretest.Check(t, err)
	wiretest.Check(t, l.further.Do(func() error {
		l.socket = listenOn(t, "new")
		info, err := netns.Link("new")
		l.furthest = info.HardwareAddr
		return err
	}))
	return l
}

// A pinger sends an echo request to the kernel's address now and then, and
// counts the replies.
type pinger struct {
	t       *testing.T
	c       lab.PacketConn
	sent    int
	replies chan int
}

func (l *bridgeLan) newPinger(t *testing.T) *pinger {
	t.Helper()
	c, err := l.ours.Ping(kernelIPv4)
	wiretest.Check(t, err)
	t.Cleanup(func() { c.Close() })
	p := &pinger{t: t, c: c, replies: make(chan int, 1<<16)}
	go func() {
		defer close(p.replies)
		b := make([]byte, 1500)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if n >= 8 && b[0] == 0 { // RFC 792: an echo reply
				p.replies <- int(binary.BigEndian.Uint16(b[6:]))
			}
		}
	}()
	return p
}

func (p *pinger) ping() {
	p.t.Helper()
	m := make([]byte, 64)
	m[0] = 8 // RFC 792: an echo request
	p.sent++
	binary.BigEndian.PutUint16(m[6:], uint16(p.sent))
	binary.BigEndian.PutUint16(m[2:], ^checksum.Checksum(m, 0))
	if _, err := p.c.Write(m); err != nil {
		p.t.Fatalf("ping %d: %v", p.sent, err)
	}
}

// run pings so many times at an interval, with f at the middle.
func (p *pinger) run(n int, interval time.Duration, f func()) {
	p.t.Helper()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for k := range n {
		if k == n/2 {
			f()
		}
		p.ping()
		<-tick.C
	}
}

// lost returns how many pings had no reply, once there has been time for it.
func (p *pinger) lost() int {
	deadline := time.After(time.Second)
	got := map[int]bool{}
	for len(got) < p.sent {
		select {
		case seq := <-p.replies:
			got[seq] = true
		case <-deadline:
			return p.sent - len(got)
		}
	}
	return 0
}

// TestFailoverOnBridge: R5, a neighbor's address moves to another kernel, which
// announces it in either form (arping -U, -A), the old host being gone. At 20
// pings a second at most two are lost; a machine that is busy with something else
// may take up to three tries to show it.
func TestFailoverOnBridge(t *testing.T) {
	for _, form := range []struct {
		name string
		op   uint16
	}{{"request", opRequest}, {"reply", opReply}} {
		const most = 2
		lost := most + 1
		for try := 1; try <= 3 && lost > most; try++ {
			t.Run(fmt.Sprintf("%s %d", form.name, try), func(t *testing.T) { lost = failover(t, form.op) })
		}
		if lost > most {
			t.Errorf("announced by a %s: %d pings were lost, want at most %d", form.name, lost, most)
		}
	}
}

// failover returns how many pings are lost.
func failover(t *testing.T, op uint16) int {
	lasting(t, time.Minute)
	l := newBridgeLan(t)
	p := l.newPinger(t)
	p.ping()
	wiretest.WaitFor(t, "the first reply", func() bool { return len(p.replies) > 0 })
	p.run(40, 50*time.Millisecond, func() {
		wiretest.Check(t,
			l.further.Do(func() error { return netns.AddAddr("new", subnet(kernelIPv4)) }),
			l.oldNS.Do(func() error { return netns.SetDown("old") }))
		target := tcpip.AddrFrom4(kernelIPv4.As4())
		l.socket.send(ether(everybody, l.furthest, typeARP, newARP(op, l.furthest, target, nobody, target).bytes()).padded(minFrame))
	})
	lost := p.lost()
	t.Logf("%d of %d pings lost", lost, p.sent)
	if hw, ok := l.ours.Endpoint().Interface().Lookup(kernelIPv4.As4()); !ok || hardwareAddr(hw) != l.furthest {
		t.Errorf("the neighbor is at %v, %v; want %v", hw, ok, l.furthest)
	}
	return lost
}

// TestFloodOnBridge: R61, R62, a hundred thousand hosts that do not exist ask for
// us, while we go on talking to one that does: under 1 % of the pings are lost,
// and the neighbor in use stays.
func TestFloodOnBridge(t *testing.T) {
	lasting(t, 2*time.Minute)
	senders := 100_000
	if testing.Short() {
		senders = 10_000
	}
	l := newBridgeLan(t)
	p := l.newPinger(t)
	p.ping()
	wiretest.WaitFor(t, "the first reply", func() bool { return len(p.replies) > 0 })

	done := make(chan struct{})
	go func() {
		defer close(done)
		f := request(alice, everybody, ownIPv4)
		for n := range senders {
			// As fast as it is taken in, since what overflows the TAP's queue of a
			// thousand takes pings with it.
			for n%20 == 0 && int(l.ours.Endpoint().Interface().Stats().RxFrames) < n-60 {
				time.Sleep(100 * time.Microsecond)
			}
			// RFC 826: the sender's addresses, in the frame and in the packet.
			binary.BigEndian.PutUint32(f[8:], uint32(n))
			f[6], f[7] = 0x02, 0x99
			copy(f[22:28], f[6:12])
			copy(f[28:32], netip.AddrFrom4([4]byte{10, 1, 0, 0}).AsSlice())
			binary.BigEndian.PutUint16(f[30:], uint16(n)|1<<8)
			l.socket.send(f)
		}
	}()
	for flooding := true; flooding; {
		p.run(1, 5*time.Millisecond, func() {})
		select {
		case <-done:
			flooding = false
		default:
		}
	}
	lost := p.lost()
	s := l.ours.Endpoint().Interface().Stats()
	t.Logf("%d of %d pings lost; %d ARP packets taken in, %d replies", lost, p.sent, s.RxARP, s.ARPReplies)
	if lost*100 >= p.sent {
		t.Errorf("%d of %d pings were lost, want under 1 %%", lost, p.sent)
	}
	if hw, ok := l.ours.Endpoint().Interface().Lookup(kernelIPv4.As4()); !ok || hw != l.old.HardwareAddr() {
		t.Errorf("the neighbor is at %v, %v; want %v", hw, ok, l.old.HardwareAddr())
	}
	if s.RxFrames < uint64(senders) {
		t.Errorf("only %d frames got here, of %d: that is no flood", s.RxFrames, senders)
	}
}
