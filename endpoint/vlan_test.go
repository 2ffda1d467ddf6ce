package endpoint_test

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

var (
	vlan5  = ethstack.VLAN{{ID: 5}}
	vlan6  = ethstack.VLAN{{ID: 6}}
	qinq56 = ethstack.VLAN{{EtherType: ethstack.EtherTypeServiceVLAN, ID: 5}, {ID: 6}}
	// vlans are those in these tests, untagged frames first.
	vlans = []ethstack.VLAN{{}, vlan5, vlan6, qinq56}
)

// A wireLog notes what is on the wire, by VLAN.
type wireLog struct {
	mu      sync.Mutex
	frames  map[string]int
	longest int // payload of a frame
	super   int // frames with a segment type
	tags    map[string]int
}

func (l *wireLog) capture(c ethtest.Capture) {
	h, _ := ethstack.ParseHeader(c.Frame, len(c.Frame))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.frames == nil {
		l.frames, l.tags = map[string]int{}, map[string]int{}
	}
	l.frames[h.VLAN.String()]++
	l.tags[fmt.Sprintf("%x", c.Frame[12:h.Len])]++
	if h.VLAN == (ethstack.VLAN{}) {
		return
	}
	l.longest = max(l.longest, h.PayloadLen)
	if c.Offload != (ethstack.Offload{}) {
		l.super++
	}
}

// newTrunkHosts makes a host on each VLAN of one port of a segment. They all have
// the same addresses.
func newTrunkHosts(t testing.TB, s *ethtest.Segment, n byte, po ethtest.PortOptions, more ...stack.NetworkProtocolFactory) []*host {
	t.Helper()
	po.HardwareAddr = ethstack.HardwareAddr{2, 0, 0, 0, 0, n}
	trunk := newLink(t, s, po, endpoint.Options{})
	hosts := []*host{hostOn(t, n, trunk, more...)}
	hosts[0].ep = trunk
	for k, v := range vlans[1:] {
		ep, err := trunk.VLAN(v, endpoint.Options{HardwareAddr: ethstack.HardwareAddr{2, 0, 0, 0, byte(k + 1), n}})
		if err != nil {
			t.Fatal(err)
		}
		h := hostOn(t, n, ep, more...)
		h.ep = ep
		hosts = append(hosts, h)
	}
	return hosts
}

// TestVLANs: endpoints of VLANs on one device have each its own hardware
// address, ARP and counters, and whatever is sent stays on its VLAN.
func TestVLANs(t *testing.T) {
	for _, offloads := range []ethstack.Offloads{0, allOffloads} {
		for _, more := range [][]stack.NetworkProtocolFactory{nil, companion} {
			t.Run(fmt.Sprintf("%v,companion=%v", offloads, more != nil), func(t *testing.T) {
				var wire wireLog
				s := newSegment(t, ethtest.SegmentOptions{Capture: wire.capture})
				po := ethtest.PortOptions{Offloads: offloads}
				as, bs := newTrunkHosts(t, s, 2, po, more...), newTrunkHosts(t, s, 3, po, more...)
				for k := range vlans {
					if got, want := as[k].ep.MTU(), []uint32{1500, 1500, 1500, 1492}[k]; got != want {
						t.Errorf("%v: MTU is %d, want %d", vlans[k], got, want)
					}
					for _, p := range protocols {
						as[k].mustPing(p.number, bs[k].addr(p.number, 0).Addr, 1472)
						bs[k].mustPing(p.number, as[k].addr(p.number, 0).Addr, 4000)
						stream(t, as[k], bs[k], p.number, size(2<<20, 1<<18))
					}
					hw, ok := as[k].ep.Interface().Lookup(bs[k].addr4().As4())
					if want := bs[k].ep.Interface().HardwareAddr(); !ok || hw != want {
						t.Errorf("%v: 10.0.0.3 is at %v, want %v", vlans[k], hw, want)
					}
				}
				checkTrunk(t, as, bs)
				checkWire(t, &wire)
			})
		}
	}
}

// checkTrunk checks that each endpoint has counted its own.
func checkTrunk(t *testing.T, as, bs []*host) {
	t.Helper()
	for k, v := range vlans {
		a, b := as[k].ep.Interface().Stats(), bs[k].ep.Interface().Stats()
		if a.RxFrames == 0 || a.TxFrames == 0 || b.ARPReplies+b.ARPRequests == 0 {
			t.Errorf("%v: nothing was counted: %+v", v, a)
		}
		for r, n := range a.Drops {
			if n != 0 {
				t.Errorf("%v: %d frames dropped: %v", v, n, ethstack.DropReason(r))
			}
		}
	}
}

// checkWire checks that all VLANs were seen, with a full payload in each frame
// and no super-frame.
func checkWire(t *testing.T, wire *wireLog) {
	t.Helper()
	wire.mu.Lock()
	defer wire.mu.Unlock()
	for _, v := range vlans {
		if wire.frames[v.String()] == 0 {
			t.Errorf("no frame on the wire is %v", v)
		}
	}
	for _, want := range []string{"0800", "810000050800", "8100000686dd", "88a80005810000060800"} {
		if wire.tags[want] == 0 {
			t.Errorf("no frame on the wire has %s behind its addresses", want)
		}
	}
	if wire.longest != 1500 || wire.super != 0 {
		t.Errorf("the longest tagged frame has a payload of %d, want 1500; %d are for the device to segment", wire.longest, wire.super)
	}
}

// TestVLANIsolation: what is on one VLAN, no other sees, whatever the tag is;
// and nobody answers on a VLAN that has no endpoint.
func TestVLANIsolation(t *testing.T) {
	s, p := newPeered(t)
	hosts := newTrunkHosts(t, s, 2, ethtest.PortOptions{})
	var before []ethstack.Stats
	for _, h := range hosts {
		before = append(before, h.ep.Interface().Stats())
	}
	tags := [][]byte{
		{},
		{0x81, 0, 0xe0, 5}, // with a priority
		{0x81, 0, 0, 6},
		{0x88, 0xa8, 0, 5, 0x81, 0, 0, 6},
		{0x81, 0, 0, 7}, // nobody's
		{0x88, 0xa8, 0, 5},
		{0x81, 0, 0, 5, 0x81, 0, 0, 6},
	}
	for _, tag := range tags {
		for range 1 + len(tag) {
			f := arpRequest([4]byte{10, 0, 0, 2})
			p.write(append(append(f[:12:12], tag...), f[12:]...))
		}
	}
	for k, h := range hosts {
		want := uint64(1 + len(tags[k]))
		eventually(t, "the requests are taken in", func() bool {
			return h.ep.Interface().Stats().RxARP-before[k].RxARP >= want
		})
	}
	eventually(t, "the others are dropped", func() bool {
		return hosts[0].ep.Interface().Stats().Drops[ethstack.DropVLAN] == 5+5+9
	})
	for k, h := range hosts {
		if n, want := h.ep.Interface().Stats().RxARP-before[k].RxARP, uint64(1+len(tags[k])); n != want {
			t.Errorf("%v: %d requests taken in, want %d", vlans[k], n, want)
		}
	}
}

// TestVLANErrors: what is no VLAN, or has its endpoint, is an error that says so.
func TestVLANErrors(t *testing.T) {
	s := newSegment(t, ethtest.SegmentOptions{})
	trunk := newLink(t, s, ethtest.PortOptions{}, endpoint.Options{})
	ep, err := trunk.VLAN(vlan5, endpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []ethstack.VLAN{{}, {{ID: 4095}}, {{ID: 5000}}, {{}, {ID: 1}}, {{EtherType: 0x800, ID: 1}}, vlan5} {
		if ep, err := trunk.VLAN(v, endpoint.Options{}); err == nil {
			t.Errorf("VLAN(%v): no error", v)
			ep.Close()
		}
	}
	ep.Close()
	again, err := trunk.VLAN(vlan5, endpoint.Options{})
	if err != nil {
		t.Errorf("the VLAN's endpoint was closed: %v", err)
	}
	again.Close()
	trunk.Close()
	if _, err := trunk.VLAN(vlan6, endpoint.Options{}); err == nil {
		t.Error("a VLAN of a device that is closed: no error")
	}
}

// TestVLANClose: the endpoints of a device may end in any order, with traffic on
// all. With the device's own all end; without it the others live on.
func TestVLANClose(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {0}, {2}} {
		for _, remove := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v,RemoveNIC=%v", order, remove), func(t *testing.T) {
				s, p := newPeered(t)
				hosts := newTrunkHosts(t, s, 2, ethtest.PortOptions{}, companion...)
				stop := floodVLANs(p, hosts[0])
				open := map[int]bool{0: true, 1: true, 2: true, 3: true}
				for _, k := range order {
					within(t, "closing", 10*time.Second, func() {
						if remove {
							hosts[k].stack.RemoveNIC(nicID)
						} else {
							hosts[k].ep.Close()
						}
					})
					delete(open, k)
					if k == 0 {
						clear(open)
					}
					for k := range open {
						was := hosts[k].ep.Interface().Stats().RxDelivered
						eventually(t, "the others go on", func() bool { return hosts[k].ep.Interface().Stats().RxDelivered > was })
					}
				}
				stop()
			})
		}
	}
}

// floodVLANs sends frames on all VLANs until stop is called.
func floodVLANs(p *peer, h *host) (stop func()) {
	over := make(chan struct{})
	var sending sync.WaitGroup
	var frames [][]byte
	for k := range vlans {
		hw := ethstack.HardwareAddr{2, 0, 0, 0, byte(k), h.n}
		f := frame(h, hw, header.IPv4Fields{Protocol: uint8(header.ICMPv4ProtocolNumber)}, echo())
		var tag []byte
		for _, x := range vlans[k] {
			if x.ID != 0 {
				tag = binary.BigEndian.AppendUint16(tag, max(0x8100, uint16(x.EtherType)))
				tag = binary.BigEndian.AppendUint16(tag, x.ID)
			}
		}
		frames = append(frames, append(append(f[:12:12], tag...), f[12:]...))
	}
	sending.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				p.write(frames...)
				time.Sleep(20 * time.Microsecond)
			}
		}
	})
	return func() {
		close(over)
		sending.Wait()
	}
}
