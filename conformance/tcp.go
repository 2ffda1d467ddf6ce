package conformance

import (
	"bytes"
	"encoding/binary"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// A conversation is a TCP connection of a peer with the endpoint's host. The
// peer's side is played here, frame by frame.
type conversation struct {
	t      *trial
	peer   peer
	family family
	to     tcpip.Address // the host's
	host   tcpip.Endpoint
	port   uint16 // the host's
	mss    int    // that the peer takes, and sends
	window uint16 // that the peer offers
	seq    uint32 // of what the peer sends next
	ack    uint32 // of what it expects next
	synack frame
}

// peerSeq is where the peer begins to count.
const peerSeq = 0x10203040

// converse has a peer that the endpoint knows connect to a listener of its host.
// mss is what the peer says that it takes; 0 is what the MTU allows.
func (t *trial) converse(v family, p peer, mss int, window uint16) *conversation {
	t.know(v, p)
	c := &conversation{t: t, peer: p, family: v, mss: mss, window: window, seq: peerSeq, to: v.own, port: t.freshPort()}
	if c.mss == 0 {
		c.mss = int(t.MTU) - v.header - header.TCPMinimumSize
	}
	var queue waiter.Queue
	listener, err := t.stack.NewEndpoint(tcp.ProtocolNumber, v.proto, &queue)
	t.noError("NewEndpoint", err)
	t.later(listener.Close)
	t.noError("Bind", listener.Bind(tcpip.FullAddress{Port: c.port}))
	t.noError("Listen", listener.Listen(1))

	t.put(c.segment(header.TCPFlagSyn, binary.BigEndian.AppendUint16([]byte{header.TCPOptionMSS, header.TCPOptionMSSLength}, uint16(c.mss)), nil))
	c.seq++
	c.synack = t.want("an answer to a SYN", func(f frame) bool {
		h, ok := c.tcp(f)
		return ok && h.Flags() == header.TCPFlagSyn|header.TCPFlagAck
	})
	h, _ := c.tcp(c.synack)
	c.ack = h.SequenceNumber() + 1
	t.put(c.segment(header.TCPFlagAck, nil, nil))
	t.poll("a connection to accept", func() bool {
		c.host, _, err = listener.Accept(nil)
		return err == nil
	})
	t.later(c.host.Close)
	return c
}

// segment makes a frame with what the peer sends next.
func (c *conversation) segment(flags header.TCPFlags, options, data []byte) frame {
	b := make([]byte, header.TCPMinimumSize, header.TCPMinimumSize+len(options)+len(data))
	h := header.TCP(b)
	h.Encode(&header.TCPFields{
		SrcPort: peerPort, DstPort: c.port, SeqNum: c.seq, AckNum: c.ack, Flags: flags, WindowSize: c.window,
		DataOffset: uint8(header.TCPMinimumSize + len(options)),
	})
	b = append(append(b, options...), data...)
	from := c.family.of(c.peer)
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, from, c.to, uint16(len(b)))
	h.SetChecksum(^checksum.Checksum(b, sum))
	return c.t.frameFrom(c.peer, c.family, c.family.packet(from, c.to, header.TCPProtocolNumber, b))
}

// tcp returns the segment of a frame of the host's to the peer.
func (c *conversation) tcp(f frame) (header.TCP, bool) {
	k, ok := f.ip()
	if !ok || k.proto != c.family.proto || k.transport != header.TCPProtocolNumber || len(k.payload) < header.TCPMinimumSize {
		return nil, false
	}
	h := header.TCP(k.payload)
	return h, h.SourcePort() == c.port && int(h.DataOffset()) <= len(h)
}

// write has the host send data.
func (c *conversation) write(data []byte) {
	c.t.within("Write", func() {
		for r := bytes.NewReader(data); r.Len() > 0; {
			if _, err := c.host.Write(r, tcpip.WriteOptions{}); err != nil {
				c.t.errorf("Write: %v", err)
				return
			}
		}
	})
}

// collect takes what the host sends until there are n bytes, acknowledges it,
// and checks each frame. What comes out of order is what a full wire has lost,
// and is asked for again.
func (c *conversation) collect(n int) (data []byte) {
	for len(data) < n {
		f := c.t.want("all that was written", func(f frame) bool {
			h, ok := c.tcp(f)
			return ok && len(h.Payload()) > 0
		})
		h, _ := c.tcp(f)
		c.t.intact(f)
		c.t.equal("the Ethernet header", f[:headerLen], ether(c.peer.hw, c.t.own, uint16(c.family.proto)))
		if len(h.Payload()) > c.mss {
			c.t.errorf("a segment has %d bytes of data, want at most the %d that the peer takes", len(h.Payload()), c.mss)
		}
		if c.t.failed {
			return data // one is enough
		}
		if h.SequenceNumber() == c.ack {
			c.ack += uint32(len(h.Payload()))
			data = append(data, h.Payload()...)
		}
		c.t.put(c.segment(header.TCPFlagAck, nil, nil))
	}
	return data
}

// send sends data from the peer and waits until it has been acknowledged. What
// is lost on the way is sent again.
func (c *conversation) send(data []byte) {
	first, end := c.seq, c.seq+uint32(len(data))
	for deadline := time.Now().Add(c.t.patience); c.seq != end; {
		if time.Now().After(deadline) {
			c.t.fatalf("the host has acknowledged %d bytes of %d", c.seq-first, len(data))
		}
		c.burst(data[c.seq-first:])
		for again := time.Now().Add(retransmission); c.seq != end && time.Now().Before(again); {
			c.t.listenFor(time.Millisecond)
			for f := c.t.take(c.isSegment); f != nil; f = c.t.take(c.isSegment) {
				if h, _ := c.tcp(f); int32(h.AckNumber()-c.seq) > 0 {
					c.seq = h.AckNumber()
				}
			}
		}
	}
}

// retransmission is after what time the peer sends again what was not
// acknowledged.
const retransmission = 200 * time.Millisecond

func (c *conversation) isSegment(f frame) bool {
	_, ok := c.tcp(f)
	return ok
}

// burst sends data in segments, and does not count it as sent.
func (c *conversation) burst(data []byte) {
	at := c.seq
	defer func() { c.seq = at }()
	for len(data) > 0 {
		n := min(len(data), c.mss)
		c.t.put(c.segment(header.TCPFlagAck|header.TCPFlagPsh, nil, data[:n]))
		c.seq += uint32(n)
		data = data[n:]
	}
}

// ready reports whether the host has received data.
func (c *conversation) ready() bool { return c.host.Readiness(waiter.EventIn) != 0 }

// read returns what the host has received, once it is n bytes.
func (c *conversation) read(n int) []byte {
	var b bytes.Buffer
	c.t.poll("what the peer has sent", func() bool {
		c.host.Read(&b, tcpip.ReadOptions{})
		return b.Len() >= n
	})
	return b.Bytes()
}

// freshPort returns a port that the check has not had yet.
func (t *trial) freshPort() uint16 {
	t.ports++
	return closedPort + t.ports
}

// later has f called at the end of the check, before the stack's.
func (t *trial) later(f func()) { t.cleanups = append(t.cleanups, f) }

// poll waits until what must come to be is.
func (t *trial) poll(what string, done func() bool) {
	for deadline := time.Now().Add(t.patience); !done(); {
		if time.Now().After(deadline) {
			t.fatalf("want %s: waited %v in vain", what, t.patience)
		}
		t.listenFor(time.Millisecond)
	}
}

// bulk returns n bytes in which no two segments are alike.
func bulk(n int) []byte {
	b := make([]byte, 0, n+8)
	for i := uint64(1); len(b) < n; i++ {
		b = binary.BigEndian.AppendUint64(b, i*0x9e3779b97f4a7c15)
	}
	return b[:n]
}
