package conformance

import (
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// The life of an endpoint: in what order its methods may be called, and what
// none of them may wait for.
var lifecycle = []check{
	{
		requirement: "C20", clause: "LinkEndpoint, Attach", name: "attach_and_detach", level: Must, bare: true,
		asks: "Attach(nil) ends delivery, and IsAttached says so.",
		test: func(t *trial) {
			if t.Endpoint.IsAttached() {
				t.errorf("IsAttached is true before the first Attach")
			}
			d := t.attach()
			if !t.Endpoint.IsAttached() {
				t.errorf("IsAttached is false after Attach")
			}
			t.put(t.anyPacket())
			t.wantDelivery(d)
			t.Endpoint.Attach(nil)
			if t.Endpoint.IsAttached() {
				t.errorf("IsAttached is true after Attach(nil)")
			}
			t.put(t.anyPacket())
			if p, ok := d.next(10 * grace); ok {
				t.errorf("a packet was delivered after Attach(nil): % x", p.payload)
			}
		},
	}, {
		requirement: "C20", clause: "LinkEndpoint, Attach", name: "attached_to_another", level: Must, bare: true,
		asks: "Attach with another dispatcher, with no nil in between, moves delivery there: adding a NIC to a bridge does so.",
		test: func(t *trial) {
			t.attach()
			second := t.attach()
			t.put(t.anyPacket())
			t.wantDelivery(second)
		},
	}, {
		requirement: "C20", clause: "LinkEndpoint, Attach", name: "attached_again", level: Must, bare: true,
		asks: "An endpoint can be attached again after Attach(nil): moving a NIC to another stack does so.",
		test: func(t *trial) {
			d := t.attach()
			t.put(t.anyPacket())
			t.wantDelivery(d)
			if !t.within("Attach(nil)", func() { t.Endpoint.Attach(nil) }) {
				return
			}
			d = t.attach()
			t.put(t.anyPacket())
			t.wantDelivery(d)
		},
	}, {
		requirement: "C21", clause: "LinkEndpoint, Wait", name: "waits_for_no_delivery", level: Must, bare: true,
		asks: "Attach(nil) and Wait, which netstack calls with its lock held, do not wait for a delivery, which may want that lock.",
		test: func(t *trial) {
			d := &dispatcher{entered: make(chan struct{}), leave: make(chan struct{})}
			t.Endpoint.Attach(d)
			go t.Wire.Send(t.anyPacket()) // some wires deliver by themselves
			select {
			case <-d.entered:
			case <-time.After(t.patience):
				t.fatalf("no packet was delivered within %v", t.patience)
			}
			if t.within("Attach(nil) during a delivery", func() { t.Endpoint.Attach(nil) }) {
				t.within("Wait during a delivery", t.Endpoint.Wait)
			}
			close(d.leave)
		},
	}, {
		requirement: "C22", clause: "LinkEndpoint, Close", name: "close_twice", level: Must, bare: true,
		asks: "Close returns, however often and by however many it is called.",
		test: func(t *trial) {
			t.attach()
			t.within("Close by three at once, and again", func() {
				var closing sync.WaitGroup
				for range 3 {
					closing.Go(t.Endpoint.Close)
				}
				closing.Wait()
				t.Endpoint.Close()
			})
		},
	}, {
		requirement: "C23", clause: "LinkEndpoint, SetOnCloseAction", name: "on_close_action", level: Must,
		asks: "Closing the endpoint first removes the NIC that it has, once, by the action that netstack set.",
		test: func(t *trial) {
			if t.within("Close", t.Endpoint.Close) && t.stack.HasNIC(nicID) {
				t.errorf("after Close of the endpoint, the stack still has its NIC")
			}
		},
	}, {
		requirement: "C24", clause: "LinkEndpoint, WritePackets", name: "write_after_close", level: Must, bare: true,
		asks: "WritePackets after Close returns, with no error but the four that netstack knows.",
		test: func(t *trial) {
			t.attach()
			t.Endpoint.Attach(nil)
			t.Endpoint.Close()
			t.within("WritePackets after Close", func() {
				pkt := t.packet(data(40), typeIPv4, alice.hw, t.own)
				defer pkt.DecRef()
				pkt.NetworkPacketInfo.IsForwardedPacket = true
				t.Endpoint.AddHeader(pkt)
				t.forwarded("a packet after Close", pkt)
			})
		},
	}, {
		requirement: "C25", clause: "Stack, RemoveNIC", name: "removed_under_traffic", level: Must,
		asks: "Removing a NIC returns while packets come in.",
		test: func(t *trial) {
			stop := t.flood()
			t.within("RemoveNIC while packets come in", func() { t.stack.RemoveNIC(nicID) })
			stop()
		},
	}, {
		requirement: "C25", clause: "Stack, Destroy", name: "destroyed_under_traffic", level: Must,
		asks: "Destroying a stack returns while packets come in.",
		test: func(t *trial) {
			stop := t.flood()
			t.within("Destroy while packets come in", func() { t.stack.Destroy() })
			stop()
		},
	}, {
		requirement: "C25", clause: "Stack, RemoveNIC", name: "removed_with_waiting_packets", level: Must,
		asks: "Removing a NIC returns while packets wait for their next hop, and nothing of it is sent afterwards.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			for range 20 {
				s.send(t.stranger().ipv4, t.token())
			}
			t.noError("Write", s.send(alice.ipv4, t.token()))
			t.want("a request", isRequestFor(alice.ipv4))
			if !t.within("RemoveNIC", func() { t.stack.RemoveNIC(nicID) }) {
				return
			}
			t.forget()
			t.Wire.Send(reply(alice, t.own)) // an error is a wire that is gone
			t.elapse(3 * time.Second)
			t.listenFor(10 * grace)
			if len(t.seen) > 0 {
				t.errorf("after RemoveNIC this was sent: %v", t.seen)
			}
		},
	}, {
		requirement: "C20", clause: "Stack, SetNICStack", name: "moved_to_another_stack", level: Must,
		asks: "A NIC that is moved to another stack answers there for the addresses that it has there.",
		test: func(t *trial) {
			first := t.stack
			defer first.Destroy()
			t.stack = stack.New(t.stackOptions())
			id, err := first.SetNICStack(nicID, t.stack)
			t.noError("SetNICStack", err)
			if id != nicID {
				t.fatalf("the NIC has become number %d, want %d", id, nicID)
			}
			t.configure()
			t.introduce(alice)
			d := t.token()
			t.put(t.frameFrom(alice, familyIPv4, echo4(alice.ipv4, ownIPv4, d)))
			t.once("an answer", isEchoReply(d))
		},
	}, {
		requirement: "C22", clause: "LinkEndpoint, Close", name: "silent_after_close", level: Must, bare: true,
		asks: "After Close nothing is delivered, answered or sent.",
		test: func(t *trial) {
			d := t.attach()
			t.put(t.anyPacket())
			t.wantDelivery(d)
			t.Endpoint.Attach(nil)
			t.Endpoint.Close()
			t.forget()
			for range 3 {
				t.Wire.Send(t.anyPacket()) // an error is a wire that is gone
				t.Wire.Send(request(alice, t.own, ownIPv4))
			}
			if p, ok := d.next(10 * grace); ok {
				t.errorf("after Close this was delivered: % x", p.payload)
			}
			if t.forget(); len(t.seen) > 0 {
				t.errorf("after Close this was sent: %v", t.seen)
			}
		},
	}, {
		requirement: "C14", clause: "LinkEndpoint, WritePackets", name: "written_by_many", level: Must, bare: true,
		asks: "Packets that several goroutines write at once leave whole, and those of each in order.",
		test: func(t *trial) {
			t.attach()
			const writers, packets = 4, 50
			var writing sync.WaitGroup
			for w := range byte(writers) {
				writing.Go(func() {
					for k := range packets {
						pkt := t.packet(append([]byte{w}, data(50+k)...), typeExperiment, alice.hw, t.own)
						t.Endpoint.AddHeader(pkt)
						var list stack.PacketBufferList
						list.PushBack(pkt)
						t.Endpoint.WritePackets(list) // an error is a wire that is full
						list.DecRef()
					}
				})
			}
			t.within("WritePackets of several goroutines", writing.Wait)
			t.listenFor(10 * grace)
			var last [writers]int
			for f := t.take(isExperiment); f != nil; f = t.take(isExperiment) {
				w, size := f.payload()[0], len(f.payload())-1
				if w >= writers || size <= last[w] || size >= 50+packets {
					t.fatalf("writer %d: a packet of %d bytes after one of %d", w, size, last[w])
				}
				t.equal("a packet", f.payload()[1:], data(size))
				last[w] = size
			}
			if last == [writers]int{} {
				t.errorf("nothing was sent")
			}
		},
	},
}

func isExperiment(f frame) bool { return f.typ() == typeExperiment }

// attach attaches a dispatcher that collects packets.
func (t *trial) attach() *dispatcher {
	d := &dispatcher{packets: make(chan delivered, 16)}
	t.Endpoint.Attach(d)
	return d
}

// next returns the next packet that is delivered in time.
func (d *dispatcher) next(timeout time.Duration) (delivered, bool) {
	select {
	case p := <-d.packets:
		return p, true
	case <-time.After(timeout):
		return delivered{}, false
	}
}

func (t *trial) wantDelivery(d *dispatcher) delivered {
	p, ok := d.next(t.patience)
	if !ok {
		t.fatalf("no packet was delivered within %v", t.patience)
	}
	return p
}

// anyPacket is a frame with a datagram for us.
func (t *trial) anyPacket() frame {
	return ether(t.own, alice.hw, typeIPv4, udp4(alice.ipv4, ownIPv4, openPort, data(30)))
}

// flood sends datagrams to closed ports, which are answered, until stop is
// called. It returns when they are being delivered.
func (t *trial) flood() (stop func()) {
	t.introduce(alice)
	f := ether(t.own, alice.hw, typeIPv4, udp4(alice.ipv4, ownIPv4, closedPort, data(30)))
	var over atomic.Bool
	var sending sync.WaitGroup
	sending.Go(func() {
		for !over.Load() {
			t.Wire.Send(f) // an error is a wire that is full, or gone
		}
	})
	received := t.stack.Stats().UDP.UnknownPortErrors.Value
	for deadline := time.Now().Add(t.patience); received() < 10; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			over.Store(true)
			t.fatalf("no packets are received")
		}
	}
	return func() {
		over.Store(true)
		sending.Wait()
	}
}

var _ stack.NetworkDispatcher = (*dispatcher)(nil)
