package endpoint_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// TestCompanionDisabled is R64, R65, R66: a NIC that is disabled forgets its
// neighbors and answers nobody; enabled again it announces its addresses.
func TestCompanionDisabled(t *testing.T) {
	clock := new(ethtest.ManualClock)
	s, p := newPeered(t)
	h := newHost(t, s, 2, hostOptions{wrap: sniff, endpoint: endpoint.Options{Clock: clock}, more: companion})
	i := h.ep.Interface()
	if n := p.answers(h, h.addr4().As4()); n != 1 {
		t.Fatalf("%d answers, want 1", n)
	}
	if _, ok := i.Lookup(peerAddr.As4()); !ok {
		t.Fatal("the peer, who has asked, is not known")
	}
	clock.Advance(time.Minute) // all announcements are over
	announced := p.announcements(h.addr4().As4())
	for k := range 3 {
		if err := h.stack.DisableNIC(nicID); err != nil {
			t.Fatal(err)
		}
		if _, ok := i.Lookup(peerAddr.As4()); ok {
			t.Error("the peer is known to a NIC that is disabled")
		}
		clock.Advance(time.Minute)
		dropped := i.Stats().Drops[ethstack.DropDisabled]
		if n := p.answers(h, h.addr4().As4()); n != 0 {
			t.Errorf("disabled: %d answers", n)
		}
		if n := i.Stats().Drops[ethstack.DropDisabled] - dropped; n != 1 {
			t.Errorf("%d frames dropped as disabled, want 1", n)
		}
		if n := p.announcements(h.addr4().As4()); n != announced {
			t.Errorf("disabled: %d announcements", n-announced)
		}
		if err := h.stack.EnableNIC(nicID); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Minute)
		now := p.announcements(h.addr4().As4())
		if now == announced {
			t.Errorf("round %d: enabled again, the address is not announced", k)
		}
		announced = now
		if n := p.answers(h, h.addr4().As4()); n != 1 {
			t.Errorf("enabled: %d answers, want 1", n)
		}
	}
}

// TestCompanionMadeDisabled: a NIC may be made disabled, and sends nothing until
// it is enabled.
func TestCompanionMadeDisabled(t *testing.T) {
	clock := new(ethtest.ManualClock)
	s, p := newPeered(t)
	h := newHost(t, s, 2, hostOptions{endpoint: endpoint.Options{Clock: clock}, nic: stack.NICOptions{Disabled: true}, more: companion})
	extra := h.neighbor(44)
	if err := h.ep.Interface().AddIPv4(extra.ip4()); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute)
	if n := p.announcements(extra.addr4().As4()); n != 0 {
		t.Errorf("%d announcements before the NIC is enabled", n)
	}
	if err := h.stack.EnableNIC(nicID); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute)
	if n := p.announcements(extra.addr4().As4()); n == 0 {
		t.Error("no announcement when the NIC was enabled")
	}
}

// TestCompanionMoved: an endpoint's NIC may go to another stack, with and
// without the companion, and back.
func TestCompanionMoved(t *testing.T) {
	s, p := newPeered(t)
	h := newHost(t, s, 2, hostOptions{wrap: sniff, more: companion})
	with := stack.New(stack.Options{NetworkProtocols: append(companion, ipv4.NewProtocol)})
	without := stack.New(stack.Options{NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol}})
	id := tcpip.NICID(nicID)
	from := h.stack
	for k, st := range []*stack.Stack{with, without, with, h.stack, without} {
		var err tcpip.Error
		within(t, "moving the NIC", 10*time.Second, func() { id, err = from.SetNICStack(id, st) })
		if err != nil {
			t.Fatal(err)
		}
		from = st
		n := byte(50 + k)
		a := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: h.neighbor(n).prefix(ipv4.ProtocolNumber)}
		if err := st.AddProtocolAddress(id, a, stack.AddressProperties{}); err != nil {
			t.Fatal(err)
		}
		if got := p.answers(h, h.neighbor(n-1).addr4().As4()); got != 0 {
			t.Errorf("move %d: %d answers for the address in the former stack", k, got)
		}
		want := 1
		if st == without {
			want = 0 // under a sniffer nobody can be asked
			told := h.neighbor(byte(100 + k))
			if err := h.ep.Interface().AddIPv4(told.ip4()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "what the endpoint is told is announced", func() bool { return p.announcements(told.addr4().As4()) > 0 })
		}
		if got := p.answers(h, h.neighbor(n).addr4().As4()); got != want {
			t.Errorf("move %d: %d answers for the new address, want %d", k, got, want)
		}
	}
	with.Destroy()
	without.Destroy()
}

// TestCompanionRemoved: removing a NIC returns at any moment: while frames of
// every kind come in, packets wait for a next hop, and failures are reported.
func TestCompanionRemoved(t *testing.T) {
	for _, procs := range []int{1, 2} {
		for name, remove := range map[string]func(*host){
			"RemoveNIC": func(h *host) { h.stack.RemoveNIC(nicID) },
			"Destroy":   func(h *host) { h.stack.Destroy() },
			"Close":     func(h *host) { h.ep.Close() },
			"disable and remove": func(h *host) {
				h.stack.DisableNIC(nicID)
				h.stack.EnableNIC(nicID)
				h.stack.RemoveNIC(nicID)
			},
		} {
			t.Run(fmt.Sprintf("%s,GOMAXPROCS=%d", name, procs), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				for range max(3, rounds()/10) {
					removeBusy(t, remove)
				}
			})
		}
	}
}

// removeBusy makes a host, keeps it busy, and removes it.
func removeBusy(t *testing.T, remove func(*host)) {
	t.Helper()
	s, p := newPeered(t)
	clock := new(ethtest.ManualClock)
	h := newHost(t, s, 2, hostOptions{
		wrap: sniff, qdisc: newFIFO, endpoint: endpoint.Options{Clock: clock}, nic: stack.NICOptions{DeliverLinkPackets: true},
		stack: stack.Options{NetworkProtocols: multicastProtocols(endpoint.NewProtocol)},
	})
	group := tcpip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 200})
	frames := [][]byte{
		arpRequest(h.addr4().As4()), arpRequest([4]byte{10, 0, 0, 200}), groupFrame(group), groupFrame(tcpip.AddrFrom4([4]byte{239, 1, 2, 3})),
		frame(h, h.ep.Interface().HardwareAddr(), echoRequest, echo()),
	}
	absent := h.neighbor(99).addr(ipv4.ProtocolNumber, 7)
	over := make(chan struct{})
	var busy sync.WaitGroup
	again := func(f func()) {
		busy.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
					f()
					runtime.Gosched()
				}
			}
		})
	}
	again(func() { p.write(frames...) })
	again(func() { clock.Advance(time.Second) })
	again(func() {
		h.stack.JoinGroup(ipv6.ProtocolNumber, nicID, group)
		h.stack.LeaveGroup(ipv6.ProtocolNumber, nicID, group)
	})
	again(func() {
		// When the NIC is gone there is no route, and no socket.
		if c, err := gonet.DialUDP(h.stack, nil, &absent, ipv4.ProtocolNumber); err == nil {
			c.Write([]byte("anybody there?"))
			c.Close()
		}
	})
	eventually(t, "failures are reported", func() bool {
		st := h.ep.Interface().Stats()
		return st.Drops[ethstack.DropTxUnresolved] > 3 && st.RxARP > 3 && st.Drops[ethstack.DropNotJoined] > 3
	})
	within(t, "removing", 10*time.Second, func() { remove(h) })
	close(over)
	busy.Wait()
	h.destroy()
}
