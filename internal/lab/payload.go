package lab

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
)

const (
	// BlockLen is how much of a [Payload] is made at a time.
	BlockLen = 64 << 10
	tableLen = 1 << 20
)

// table is random once for all payloads: a generator as good as ChaCha8 would
// take as long as the hash that it is checked with.
var table = sync.OnceValue(func() []byte {
	t := make([]byte, tableLen)
	rand.NewChaCha8([32]byte{}).Read(t)
	return t
})

// A Payload is a pseudo-random stream of bytes, always the same for one seed. It
// never repeats itself: a piece in the wrong place is as wrong as a piece that
// was changed.
type Payload struct {
	random *rand.PCG
	block  [BlockLen]byte
	rest   []byte // of block
}

// NewPayload returns the payload of a seed, from its beginning.
func NewPayload(seed uint64) *Payload {
	return &Payload{random: rand.NewPCG(seed, 0)}
}

// Next returns the next up to n bytes, valid until the next call.
func (p *Payload) Next(n int64) []byte {
	if len(p.rest) == 0 {
		p.fill()
	}
	b := p.rest[:min(n, int64(len(p.rest)))]
	p.rest = p.rest[len(b):]
	return b
}

// fill takes a part of the table, and changes each word by the same random one.
func (p *Payload) fill() {
	at := p.random.Uint64() % (tableLen - BlockLen)
	from, mask := table()[at:at+BlockLen], p.random.Uint64()
	for i := 0; i+8 <= BlockLen; i += 8 {
		binary.LittleEndian.PutUint64(p.block[i:], binary.LittleEndian.Uint64(from[i:])^mask)
	}
	p.rest = p.block[:]
}
