package ethtest

import (
	"encoding/binary"
	"sync"

	"github.com/ethlink/ethlink/ethstack"
)

// A queue is a ring of packets that wait to be read.
type queue struct {
	ring    []*packet
	first   int
	n       int
	arrived sync.Cond // on the port's lock
}

func (q *queue) push(k *packet) bool {
	if q.n == len(q.ring) {
		return false
	}
	q.ring[(q.first+q.n)%len(q.ring)] = k
	q.n++
	return true
}

// pop returns the oldest packet; there must be one.
func (q *queue) pop() *packet {
	k := q.ring[q.first]
	q.ring[q.first] = nil
	q.first = (q.first + 1) % len(q.ring)
	q.n--
	return k
}

// queueFor chooses the queue of a frame by its Ethernet and IPv4 addresses and
// its ports, so that a flow stays on one.
func (p *Port) queueFor(frame []byte) int {
	if p.o.Queues == 1 || len(frame) < ethstack.HeaderLen {
		return 0
	}
	h := fnv(2166136261, frame[:typeAt])
	if ip := frame[ethstack.HeaderLen:]; len(ip) >= 20 &&
		ethstack.EtherType(binary.BigEndian.Uint16(frame[typeAt:])) == ethstack.EtherTypeIPv4 {
		h = fnv(h, ip[9:10]) // protocol
		h = fnv(h, ip[12:20])
		headerLen := int(ip[0]&0x0f) * 4
		fragment := binary.BigEndian.Uint16(ip[6:])&0x3fff != 0
		if !fragment && len(ip) >= headerLen+4 {
			h = fnv(h, ip[headerLen:headerLen+4])
		}
	}
	return int(h % uint32(p.o.Queues))
}

// fnv continues the FNV-1a hash h over b.
func fnv(h uint32, b []byte) uint32 {
	for _, x := range b {
		h = (h ^ uint32(x)) * 16777619
	}
	return h
}
