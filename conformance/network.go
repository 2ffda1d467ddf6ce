package conformance

import (
	"bytes"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// The network that the endpoint is on: it has 10.1.0.2/24 and fd00:1::2/64, and
// all others are frames that a check sends.

// A peer is a station on the wire.
type peer struct {
	hw         hardwareAddr
	ipv4, ipv6 tcpip.Address
}

func newPeer(n byte) peer {
	return peer{
		hw:   hardwareAddr{0x02, 0xc0, 0x4f, 0, 0, n},
		ipv4: tcpip.AddrFrom4([4]byte{10, 1, 0, n}),
		ipv6: tcpip.AddrFrom16([16]byte{0: 0xfd, 3: 1, 15: n}),
	}
}

// stranger returns a peer that the check has not had yet.
func (t *trial) stranger() peer {
	t.strangers++
	return newPeer(100 + t.strangers)
}

// movedTo returns the peer with another hardware address.
func (p peer) movedTo(last byte) peer {
	p.hw[4], p.hw[5] = 1, last
	return p
}

var (
	ownIPv4 = tcpip.AddrFrom4([4]byte{10, 1, 0, 2})
	ownIPv6 = tcpip.AddrFrom16([16]byte{0: 0xfd, 3: 1, 15: 2})

	gateway = newPeer(1)
	alice   = newPeer(10)
	bob     = newPeer(11)
	// witness asks for the endpoint's address when a check wants to know that
	// all before has been dealt with.
	witness = newPeer(250)

	offLink          = tcpip.AddrFrom4([4]byte{192, 0, 2, 7})
	subnetBroadcast  = tcpip.AddrFrom4([4]byte{10, 1, 0, 255})
	limitedBroadcast = header.IPv4Broadcast
)

const (
	peerPort   = 4000
	openPort   = 7000
	closedPort = 7001
)

// grace is how much later than the answer to something that was sent after it
// an answer may come: an endpoint may deliver on more than one goroutine.
const grace = 30 * time.Millisecond

// put sends a frame to the endpoint.
func (t *trial) put(f frame) {
	if err := t.Wire.Send(f); err != nil {
		t.skip("the wire cannot carry a frame of %d bytes: %v", len(f), err)
	}
}

// receive waits for one frame and keeps it. Peers that are present answer.
func (t *trial) receive(timeout time.Duration) bool {
	f := frame(t.Wire.Recv(timeout))
	switch {
	case f == nil:
		return false
	case len(f) < headerLen:
		t.errorf("the endpoint sent a frame of %d bytes: %v", len(f), f)
		return true
	}
	t.seen = append(t.seen, f)
	for _, p := range t.present {
		if m, ok := f.arp(); ok && m.op == opRequest && m.tpa == p.ipv4 && (f.to() == everybody || f.to() == p.hw) {
			t.put(ether(m.sha, p.hw, typeARP, newARP(opReply, p.hw, p.ipv4, m.sha, m.spa).bytes()))
		}
		if h, ok := f.ipv6(); ok && isSolicitationFor(p.ipv6)(f) {
			t.put(ether(f.from(), p.hw, typeIPv6, advertisement(p, h.SourceAddress())))
		}
	}
	return true
}

// forget drops what was received so far.
func (t *trial) forget() {
	for t.receive(0) {
	}
	t.seen = nil
}

// take returns the first frame seen that matches, and removes it.
func (t *trial) take(match func(frame) bool) frame {
	for i, f := range t.seen {
		if match(f) {
			t.seen = append(t.seen[:i:i], t.seen[i+1:]...)
			return f
		}
	}
	return nil
}

// await returns the first frame that matches; nil if none comes.
func (t *trial) await(match func(frame) bool) frame {
	for deadline := time.Now().Add(t.patience); ; {
		if f := t.take(match); f != nil {
			return f
		}
		left := time.Until(deadline)
		if left <= 0 {
			return nil
		}
		t.receive(left)
	}
}

// want is await for what must come: without it the check has failed, and ends.
func (t *trial) want(what string, match func(frame) bool) frame {
	f := t.await(match)
	if f == nil {
		t.fatalf("want %s: none came within %v; what came is %v", what, t.patience, t.seen)
	}
	return f
}

// settle waits until the endpoint has dealt with all that was sent before.
func (t *trial) settle() {
	t.sync()
	t.listenFor(grace)
}

// sync waits until the endpoint has received all that was sent before.
func (t *trial) sync() {
	t.put(request(witness, everybody, ownIPv4))
	if t.await(isReplyTo(witness)) == nil {
		t.fatalf("after that the endpoint answers no request for its own address any more: it has stopped to receive")
	}
}

// listenFor takes in all that comes for so long.
func (t *trial) listenFor(d time.Duration) {
	for deadline := time.Now().Add(d); ; {
		left := time.Until(deadline)
		if left <= 0 || !t.receive(left) {
			return
		}
	}
}

// silence fails the check for each frame that matches, of those not taken yet
// and those that come until all that was sent has been dealt with.
func (t *trial) silence(what string, match func(frame) bool) {
	t.settle()
	for f := t.take(match); f != nil; f = t.take(match) {
		t.errorf("%s: want no answer, got %v", what, f)
	}
}

// once fails the check unless exactly one frame matches.
func (t *trial) once(what string, match func(frame) bool) frame {
	f := t.want(what, match)
	t.silence(what+", once more", match)
	return f
}

// request makes a frame in which a peer asks for an address.
func request(p peer, to hardwareAddr, target tcpip.Address) frame {
	return ether(to, p.hw, typeARP, newARP(opRequest, p.hw, p.ipv4, nobody, target).bytes()).padded(minFrame)
}

// reply makes a frame in which a peer answers the endpoint.
func reply(p peer, to hardwareAddr) frame {
	return ether(to, p.hw, typeARP, newARP(opReply, p.hw, p.ipv4, to, ownIPv4).bytes())
}

// introduce makes the peer known to the endpoint, as one that has asked for it,
// and goes on answering for the peer.
func (t *trial) introduce(p peer) {
	t.present = append(t.present, p)
	t.ask(p)
}

// ask lets a peer ask for the endpoint, and waits for the answer.
func (t *trial) ask(p peer) {
	t.put(request(p, everybody, ownIPv4))
	t.want("an answer to a peer's request", func(f frame) bool {
		m, ok := f.arp()
		return ok && m.op == opReply && m.tpa == p.ipv4
	})
}

// introduce6 is introduce for IPv6.
func (t *trial) introduce6(p peer) {
	t.present = append(t.present, p)
	t.put(ether(group6(solicitedNode(ownIPv6)), p.hw, typeIPv6, solicitation(p, solicitedNode(ownIPv6), ownIPv6)))
	t.want("an answer to a peer's solicitation", isAdvertisementOf(ownIPv6))
}

// equal fails the check unless two strings of bytes are the same.
func (t *trial) equal(what string, got, want []byte) {
	if !bytes.Equal(got, want) {
		t.errorf("%s:\n got % x\nwant % x", what, got, want)
	}
}

// wantTo fails the check unless the frame has the destination.
func (t *trial) wantTo(what string, f frame, to hardwareAddr) {
	if f.to() != to {
		t.errorf("%s went to % x, want % x", what, f.to(), to)
	}
}

// group4 is RFC 1112 §6.4: 01:00:5e and the group's last 23 bits.
func group4(a tcpip.Address) hardwareAddr {
	return hardwareAddr([]byte(header.EthernetAddressFromMulticastIPv4Address(a)))
}
