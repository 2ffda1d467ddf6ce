package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethlink/ethlink/internal/lab"
)

// stackEchoPort is where hosts send datagrams back.
const stackEchoPort = 7

// A stackStream is one TCP connection, over which a payload is sent; its hash
// tells if it arrived.
type stackStream struct {
	lab.Transfer
	s        *stackSim
	name     string
	from, to *stackHost
	cancel   context.CancelFunc
	crashed  bool // one of its ends did
	err      error
	done     chan struct{}
}

func (s *stackSim) startStream(from, to *stackHost, at netip.Addr) *stackStream {
	ctx, cancel := context.WithCancel(context.Background())
	x := &stackStream{s: s, from: from, to: to, cancel: cancel, done: make(chan struct{})}
	x.Transfer.From, x.Transfer.To, x.At = from.Netstack, to.Netstack, at
	x.Size, x.Seed = 1+s.random.Int64N(1<<18), s.random.Uint64()
	x.name = fmt.Sprintf("stream %d of %d bytes from %s to %s, %v", len(s.streams), x.Size, from.name, to.name, at)
	s.streams = append(s.streams, x)
	s.note("%s begins", x.name)
	go func() {
		defer close(x.done)
		defer cancel()
		_, x.err = x.Run(ctx)
		s.note("%s is over: %v", x.name, x.err)
	}()
	return x
}

// over reports whether the stream has come to its end.
func (x *stackStream) over() bool {
	select {
	case <-x.done:
		return true
	default:
		return false
	}
}

// crash ends a stream of a host that crashes: programs die with it, and who is at
// the other end gives up.
func (x *stackStream) crash(h *stackHost) {
	if x.over() || x.from != h && x.to != h {
		return
	}
	x.crashed = true
	x.cancel()
	if !x.s.advance(time.Minute, x.over) {
		x.s.errorf("%s does not end although its host has crashed", x.name)
	}
}

// fault returns why the stream failed, if it should not have: neither of its ends
// has crashed, and both knew that they were connected, since something arrived.
func (x *stackStream) fault() error {
	if x.crashed || x.Done.Load() == 0 {
		return nil
	}
	return x.err
}

// idle reports whether no stream is open any more.
func (s *stackSim) idle() bool {
	for _, x := range s.streams {
		if !x.over() {
			return false
		}
	}
	return true
}

// open lists the streams that are.
func (s *stackSim) open() (list []string) {
	for _, x := range s.streams {
		if !x.over() {
			list = append(list, fmt.Sprintf("%s: %d arrived", x.name, x.Done.Load()))
		}
	}
	return list
}

// A stackBurst is a socket that sends datagrams which come back, if they do, as
// they were.
type stackBurst struct {
	s      *stackSim
	id     uint64
	from   *stackHost
	conn   lab.PacketConn
	ended  chan struct{}
	closer sync.Once
	last   time.Duration // when one was last sent
	heard  atomic.Int64  // how many came back

	mu   sync.Mutex
	sent [][]byte
}

func (s *stackSim) startBurst(from, to *stackHost, at netip.Addr) *stackBurst {
	s.note("%s sends datagrams to %v", from.name, at)
	c, err := from.DialUDP(netip.AddrPortFrom(at, stackEchoPort))
	if err != nil {
		s.errorf("%v", err)
		s.t.FailNow()
	}
	b := &stackBurst{s: s, id: s.random.Uint64(), from: from, conn: c, ended: make(chan struct{})}
	s.bursts = append(s.bursts, b)
	go b.receive()
	for range 1 + s.random.IntN(5) {
		b.send(8 + s.random.IntN(4000))
	}
	return b
}

// send sends a datagram that nothing else looks like, or no datagram, if its way
// is not known.
func (b *stackBurst) send(size int) {
	b.mu.Lock()
	n := len(b.sent)
	p := bytes.Clone(lab.NewPayload(b.id + uint64(n)).Next(int64(size)))
	binary.BigEndian.PutUint32(p, uint32(n))
	b.sent = append(b.sent, p)
	b.mu.Unlock()
	b.last = b.s.clock.Now()
	if _, err := b.conn.Write(p); err != nil {
		b.s.note("datagram %d of %s: %v", n, b.from.name, err)
	}
}

func (b *stackBurst) receive() {
	defer close(b.ended)
	p := make([]byte, 1<<16)
	for {
		n, _, err := b.conn.ReadFrom(p)
		if err != nil {
			return
		}
		b.heard.Add(1)
		if !b.wasSent(p[:n]) {
			b.s.errorf("%s is sent back %d bytes that it has not sent: % x", b.from.name, n, p[:min(n, 16)])
		}
	}
}

func (b *stackBurst) wasSent(p []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p) < 4 {
		return false
	}
	n := binary.BigEndian.Uint32(p)
	return n < uint32(len(b.sent)) && bytes.Equal(p, b.sent[n])
}

// close closes the socket.
func (b *stackBurst) close() {
	b.closer.Do(func() {
		b.conn.Close()
		<-b.ended
	})
}
