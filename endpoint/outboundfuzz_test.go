package endpoint

import (
	"bytes"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
	"github.com/ethlink/ethlink/internal/frameio"
)

// A script is what a fuzzer's bytes say to do; behind its end there are zeros.
type script []byte

func (s *script) byte() (b byte) {
	if len(*s) > 0 {
		b, *s = (*s)[0], (*s)[1:]
	}
	return b
}

func (s *script) uint16() uint16 { return uint16(s.byte())<<8 | uint16(s.byte()) }

func (s *script) bytes(n int) []byte {
	b := make([]byte, n)
	*s = (*s)[copy(b, *s):]
	return b
}

// A shaky device keeps Device's contract, and has no room for some frames.
type shaky struct {
	*tape
	t     *testing.T
	every byte // of so many frames it refuses one; 0: none
	seen  byte
	taken int
}

func (d *shaky) Write(_ int, frames []ethstack.Frame) (n int, first error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k := range frames {
		f := &frames[k]
		f.Err = d.write(f)
		switch {
		case f.Err == nil:
			n++
		case first == nil:
			first = f.Err
		}
	}
	d.taken += n
	return n, first
}

func (d *shaky) write(f *ethstack.Frame) error {
	if !d.info.Offloads.Has(f.Offload.Needs()) {
		d.t.Errorf("a frame with %+v was written to a device with %v", f.Offload, d.info.Offloads)
	}
	if d.every != 0 {
		if d.seen++; d.seen%d.every == 0 {
			return ethstack.ErrNoBufferSpace
		}
	}
	limit := frameio.Limit(f, d.info.MTU, d.info.Offloads)
	if f.WireLen() > limit {
		return ethstack.ErrMessageTooLong
	}
	return nil
}

// Options of a fuzzed endpoint, as bits.
const (
	inVLAN = 1 << iota
	withQueue
	severalQueues
)

// fuzzedEndpoint makes an endpoint, for untagged frames or a VLAN's, with a
// neighbor at 10.0.0.5. Its clock stands still: so no ARP is sent.
func fuzzedEndpoint(t *testing.T, s *script) (e *Endpoint, d *shaky, bits byte) {
	bits = s.byte()
	d = &shaky{tape: newTape(ethstack.Offloads(s.byte())), t: t, every: s.byte()}
	d.info.MTU = 68 + 8*int(s.byte())
	d.info.MaxFrame = d.info.MTU + ethstack.HeaderLen + int(s.uint16())
	if bits&severalQueues != 0 {
		d.queues = 3
	}
	o := Options{Clock: new(ethtest.ManualClock)}
	if bits&withQueue != 0 {
		o.Queue = Queue{Len: 3}
	}
	e, err := New(d, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	if bits&inVLAN != 0 {
		if e, err = e.VLAN(ethstack.VLAN{{ID: 5}}, o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
	}
	learn(t, e, "10.0.0.5", hwB)
	return e, d, bits
}

// address returns none, an IPv4 address (a neighbor's, its network's, any), or
// an IPv6 address.
func (s *script) address() tcpip.Address {
	switch s.byte() % 6 {
	case 0:
		return tcpip.Address{}
	case 1:
		return tcpip.AddrFrom4([4]byte{10, 0, 0, 5})
	case 2:
		return tcpip.AddrFrom4([4]byte{10, 0, 0, s.byte()})
	case 3:
		return tcpip.AddrFrom16([16]byte(s.bytes(16)))
	}
	return tcpip.AddrFrom4([4]byte(s.bytes(4)))
}

// route makes a route that may contradict itself.
func (s *script) route(r *stack.RouteInfo) {
	r.NetProto = tcpip.NetworkProtocolNumber(s.uint16())
	r.RemoteAddress, r.LocalAddress, r.NextHop = s.address(), s.address(), s.address()
	r.Loop = stack.PacketLooping(s.byte())
	if n := s.byte(); n < 10 {
		r.RemoteLinkAddress = tcpip.LinkAddress(s.bytes(int(n)))
	}
	if n := s.byte(); n < 10 {
		r.LocalLinkAddress = tcpip.LinkAddress(s.bytes(int(n)))
	}
}

// gso makes metadata that may have nothing to do with the packet.
func (s *script) gso() stack.GSO {
	return stack.GSO{
		Type: stack.GSOType(s.byte() % 5), NeedsCsum: s.byte()&1 != 0, CsumOffset: s.uint16(), MSS: s.uint16(), L3HdrLen: s.uint16(),
	}
}

// odd makes a packet of pieces that may be empty, contradict each other, and
// have no headers where there should be some.
func (s *script) odd(e *Endpoint) *stack.PacketBuffer {
	var payload buffer.Buffer
	for range s.byte() % 5 {
		n := int(s.byte())
		if n >= 250 {
			n *= 40
		}
		payload.Append(buffer.NewViewWithData(s.bytes(n)))
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{ReserveHeaderBytes: 14 + 40 + 20, Payload: payload})
	s.route(&pkt.EgressRoute)
	pkt.NetworkProtocolNumber = []tcpip.NetworkProtocolNumber{
		header.IPv4ProtocolNumber, header.IPv6ProtocolNumber, header.ARPProtocolNumber, 0x1234,
	}[s.byte()%4]
	pkt.Hash = uint32(s.byte())
	pkt.NetworkPacketInfo.IsForwardedPacket = s.byte()&1 != 0
	if s.byte()&1 != 0 {
		pkt.GSOOptions = s.gso()
	}
	switch s.byte() % 4 {
	case 0: // as a raw packet socket does
		e.ParseHeader(pkt)
	case 1: // no header at all
	default:
		copy(pkt.TransportHeader().Push(int(s.byte()%21)), s.bytes(20))
		copy(pkt.NetworkHeader().Push(int(s.byte()%41)), s.bytes(40))
		e.AddHeader(pkt)
	}
	return pkt
}

// FuzzWritePackets sends odd packets. Whatever they are, each is written, or
// dropped and counted, or waits for its next hop; none is changed; and every
// reference is given back.
func FuzzWritePackets(f *testing.F) {
	for _, s := range outboundSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := script(b)
		e, d, bits := fuzzedEndpoint(t, &s)
		var pkts stack.PacketBufferList
		var before [][]byte
		plain := true
		for range 1 + s.byte()%8 {
			pkt := s.odd(e)
			pkts.PushBack(pkt)
			before = append(before, content(pkt))
			plain = plain && pkt.GSOOptions.Type == stack.GSONone
		}
		n, err := e.WritePackets(pkts)
		if n < 0 || n > pkts.Len() || n == pkts.Len() && err != nil {
			t.Errorf("WritePackets: %d of %d, %v", n, pkts.Len(), err)
		}
		for k, pkt := range pkts.AsSlice() {
			if !bytes.Equal(content(pkt), before[k]) {
				t.Errorf("packet %d was changed", k)
			}
		}
		e.Close() // drops what waits
		st := e.i.Stats()
		merges := d.info.Offloads.Has(ethstack.OffloadUDP|ethstack.OffloadChecksum) && bits&inVLAN == 0
		switch total := int(st.TxFrames + st.TxDropped()); {
		case merges && total > pkts.Len(), !merges && total != pkts.Len():
			t.Errorf("%d packets: %d frames written and %d dropped, %v", pkts.Len(), st.TxFrames, st.TxDropped(), st.Drops)
		case !merges && bits&withQueue == 0 && n != int(st.TxFrames):
			t.Errorf("WritePackets said %d, but %d frames were written", n, st.TxFrames)
		case merges && st.TxDropped() == 0 && n != pkts.Len():
			t.Errorf("WritePackets said %d of %d, but nothing was dropped", n, pkts.Len())
		case plain && d.taken != int(st.TxFrames):
			t.Errorf("%d frames counted, the device took %d", st.TxFrames, d.taken)
		}
		for k, pkt := range pkts.AsSlice() {
			if refs := pkt.ReadRefs(); refs != 1 {
				t.Errorf("packet %d has %d references, want the sender's", k, refs)
			}
		}
		pkts.DecRef()
		if !leakFree() {
			t.Error("a reference was not given back")
		}
	})
}
