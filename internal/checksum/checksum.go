// Package checksum computes the Internet checksum of bytes that lie in any
// number of pieces.
package checksum

import (
	"encoding/binary"
	"math/bits"
)

// A Sum is a running one's complement sum of 16-bit words. The zero Sum is
// the sum of nothing; it is a value and may be copied, to add several ends to
// one beginning.
//
// RFC 1071 §2: the sum does not depend on the order of bytes within words as
// long as it is the same throughout, and wider words may be added as well if
// the carries are brought round. So 64-bit little-endian words are added,
// and Fold swaps at the end.
type Sum struct {
	acc uint64
	odd bool // an odd number of bytes has been added
}

// Add adds b, which continues where the last call ended, also in the middle of
// a word.
func (s *Sum) Add(b []byte) {
	x := sum(b)
	if s.odd {
		// RFC 1071 §2(B): bytes that lie one off from the words are summed on
		// their own and then swapped.
		x = bits.RotateLeft64(x, 8)
	}
	acc, carry := bits.Add64(s.acc, x, 0)
	s.acc = acc + carry
	s.odd = s.odd != (len(b)&1 != 0)
}

// AddUint16 adds one word. It must not be called in the middle of a word.
func (s *Sum) AddUint16(v uint16) {
	acc, carry := bits.Add64(s.acc, uint64(bits.ReverseBytes16(v)), 0)
	s.acc = acc + carry
}

// AddUint32 adds two words. It must not be called in the middle of a word.
func (s *Sum) AddUint32(v uint32) {
	s.AddUint16(uint16(v >> 16))
	s.AddUint16(uint16(v))
}

// Fold returns the sum as one word, not complemented: what a field holds
// whose checksum is still to be completed. The sum over data that includes a
// right checksum is 0xffff.
func (s *Sum) Fold() uint16 { return bits.ReverseBytes16(fold(s.acc)) }

// Checksum returns the complement of the sum: what goes into a field.
func (s *Sum) Checksum() uint16 { return ^s.Fold() }

// Of returns the sum of b, not complemented.
func Of(b []byte) uint16 { return bits.ReverseBytes16(fold(sum(b))) }

// Pseudo returns the sum of the pseudo-header of TCP or UDP without its
// length field: the addresses, both of 4 or both of 16 bytes, and the
// protocol.
//
// RFC 9293 §3.1, RFC 768, RFC 8200 §8.1: the layouts differ, the words that are
// not zero do not.
func Pseudo(source, destination []byte, protocol uint8) (s Sum) {
	s.Add(source)
	s.Add(destination)
	s.AddUint16(uint16(protocol))
	return s
}

func fold(x uint64) uint16 {
	x = x>>32 + x&0xffffffff // at most 33 bits
	x = x>>32 + x&0xffffffff
	x = x>>16 + x&0xffff // at most 17 bits
	x = x>>16 + x&0xffff
	return uint16(x)
}

// sum adds b up as little-endian 64-bit words, with zeros behind its end.
func sum(b []byte) uint64 {
	var acc, carry uint64
	for len(b) >= 64 {
		// One chain of additions with carry; the slice's length is tested
		// once.
		w := b[:64:64]
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(w[0:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(w[8:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(w[16:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(w[24:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(w[32:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(w[40:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(w[48:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(w[56:]), carry)
		b = b[64:]
	}
	for len(b) >= 8 {
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b), carry)
		b = b[8:]
	}
	var tail uint64
	if len(b) >= 4 {
		tail = uint64(binary.LittleEndian.Uint32(b))
		b = b[4:]
		for i, x := range b {
			tail |= uint64(x) << (32 + 8*i)
		}
	} else {
		for i, x := range b {
			tail |= uint64(x) << (8 * i)
		}
	}
	acc, carry = bits.Add64(acc, tail, carry)
	// The tail has at most 56 bits, so the last carry finds room.
	return acc + carry
}
