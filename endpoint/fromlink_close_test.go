package endpoint_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/link/veth"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// TestFromLinkClosedChild: when somebody else closes a child, its device is
// gone.
func TestFromLinkClosedChild(t *testing.T) {
	nstest.CheckLeaks(t)
	x, y := veth.NewPair(frameMTU, 10)
	d := fromLink(t, x)
	states := make(chan ethstack.LinkState, 4)
	d.Notify(func(s ethstack.LinkState) { states <- s })
	y.Close() // both ends of a veth are one
	for _, want := range []ethstack.LinkState{ethstack.LinkUp, ethstack.LinkGone} {
		select {
		case got := <-states:
			if got != want {
				t.Errorf("told %v, want %v", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("not told %v", want)
		}
	}
	if n, err := d.Read(0, []ethstack.Frame{{Bufs: [][]byte{make([]byte, 2000)}}}); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Read: %d, %v", n, err)
	}
	if n, err := d.Write(0, []ethstack.Frame{{Bufs: [][]byte{make([]byte, 60)}}}); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("Write: %d, %v", n, err)
	}
}

// TestFromLinkCloseUnderTraffic: whoever closes first, all goroutines end and
// every packet is given back.
func TestFromLinkCloseUnderTraffic(t *testing.T) {
	for name, end := range map[string]func(a, b *host, x, y *endpoint.LinkDevice){
		"device":    func(_, _ *host, x, _ *endpoint.LinkDevice) { x.Close() },
		"peer":      func(_, _ *host, _, y *endpoint.LinkDevice) { y.Close() },
		"RemoveNIC": func(a, _ *host, _, _ *endpoint.LinkDevice) { a.stack.RemoveNIC(nicID) },
		"Destroy":   func(_, b *host, _, _ *endpoint.LinkDevice) { b.stack.Destroy() },
		"both": func(a, b *host, x, y *endpoint.LinkDevice) {
			var all sync.WaitGroup
			all.Go(func() { x.Close() })
			all.Go(func() { y.Close() })
			all.Go(func() { a.stack.RemoveNIC(nicID) })
			all.Go(func() { b.ep.Close() })
			all.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			nstest.CheckLeaks(t)
			v, w := veth.NewPair(frameMTU, veth.DefaultBacklogSize)
			x, y := fromLink(t, v), fromLink(t, w)
			var hosts [2]*host
			for i, d := range []*endpoint.LinkDevice{x, y} {
				ep, err := endpoint.New(d, endpoint.Options{})
				if err != nil {
					t.Fatal(err)
				}
				hosts[i] = hostOn(t, byte(2+i), ep)
				hosts[i].ep = ep
			}
			a, b := hosts[0], hosts[1]
			l := b.listen(ipv4.ProtocolNumber, 80)
			c, err := a.dial(ipv4.ProtocolNumber, b.addr(ipv4.ProtocolNumber, 80))
			if err != nil {
				t.Fatal(err)
			}
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			var bulk sync.WaitGroup
			bulk.Go(func() {
				for block := make([]byte, 1<<16); ; {
					if _, err := c.Write(block); err != nil {
						return
					}
				}
			})
			got := make([]byte, 1<<20)
			for n := 0; n < len(got); {
				k, err := s.Read(got)
				if err != nil {
					t.Fatal(err)
				}
				n += k
			}
			within(t, name, patience, func() { end(a, b, x, y) })
			c.Close()
			s.Close()
			within(t, "the writer's end", patience, bulk.Wait)
		})
	}
}
