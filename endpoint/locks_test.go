package endpoint_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// TestLocks: netstack writes packets with its locks held, and they must not be
// asked for: while it joins groups, connects, enables and removes, over a device
// whose far end gets a frame inside Write, too.
func TestLocks(t *testing.T) {
	for _, device := range []string{"segment", "pipe"} {
		for _, queued := range []bool{false, true} {
			for _, more := range [][]stack.NetworkProtocolFactory{nil, companion} {
				t.Run(fmt.Sprintf("%s,fifo=%v,companion=%v", device, queued, more != nil), func(t *testing.T) {
					a, b := lockHosts(t, device, queued, more)
					within(t, "joining, connecting, disabling", 20*time.Second, func() { useLocks(t, a, b) })
					within(t, "removing", 10*time.Second, func() {
						var both sync.WaitGroup
						both.Go(func() { a.stack.RemoveNIC(nicID) })
						both.Go(func() { b.stack.Destroy() })
						both.Wait()
					})
				})
			}
		}
	}
}

// lockHosts makes two hosts on one device each.
func lockHosts(t *testing.T, device string, queued bool, more []stack.NetworkProtocolFactory) (a, b *host) {
	t.Helper()
	var s *ethtest.Segment
	hosts := [2]hostOptions{}
	if device == "segment" {
		s = newSegment(t, ethtest.SegmentOptions{})
	} else {
		nstest.CheckLeaks(t)
		x, y := pipe.New("\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x03", frameMTU)
		for k, child := range []stack.LinkEndpoint{x, y} {
			d, err := endpoint.FromLink(child)
			if err != nil {
				t.Fatal(err)
			}
			hosts[k].device = d
		}
	}
	for k := range hosts {
		hosts[k].stack.NetworkProtocols = multicastProtocols(more...)
		if queued {
			hosts[k].qdisc = newFIFO
		}
	}
	return newHost(t, s, 2, hosts[0]), newHost(t, s, 3, hosts[1])
}

// useLocks does at once, from both sides, what takes netstack's locks.
func useLocks(t *testing.T, a, b *host) {
	var all sync.WaitGroup
	for _, dir := range [][2]*host{{a, b}, {b, a}} {
		from, to := dir[0], dir[1]
		l := to.listen(ipv4.ProtocolNumber, 80)
		defer l.Close()
		all.Go(func() {
			for k := range byte(10) {
				if err := from.joinAndLeave(k); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 10 {
				if c, err := from.dial(ipv4.ProtocolNumber, to.addr(ipv4.ProtocolNumber, 80)); err != nil {
					t.Error(err)
				} else {
					c.Close()
				}
				if err := from.ping(ipv4.ProtocolNumber, to.addr4(), 10); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, h := range []*host{a, b} {
		h.ep.Interface().FlushNeighbors()
		for range 5 {
			h.stack.DisableNIC(nicID)
			h.stack.EnableNIC(nicID)
		}
	}
	if err := a.ping(ipv4.ProtocolNumber, b.addr4(), 10); err != nil {
		t.Error(err)
	}
}

// joinAndLeave joins a group of each protocol and leaves it.
func (h *host) joinAndLeave(k byte) error {
	for proto, group := range map[tcpip.NetworkProtocolNumber]tcpip.Address{
		ipv4.ProtocolNumber: tcpip.AddrFrom4([4]byte{239, 1, 2, k}),
		ipv6.ProtocolNumber: tcpip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: k + 100}),
	} {
		if err := h.stack.JoinGroup(proto, nicID, group); err != nil {
			return errors.New(err.String())
		}
		if err := h.stack.LeaveGroup(proto, nicID, group); err != nil {
			return errors.New(err.String())
		}
	}
	return nil
}
