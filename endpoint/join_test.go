package endpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

var (
	v6A = address("fd00::1")
	v6B = address("fd00::2")
)

// A tcpSegment is one of a connection from B to A.
type tcpSegment struct {
	v6      bool
	seq     uint32
	size    int
	flags   header.TCPFlags // besides ACK
	window  uint16
	options []byte
	change  func(ip, tcp []byte)
	pad     int
}

// frame returns the segment with right checksums. Its data is the sequence
// numbers of its bytes.
func (s tcpSegment) frame() []byte {
	t := make(header.TCP, header.TCPMinimumSize+len(s.options)+s.size)
	t.Encode(&header.TCPFields{
		SrcPort: 1, DstPort: 2, SeqNum: s.seq, AckNum: 9, DataOffset: uint8(header.TCPMinimumSize + len(s.options)),
		Flags: header.TCPFlagAck | s.flags, WindowSize: 100 + s.window,
	})
	copy(t[header.TCPMinimumSize:], s.options)
	for k := range s.size {
		t[len(t)-s.size+k] = byte(s.seq) + byte(k)
	}
	var ip []byte
	etherType := ethstack.EtherTypeIPv4
	if s.v6 {
		etherType = ethstack.EtherTypeIPv6
		ip = make([]byte, header.IPv6MinimumSize)
		header.IPv6(ip).Encode(&header.IPv6Fields{
			PayloadLength: uint16(len(t)), TransportProtocol: header.TCPProtocolNumber, HopLimit: 64, SrcAddr: v6B, DstAddr: v6A,
		})
	} else {
		ip = make([]byte, header.IPv4MinimumSize)
		header.IPv4(ip).Encode(&header.IPv4Fields{
			TotalLength: uint16(len(ip) + len(t)), TTL: 64, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: addrB, DstAddr: addrA,
			ID: uint16(s.seq),
		})
	}
	if s.change != nil {
		s.change(ip, t)
	}
	source, destination := v6B, v6A
	if !s.v6 {
		header.IPv4(ip).SetChecksum(^header.IPv4(ip).CalculateChecksum())
		source, destination = header.IPv4(ip).SourceAddress(), addrA
	}
	t.SetChecksum(^checksum.Checksum(t, header.PseudoHeaderChecksum(header.TCPProtocolNumber, source, destination, uint16(len(t)))))
	b := make([]byte, ethstack.HeaderLen, ethstack.HeaderLen+len(ip)+len(t)+s.pad)
	ethstack.Header{Destination: hwA, Source: hwB, EtherType: etherType}.Put((*[ethstack.HeaderLen]byte)(b))
	return append(append(append(b, ip...), t...), make([]byte, s.pad)...)
}

// joined delivers segments as one batch and describes the packets that came of
// them: sequence number + size, P for PSH. What does not hold together fails.
func joined(t *testing.T, local bool, o Options, segments ...tcpSegment) (list []string) {
	t.Helper()
	e, err := New(newTape(0), o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d := &dispatcher{e: e, deliver: func(pkt *stack.PacketBuffer, verified bool) {
		list = append(list, describeJoined(t, content(pkt), verified))
	}}
	n := &nic{dispatcher: d, local: addrB}
	if local {
		n.local = addrA
		if len(segments) > 0 && segments[0].v6 {
			n.local = v6A
		}
	}
	q := newQueue(t, e, n)
	q.batch = true
	for _, s := range segments {
		if why := q.inputFrame(s.frame(), ethstack.Offload{}); why != ethstack.DropNone {
			t.Errorf("segment %d dropped: %v", s.seq, why)
		}
	}
	q.r.Flush()
	q.r.Flush() // of nothing
	return list
}

func describeJoined(t *testing.T, b []byte, verified bool) string {
	t.Helper()
	b = b[ethstack.HeaderLen:]
	headers, total := header.IPv6MinimumSize, header.IPv6MinimumSize
	if b[0]>>4 == 4 {
		headers, total = int(b[0]&15)*4, int(header.IPv4(b).TotalLength())
		if !header.IPv4(b).IsChecksumValid() {
			t.Error("the IPv4 header's checksum is wrong")
		}
	} else {
		total += int(header.IPv6(b).PayloadLength())
	}
	if !verified || total > len(b) {
		t.Errorf("verified %v, %d bytes in a packet of %d", verified, len(b), total)
	}
	tcp := header.TCP(b[headers:total])
	for k, x := range tcp.Payload() {
		if x != byte(tcp.SequenceNumber())+byte(k) {
			t.Errorf("segment %d: wrong data at %d", tcp.SequenceNumber(), k)
			break
		}
	}
	text := fmt.Sprintf("%d+%d", tcp.SequenceNumber(), len(tcp.Payload()))
	if tcp.Flags()&header.TCPFlagPsh != 0 {
		text += "P"
	}
	return text
}

// TestJoin: segments that follow each other become one packet, and nothing else
// does.
func TestJoin(t *testing.T) {
	ts := func(n byte) []byte { return []byte{1, 1, 8, 10, 0, 0, 0, n, 0, 0, 0, 7} }
	a, b, c := tcpSegment{seq: 100, size: 1000}, tcpSegment{seq: 1100, size: 1000}, tcpSegment{seq: 2100, size: 1000}
	with := func(s tcpSegment, f func(*tcpSegment)) tcpSegment { f(&s); return s }
	one := []string{"100+2000"}
	two := []string{"100+1000", "1100+1000"}
	for _, tt := range []struct {
		name     string
		segments []tcpSegment
		want     []string
	}{
		{"alone", []tcpSegment{a}, []string{"100+1000"}},
		{"three", []tcpSegment{a, b, c}, []string{"100+3000"}},
		{"within the first view", []tcpSegment{{seq: 1, size: 40}, {seq: 41, size: 40}, {seq: 81, size: 40}}, []string{"1+120"}},
		{"the last shorter", []tcpSegment{a, with(b, func(s *tcpSegment) { s.size = 1 }), {seq: 1101, size: 1}}, []string{"100+1001", "1101+1"}},
		{"longer", []tcpSegment{a, with(b, func(s *tcpSegment) { s.size = 1001 })}, []string{"100+1000", "1100+1001"}},
		{"PSH ends", []tcpSegment{a, with(b, func(s *tcpSegment) { s.flags = header.TCPFlagPsh }), c}, []string{"100+2000P", "2100+1000"}},
		{"PSH first", []tcpSegment{with(a, func(s *tcpSegment) { s.flags = header.TCPFlagPsh }), b}, []string{"100+1000P", "1100+1000"}},
		{"gap", []tcpSegment{a, c}, []string{"100+1000", "2100+1000"}},
		{"again", []tcpSegment{a, a}, []string{"100+1000", "100+1000"}},
		{"sequence wraps", []tcpSegment{{seq: 0xffffff00, size: 512}, {seq: 0x100, size: 512}}, []string{"4294967040+1024"}},
		{"FIN", []tcpSegment{a, with(b, func(s *tcpSegment) { s.flags = header.TCPFlagFin })}, two},
		{"URG", []tcpSegment{a, with(b, func(s *tcpSegment) { s.flags = header.TCPFlagUrg })}, two},
		{"ECE", []tcpSegment{a, with(b, func(s *tcpSegment) { s.flags = 0x40 })}, two},
		{"no data", []tcpSegment{a, {seq: 1100}, b}, []string{"100+1000", "1100+0", "1100+1000"}},
		{"window", []tcpSegment{a, with(b, func(s *tcpSegment) { s.window = 1 })}, two},
		{"same options", []tcpSegment{with(a, func(s *tcpSegment) { s.options = ts(1) }), with(b, func(s *tcpSegment) { s.options = ts(1) })}, one},
		{"other time", []tcpSegment{with(a, func(s *tcpSegment) { s.options = ts(1) }), with(b, func(s *tcpSegment) { s.options = ts(2) })}, two},
		{"options once", []tcpSegment{a, with(b, func(s *tcpSegment) { s.options = ts(2) })}, two},
		{"padded", []tcpSegment{a, with(b, func(s *tcpSegment) { s.pad = 2 })}, two},
		{"port", []tcpSegment{a, with(b, func(s *tcpSegment) { s.change = func(_, tcp []byte) { tcp[0] = 7 } })}, two},
		{"acknowledgment", []tcpSegment{a, with(b, func(s *tcpSegment) { s.change = func(_, tcp []byte) { tcp[8] = 7 } })}, two},
		{"TOS", []tcpSegment{a, with(b, func(s *tcpSegment) { s.change = func(ip, _ []byte) { ip[1] = 4 } })}, two},
		{"TTL", []tcpSegment{a, with(b, func(s *tcpSegment) { s.change = func(ip, _ []byte) { ip[8] = 63 } })}, two},
		{"DF", []tcpSegment{a, with(b, func(s *tcpSegment) { s.change = func(ip, _ []byte) { ip[6] = 0x40 } })}, two},
		{"source", []tcpSegment{a, with(b, func(s *tcpSegment) { s.change = func(ip, _ []byte) { ip[15] = 77 } })}, two},
		{
			"IPv6", []tcpSegment{{v6: true, seq: 1, size: 1000}, {v6: true, seq: 1001, size: 1000}},
			[]string{"1+2000"},
		},
		{
			"IPv6 flow label", []tcpSegment{
				{v6: true, seq: 1, size: 1000}, {v6: true, seq: 1001, size: 1000, change: func(ip, _ []byte) { ip[3] = 9 }},
			}, []string{"1+1000", "1001+1000"},
		},
	} {
		if d := cmp.Diff(tt.want, joined(t, true, Options{}, tt.segments...)); d != "" {
			t.Errorf("%s: packets (-want +got):\n%s", tt.name, d)
		}
	}
	// What is not for an address of ours netstack may forward: as it came.
	if d := cmp.Diff(two, joined(t, false, Options{}, a, b)); d != "" {
		t.Errorf("not ours: packets (-want +got):\n%s", d)
	}
	if d := cmp.Diff(two, joined(t, true, Options{NoJoin: true}, a, b)); d != "" {
		t.Errorf("NoJoin: packets (-want +got):\n%s", d)
	}
}

// TestJoinBounds: the packet gets no longer than IP allows, and nothing is held
// back when another frame goes up.
func TestJoinBounds(t *testing.T) {
	var segments []tcpSegment
	for k := range uint32(50) {
		segments = append(segments, tcpSegment{seq: 1 + 1460*k, size: 1460})
	}
	if d := cmp.Diff([]string{"1+64240", "64241+8760"}, joined(t, true, Options{}, segments...)); d != "" {
		t.Errorf("packets (-want +got):\n%s", d)
	}

	e := newTest(t, newTape(0))
	var order []int
	d := &dispatcher{e: e, deliver: func(pkt *stack.PacketBuffer, _ bool) { order = append(order, len(content(pkt))) }}
	q := newQueue(t, e, &nic{dispatcher: d, local: addrA})
	q.batch = true
	other := bytes.Clone(tcpFrame(0, false))
	binary.BigEndian.PutUint16(other[12:], 0x88b5)
	for _, f := range [][]byte{tcpSegment{seq: 1, size: 1000}.frame(), other, tcpSegment{seq: 1001, size: 900}.frame()} {
		if why := q.inputFrame(f, ethstack.Offload{}); why != ethstack.DropNone {
			t.Fatalf("dropped: %v", why)
		}
	}
	q.r.Flush()
	if d := cmp.Diff([]int{1054, 54, 954}, order); d != "" {
		t.Errorf("lengths in the order of delivery (-want +got):\n%s", d)
	}
}
