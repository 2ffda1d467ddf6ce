package bench

import (
	"bytes"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/ethlink/ethlink/ethstack"
)

// opsInTurn is how many operations are timed at a time.
const opsInTurn = 5000

var tableSizes = []int{100, 512, 10_000}

// BenchmarkNeighborHit finds the hardware addresses of known neighbors in turn:
// netstack on routes that it keeps, as connected sockets do, ours in the
// endpoint's table.
func BenchmarkNeighborHit(b *testing.B) {
	for _, size := range tableSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			t, o := newTheirs(b), newOurs(b)
			routes := make([]*stack.Route, size)
			for i := range routes {
				learn(b, t, o, i)
				routes[i] = route(b, t.stack, i)
			}
			misses := 0
			inTurn(b, opsInTurn, func(n int) {
				for i := range n {
					if routes[i%size].ResolvedFields(nil) != nil {
						misses++
					}
				}
			}, func(n int) {
				for i := range n {
					if _, ok := o.endpoint.Interface().Lookup(neighborAt(i % size)); !ok {
						misses++
					}
				}
			})
			for _, r := range routes {
				r.Release()
			}
			if misses > 0 {
				b.Errorf("%d neighbors were not known", misses)
			}
		})
	}
}

// BenchmarkHotNeighbor finds the same neighbor over and over, among many, from
// one goroutine and from one for each CPU.
func BenchmarkHotNeighbor(b *testing.B) {
	for _, size := range []int{100, 10_000, 1_000_000} {
		t, o := newTheirs(b), newOurs(b)
		for i := range size {
			learn(b, t, o, i)
		}
		r := route(b, t.stack, size/2)
		for _, cpus := range []int{1, runtime.GOMAXPROCS(0)} {
			b.Run(fmt.Sprintf("%d/cpus=%d", size, cpus), func(b *testing.B) {
				var misses atomic.Int64
				onAll := func(found func() bool) func(int) {
					return func(n int) {
						var wg sync.WaitGroup
						for range cpus {
							wg.Go(func() {
								for range n / cpus {
									if !found() {
										misses.Add(1)
									}
								}
							})
						}
						wg.Wait()
					}
				}
				hot := neighborAt(size / 2)
				inTurn(b, 20*opsInTurn,
					onAll(func() bool { return r.ResolvedFields(nil) == nil }),
					onAll(func() bool { _, ok := o.endpoint.Interface().Lookup(hot); return ok }))
				if n := misses.Load(); n > 0 {
					b.Errorf("it was not known %d times", n)
				}
			})
		}
		r.Release()
	}
}

// BenchmarkRouteAndNeighbor looks for a route first, as sockets do that are not
// connected.
func BenchmarkRouteAndNeighbor(b *testing.B) {
	for _, size := range tableSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			t, o := newTheirs(b), newOurs(b)
			for i := range size {
				learn(b, t, o, i)
			}
			misses := 0
			inTurn(b, opsInTurn, func(n int) {
				for i := range n {
					r := route(b, t.stack, i%size)
					if r.ResolvedFields(nil) != nil {
						misses++
					}
					r.Release()
				}
			}, func(n int) {
				for i := range n {
					r := route(b, o.stack, i%size)
					if _, ok := o.endpoint.Interface().Lookup(r.RemoteAddress().As4()); !ok {
						misses++
					}
					r.Release()
				}
			})
			if misses > 0 {
				b.Errorf("%d neighbors were not known", misses)
			}
		})
	}
}

// learn makes neighbor i known to both.
func learn(b *testing.B, t *theirs, o *ours, i int) {
	b.Helper()
	a := neighborAt(i)
	hw := ethstack.HardwareAddr{2, 0, a[0], a[1], a[2], a[3]}
	if err := t.stack.AddStaticNeighbor(nicID, ipv4.ProtocolNumber, tcpip.AddrFrom4(a), tcpip.LinkAddress(hw[:])); err != nil {
		b.Fatal(err)
	}
	if err := o.endpoint.Interface().AddStaticNeighbor(netip.AddrFrom4(a), hw); err != nil {
		b.Fatal(err)
	}
}

func route(b *testing.B, s *stack.Stack, i int) *stack.Route {
	r, err := s.FindRoute(nicID, tcpip.Address{}, tcpip.AddrFrom4(neighborAt(i)), ipv4.ProtocolNumber, false)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkARPRequests has ARP requests answered that come from many neighbors
// in turn.
func BenchmarkARPRequests(b *testing.B) {
	for _, from := range []int{1, 500, 10_000} {
		b.Run(fmt.Sprint(from), func(b *testing.B) {
			t, o := newTheirs(b), newOurs(b)
			next, sent := 0, 0
			inTurn(b, opsInTurn, func(n int) {
				sent += n
				for range n {
					next++
					f := arpFrame(1, neighborAt(next%from), [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
					t.inject(f[:])
				}
			}, func(n int) { o.requests(n, from) })
			b.ReportMetric(100*float64(t.n.answered.Load())/float64(sent), "%-gVisor-answered")
			b.ReportMetric(100*float64(o.n.answered.Load())/float64(sent), "%-ours-answered")
		})
	}
}

// BenchmarkNextHops sends datagrams to many neighbors in turn, which have to be
// found, and answer at once. What counts is what is delivered, once each
// neighbor has been sent to.
func BenchmarkNextHops(b *testing.B) {
	for _, hops := range []int{1, 512, 1000, maxHops} {
		b.Run(fmt.Sprint(hops), func(b *testing.B) {
			t, o := newTheirs(b), newOurs(b)
			a, c := newSender(b, t.stack, hops), newSender(b, o.stack, hops)
			a.send(hops)
			c.send(hops)
			t.n.settle()
			o.n.settle()
			first, second := t.n.delivered.Load(), o.n.delivered.Load()
			took := inTurn(b, opsInTurn, a.send, c.send)
			theirs, ours := float64(t.n.delivered.Load()-first), float64(o.n.delivered.Load()-second)
			sent := float64(a.sent - hops)
			b.ReportMetric(100*theirs/sent, "%-gVisor-delivered")
			b.ReportMetric(100*ours/sent, "%-ours-delivered")
			b.ReportMetric((ours/took[1].Seconds())/(theirs/took[0].Seconds()), "x-gVisor-delivered")
		})
	}
}

// A sender is a UDP socket that is not connected.
type sender struct {
	ep         tcpip.Endpoint
	hops, sent int
	payload    [64]byte
	reader     bytes.Reader
}

func newSender(b *testing.B, s *stack.Stack, hops int) *sender {
	var wq waiter.Queue
	ep, err := s.NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, &wq)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(ep.Close)
	return &sender{ep: ep, hops: hops}
}

func (s *sender) send(n int) {
	for range n {
		s.reader.Reset(s.payload[:])
		to := tcpip.FullAddress{Addr: tcpip.AddrFrom4(neighborAt(s.sent % s.hops)), Port: 9}
		s.ep.Write(&s.reader, tcpip.WriteOptions{To: &to})
		s.sent++
	}
}
