package endpoint

import (
	"bytes"
	"runtime"
	"sync"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// TestSuperFrames: what ends here goes up whole, what may be forwarded in plain
// frames with complete checksums.
func TestSuperFrames(t *testing.T) {
	e := newTest(t, newTape(0))
	for _, tt := range []struct {
		name string
		size int
		o    ethstack.Offload
	}{
		{"partial", 1000, partialTCP},
		{"super-frame", 30000, superTCP(1448)},
		{"small super-frame", 200, superTCP(150)},
	} {
		sent := tcpFrame(tt.size, true)
		for _, local := range []bool{true, false} {
			var data []byte
			d := &dispatcher{e: e, deliver: func(pkt *stack.PacketBuffer, verified bool) {
				b := content(pkt)
				if !verified {
					t.Errorf("%s, local %v: delivered as not verified", tt.name, local)
				}
				f := ethstack.Frame{Bufs: [][]byte{b}, Len: len(b)}
				if r := ethstack.VerifyChecksums(&f); !local && r != ethstack.ChecksumGood {
					t.Errorf("%s: a packet to be forwarded: %v", tt.name, r)
				}
				data = append(data, b[54:]...)
			}}
			n := &nic{dispatcher: d, local: addrA}
			if !local {
				n.local = addrB
			}
			if why := newQueue(t, e, n).inputFrame(sent, tt.o); why != ethstack.DropNone {
				t.Fatalf("%s, local %v: dropped: %v", tt.name, local, why)
			}
			want := 1
			if !local && tt.o.Segment != ethstack.SegmentNone {
				want = (tt.size + int(tt.o.SegmentSize) - 1) / int(tt.o.SegmentSize)
			}
			if d.delivered != want || !bytes.Equal(data, sent[54:]) {
				t.Errorf("%s, local %v: %d packets, want %d; data equal: %v", tt.name, local, d.delivered, want, bytes.Equal(data, sent[54:]))
			}
		}
	}
}

// TestLocalIsRemembered: the NIC is not asked for each frame of a connection,
// but again and again.
func TestLocalIsRemembered(t *testing.T) {
	e := newTest(t, newTape(0))
	n := &nic{dispatcher: &dispatcher{e: e}, local: addrA}
	q := newQueue(t, e, n)
	b := tcpFrame(100, true)
	for range 3 * (trusted + 1) {
		q.inputFrame(b, partialTCP)
	}
	if n.asked != 3 {
		t.Errorf("asked %d times, want 3", n.asked)
	}
}

// TestChecksumsSideBySide: with several queues, netstack verifies what could not
// be verified, and never what has no checksum in it yet.
func TestChecksumsSideBySide(t *testing.T) {
	e := newTest(t, newTape(0))
	fragment := tcpFrame(100, false)
	ip := header.IPv4(fragment[ethstack.HeaderLen:])
	ip.SetFlagsFragmentOffset(header.IPv4FlagMoreFragments, 0)
	ip.SetChecksum(0)
	ip.SetChecksum(^ip.CalculateChecksum())
	partial := tcpFrame(100, true)
	e.Attach(&nic{dispatcher: &dispatcher{e: e}, local: addrA})
	var wg sync.WaitGroup
	for k := range 4 {
		b, o, want := fragment, ethstack.Offload{}, false
		if k%2 == 0 {
			b, o, want = partial, partialTCP, true
		}
		wg.Go(func() {
			d := &dispatcher{e: e, deliver: func(_ *stack.PacketBuffer, verified bool) {
				if verified != want {
					t.Errorf("queue %d: verified is %v, want %v", k, verified, want)
				}
				runtime.Gosched() // let the others come in between
			}}
			q := &queue{r: &receiver{trunk: e.trunk}}
			defer q.r.Release(&q.frame)
			h, _ := ethstack.ParseHeader(b, len(b))
			for range 5000 {
				q.r.Prepare(&q.frame)
				n := copy(q.frame.Bufs[0], b)
				copy(q.frame.Bufs[1], b[n:])
				q.frame.Len, q.frame.Offload = len(b), o
				sums := ethstack.VerifyChecksums(&q.frame)
				e.rx.deliver(newUpper(d, nil), q.r.take(&q.frame, h), sums, o)
			}
		})
	}
	wg.Wait()
}
