package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
)

const (
	// period is after how many bytes a stream's contents repeat. It is no
	// multiple of any segment's or buffer's size, so that a piece that is
	// missing, doubled or moved shows.
	period = 1<<20 - 3
	// chunk is how much a program writes or reads at a time.
	chunk = 256 << 10
	// peek is how many bytes at both ends of a piece are compared.
	peek = 64
	// whole is of how many datagrams one is compared byte by byte.
	whole = 64
)

// A pattern is what streams and datagrams are made of.
type pattern []byte

// newPattern returns a period, and a chunk more so that no piece wraps around.
func newPattern() pattern {
	p := make(pattern, period+chunk)
	rand.NewChaCha8([32]byte{1}).Read(p[:period])
	copy(p[period:], p[:chunk])
	return p
}

// at returns n bytes of the stream, at most a chunk, from an offset on.
func (p pattern) at(offset int64, n int) []byte {
	i := int(offset % period)
	return p[i : i+n]
}

// check compares both ends of a piece of the stream.
func (p pattern) check(b []byte, offset int64) error {
	n := min(len(b), peek)
	if bytes.Equal(b[:n], p.at(offset, n)) && bytes.Equal(b[len(b)-n:], p.at(offset+int64(len(b)-n), n)) {
		return nil
	}
	return fmt.Errorf("the stream differs at byte %d, or within %d bytes from there", offset, len(b))
}

// trailer is how long the ends of a datagram are that carry its number.
const trailer = 8

var errDatagram = errors.New("a datagram is not as it was sent")

// fill writes the numbers of a datagram: what is between them stays, and must
// be as the pattern's beginning.
func (p pattern) fill(b []byte, number uint64) {
	binary.LittleEndian.PutUint64(b, number)
	binary.LittleEndian.PutUint64(b[len(b)-trailer:], ^number)
}

// datagram compares a datagram of a known size and returns its number.
func (p pattern) datagram(b []byte, size int) (number uint64, err error) {
	if len(b) != size {
		return 0, fmt.Errorf("a datagram of %d bytes came, all are sent with %d", len(b), size)
	}
	number = binary.LittleEndian.Uint64(b)
	if binary.LittleEndian.Uint64(b[size-trailer:]) != ^number {
		return 0, errDatagram
	}
	if number%whole == 0 && !bytes.Equal(b[trailer:size-trailer], p[trailer:size-trailer]) {
		return 0, errDatagram
	}
	return number, nil
}
