package endpoint

import (
	"bytes"
	"fmt"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

var (
	hwA   = ethstack.HardwareAddr{2, 0, 0, 0, 0, 1} // the tape's
	hwB   = ethstack.HardwareAddr{2, 0, 0, 0, 0, 2}
	addrA = tcpip.AddrFrom4([4]byte{10, 0, 0, 1})
	addrB = tcpip.AddrFrom4([4]byte{10, 0, 0, 2})
)

// tcpFrame returns a frame from B to A with so many bytes of TCP payload. With
// partial the checksum is the pseudo-header's.
func tcpFrame(size int, partial bool) []byte {
	const ipAt, tcpAt = ethstack.HeaderLen, ethstack.HeaderLen + header.IPv4MinimumSize
	b := make([]byte, tcpAt+header.TCPMinimumSize+size)
	for k := range size {
		b[tcpAt+header.TCPMinimumSize+k] = byte(k * 7)
	}
	ethstack.Header{Destination: hwA, Source: hwB, EtherType: ethstack.EtherTypeIPv4}.Put((*[ethstack.HeaderLen]byte)(b))
	ip := header.IPv4(b[ipAt:])
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(b) - ipAt), TTL: 64, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: addrB, DstAddr: addrA,
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	t := header.TCP(b[tcpAt:])
	t.Encode(&header.TCPFields{SrcPort: 1, DstPort: 2, SeqNum: 3, AckNum: 4, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagAck, WindowSize: 100})
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, addrB, addrA, uint16(len(t)))
	if !partial {
		sum = ^checksum.Checksum(t, sum)
	}
	t.SetChecksum(sum)
	return b
}

// partialTCP is the metadata of a frame whose checksum is to be completed.
var partialTCP = ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: 34, ChecksumOffset: 16}

// superTCP is that of a super-frame.
func superTCP(mss uint16) ethstack.Offload {
	o := partialTCP
	o.Segment, o.SegmentSize, o.HeaderLen = ethstack.SegmentTCPv4, mss, 54
	return o
}

// A queue does what a link does for a receiver.
type queue struct {
	r     *receiver
	frame ethstack.Frame
	batch bool // frames are of one batch until the receiver's Flush
}

func (q *queue) input(b []byte, h ethstack.Header, o ethstack.Offload) ethstack.DropReason {
	f := &q.frame
	if len(f.Bufs) == 0 {
		q.r.Prepare(f)
	}
	n := copy(f.Bufs[0], b)
	copy(f.Bufs[1], b[n:])
	f.Len, f.Offload = len(b), o
	why := q.r.Deliver(q.r.trunk.main.i, f, h)
	if !q.batch {
		q.r.Flush()
	}
	return why
}

func (q *queue) inputFrame(b []byte, o ethstack.Offload) ethstack.DropReason {
	h, _ := ethstack.ParseHeader(b, len(b))
	return q.input(b, h, o)
}

func newQueue(t testing.TB, e *Endpoint, d stack.NetworkDispatcher) *queue {
	t.Helper()
	e.Attach(d)
	q := &queue{r: &receiver{trunk: e.trunk}}
	t.Cleanup(func() { q.r.Release(&q.frame) })
	return q
}

func content(pkt *stack.PacketBuffer) []byte {
	v := pkt.ToView()
	defer v.Release()
	return v.ToSlice()
}

// TestReceiveMemory: what is delivered is what came, in memory that is not much
// larger, and headers are in a view of their own.
func TestReceiveMemory(t *testing.T) {
	e := newTest(t, newTape(0))
	for _, size := range []int{54, 60, headSize - 1, headSize, headSize + 1, 1514, 9014, headSize + copyMax, headSize + copyMax + 1, 65549} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			sent := tcpFrame(size-54, false)
			d := &dispatcher{e: e, deliver: func(pkt *stack.PacketBuffer, verified bool) {
				if !bytes.Equal(content(pkt), sent) {
					t.Error("not what was sent")
				}
				if n := len(pkt.LinkHeader().Slice()); n != ethstack.HeaderLen {
					t.Errorf("the link header has %d bytes", n)
				}
				if pkt.NetworkProtocolNumber != header.IPv4ProtocolNumber || pkt.PktType != tcpip.PacketHost || !verified {
					t.Errorf("protocol %d, type %d, verified %v", pkt.NetworkProtocolNumber, pkt.PktType, verified)
				}
				views, _ := pkt.AsViewList()
				memory, first := 0, views.Front()
				for v := first; v != nil; v = v.Next() {
					memory += v.Capacity()
				}
				if first.Size() != min(size, headSize) || first.Capacity() != headSize {
					t.Errorf("the first view has %d bytes in %d", first.Size(), first.Capacity())
				}
				if memory > headSize+4*size {
					t.Errorf("%d bytes take %d of memory", size, memory)
				}
			}}
			q := newQueue(t, e, d)
			for range 3 {
				if why := q.inputFrame(sent, ethstack.Offload{}); why != ethstack.DropNone {
					t.Fatalf("dropped: %v", why)
				}
			}
			if d.delivered != 3 || len(q.r.slots) != 1 {
				t.Errorf("%d delivered from %d slots, want 3 from 1", d.delivered, len(q.r.slots))
			}
		})
	}
}

// TestReceiveDropsKeepMemory: a frame that is dropped is read over.
func TestReceiveDropsKeepMemory(t *testing.T) {
	e := newTest(t, newTape(0))
	badHeader, badSum, short := tcpFrame(100, false), tcpFrame(100, false), tcpFrame(100, false)
	badHeader[ethstack.HeaderLen+10] ^= 1
	badSum[len(badSum)-1] ^= 1
	short = short[:len(short)-1]
	d := &dispatcher{e: e}
	q := newQueue(t, e, d)
	for _, tt := range []struct {
		name  string
		frame []byte
		o     ethstack.Offload
		want  ethstack.DropReason
	}{
		{"IPv4 header", badHeader, ethstack.Offload{}, ethstack.DropIPv4Checksum},
		{"IPv4 header, checksum vouched for", badHeader, ethstack.Offload{Flags: ethstack.DataValid}, ethstack.DropIPv4Checksum},
		{"TCP", badSum, ethstack.Offload{}, ethstack.DropTransportChecksum},
		{"short", short, ethstack.Offload{}, ethstack.DropMalformed},
		{"TCP, vouched for", badSum, ethstack.Offload{Flags: ethstack.DataValid}, ethstack.DropNone},
	} {
		if why := q.inputFrame(tt.frame, tt.o); why != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, why, tt.want)
		}
		if kept := len(q.frame.Bufs) == 2; kept != (tt.want != ethstack.DropNone) {
			t.Errorf("%s: memory kept: %v", tt.name, kept)
		}
	}
	e.Attach(nil)
	if why := q.inputFrame(tcpFrame(1, false), ethstack.Offload{}); why != ethstack.DropNoReceiver {
		t.Errorf("after Attach(nil): %v, want %v", why, ethstack.DropNoReceiver)
	}
	if d.delivered != 1 {
		t.Errorf("%d delivered, want 1", d.delivered)
	}
}

// TestReceiveTagged: netstack sees a plain header, whatever the frame had.
func TestReceiveTagged(t *testing.T) {
	e := newTest(t, newTape(0))
	plain := tcpFrame(300, false)
	tagged := append(append(append([]byte{}, plain[:12]...), 0x81, 0, 0xe0, 0), plain[12:]...)
	snap := append(append([]byte{}, plain[:12]...), byte((len(plain)-6)>>8), byte(len(plain)-6), 0xaa, 0xaa, 3, 0, 0, 0)
	snap = append(snap, plain[12:]...)
	for name, b := range map[string][]byte{"plain": plain, "tagged": tagged, "SNAP": snap} {
		d := &dispatcher{e: e, deliver: func(pkt *stack.PacketBuffer, _ bool) {
			if !bytes.Equal(content(pkt), plain) {
				t.Errorf("%s: got %x, want %x", name, content(pkt), plain)
			}
		}}
		if why := newQueue(t, e, d).inputFrame(b, ethstack.Offload{}); why != ethstack.DropNone || d.delivered != 1 {
			t.Errorf("%s: %v, %d delivered", name, why, d.delivered)
		}
	}
}

// TestReceiveTypes is R29: netstack is told whom the frame's destination names.
func TestReceiveTypes(t *testing.T) {
	e := newTest(t, newTape(0))
	for class, want := range map[ethstack.Class]tcpip.PacketType{
		ethstack.ToUs:        tcpip.PacketHost,
		ethstack.ToBroadcast: tcpip.PacketBroadcast,
		ethstack.ToMulticast: tcpip.PacketMulticast,
		ethstack.ToOther:     tcpip.PacketOtherHost,
	} {
		var got tcpip.PacketType
		d := &dispatcher{e: e, deliver: func(pkt *stack.PacketBuffer, _ bool) { got = pkt.PktType }}
		b := tcpFrame(10, false)
		h, _ := ethstack.ParseHeader(b, len(b))
		h.Class = class
		newQueue(t, e, d).input(b, h, ethstack.Offload{})
		if got != want || d.delivered != 1 {
			t.Errorf("%v: type %d, %d delivered; want type %d", class, got, d.delivered, want)
		}
		// A NIC's IP would take a foreign frame for its own.
		n := &nic{dispatcher: &dispatcher{e: e}, local: addrA}
		newQueue(t, e, n).input(b, h, ethstack.Offload{})
		if wantLink := map[bool]int{true: 1}[class == ethstack.ToOther]; n.link != wantLink || n.delivered != 1-wantLink {
			t.Errorf("%v to a NIC: %d to packet sockets only, %d to all", class, n.link, n.delivered)
		}
	}
}

// TestReceiveAllocations: a frame on its way up allocates nothing.
func TestReceiveAllocations(t *testing.T) {
	withoutLeakCheck(t, func(t *testing.T) {
		e := newTest(t, newTape(0))
		q := newQueue(t, e, &nic{dispatcher: &dispatcher{e: e}, local: addrA})
		for _, tt := range []struct {
			name  string
			frame []byte
			o     ethstack.Offload
		}{
			{"short", tcpFrame(6, false), ethstack.Offload{}},
			{"full", tcpFrame(1460, false), ethstack.Offload{}},
			{"super-frame", tcpFrame(60000, true), superTCP(1448)},
		} {
			h, _ := ethstack.ParseHeader(tt.frame, len(tt.frame))
			if n := testing.AllocsPerRun(200, func() { q.input(tt.frame, h, tt.o) }); n != 0 {
				t.Errorf("%s: %v allocations per frame", tt.name, n)
			}
		}
	})
}
