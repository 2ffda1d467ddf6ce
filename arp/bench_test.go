package arp

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// BenchmarkInputFlood is requests for our address from so many senders, at a
// cache of 4096.
func BenchmarkInputFlood(b *testing.B) {
	for _, senders := range []int{1, 500, 10000} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			s := newStation(b, Config{MaxReplyRate: 1 << 20})
			for k := range senders {
				s.a.Reset()
				s.flood(k)
			}
			b.ReportAllocs()
			k := 0
			for b.Loop() {
				s.a.Reset()
				s.now += time.Microsecond
				s.flood(k)
				if k++; k == senders {
					k = 0
				}
			}
		})
	}
}

// BenchmarkQuery is a packet for a neighbor that is known.
func BenchmarkQuery(b *testing.B) {
	s := newStation(b, Config{})
	s.do(reachable...)
	b.ReportAllocs()
	for b.Loop() {
		s.a.Reset()
		s.h.Query(s.now, ip(2), ip(1), 1500, 1, &s.a)
	}
}

// BenchmarkMillion is a packet for one neighbor after the other of a million,
// and what each of them takes.
func BenchmarkMillion(b *testing.B) {
	const n = 1 << 20
	before := heapInUse()
	s := newStation(b, Config{MaxEntries: n})
	s.fill(0, n, false)
	bytes := float64(heapInUse()-before) / n
	for k := range n { // none is stale any more
		s.a.Reset()
		s.h.Query(s.now, wide(k), ip(1), 1500, 1, &s.a)
	}
	b.ReportAllocs()
	k := 0
	for b.Loop() {
		s.a.Reset()
		s.h.Query(s.now, wide(k), ip(1), 1500, 1, &s.a)
		k = (k + 7919) & (n - 1)
	}
	b.ReportMetric(bytes, "B/entry")
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkPacket is the codec.
func BenchmarkPacket(b *testing.B) {
	in := unhex(b, wire)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParsePacket(in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("put", func(b *testing.B) {
		p, err := ParsePacket(in)
		if err != nil {
			b.Fatal(err)
		}
		var out [PacketLen]byte
		b.ReportAllocs()
		for b.Loop() {
			p.Put(&out)
		}
	})
}
