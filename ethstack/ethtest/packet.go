package ethtest

import (
	"sync/atomic"

	"github.com/ethlink/ethlink/ethstack"
)

// A packet is a frame on the segment. Its bytes do not change once it is
// under way, so all ports share them.
type packet struct {
	data    []byte
	offload ethstack.Offload
	refs    atomic.Int32
}

// packet copies a frame, for one reference.
func (s *Segment) packet(bufs [][]byte, o ethstack.Offload) *packet {
	k := s.pool.Get().(*packet)
	k.data = k.data[:0]
	for _, b := range bufs {
		k.data = append(k.data, b...)
	}
	k.offload = o
	k.refs.Store(1)
	return k
}

// drop gives back one reference.
func (s *Segment) drop(k *packet) {
	if k.refs.Add(-1) == 0 {
		s.pool.Put(k)
	}
}
