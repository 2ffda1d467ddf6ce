package bench

import (
	"bytes"
	"testing"
)

func TestPatternFindsWhatIsWrong(t *testing.T) {
	p := newPattern()
	const n = 100_000
	for _, offset := range []int64{0, 1, period - 1, period, 5*period + 12345} {
		b := bytes.Clone(p.at(offset, n))
		if err := p.check(b, offset); err != nil {
			t.Errorf("the stream as it is, from %d on: %v", offset, err)
		}
		if p.check(b, offset+1448) == nil {
			t.Errorf("from %d on, a missing segment is not found", offset)
		}
		for _, at := range []int{0, peek - 1, n - peek, n - 1} {
			b[at]++
			if p.check(b, offset) == nil {
				t.Errorf("from %d on, a change of byte %d is not found", offset, at)
			}
			b[at]--
		}
		if p.check(append(bytes.Clone(b[:n/2]), b[n/2+1:]...), offset) == nil {
			t.Errorf("from %d on, a missing byte is not found", offset)
		}
	}
	if err := p.check(nil, 7); err != nil {
		t.Errorf("nothing: %v", err)
	}
}

func TestDatagramFindsWhatIsWrong(t *testing.T) {
	p := newPattern()
	const size = 1400
	b := bytes.Clone(p[:size])
	for _, number := range []uint64{0, 1, whole, 1 << 40} {
		p.fill(b, number)
		if got, err := p.datagram(b, size); got != number || err != nil {
			t.Errorf("datagram %d: %d, %v", number, got, err)
		}
	}
	p.fill(b, whole)
	for name, change := range map[string]func([]byte) []byte{
		"shorter":       func(b []byte) []byte { return b[:size-1] },
		"longer":        func(b []byte) []byte { return append(b, 0) },
		"of two":        func(b []byte) []byte { b[0]++; return b },
		"other between": func(b []byte) []byte { b[size/2]++; return b },
	} {
		if _, err := p.datagram(change(bytes.Clone(b)), size); err == nil {
			t.Errorf("%s: not found", name)
		}
	}
}
