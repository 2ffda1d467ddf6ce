package tap_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/vnet"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// frameKinds are what is moved: a small packet, a full one, and a super-frame.
var frameKinds = []struct {
	name string
	size int
	o    ethstack.Offload
}{
	{"64B", 64, ethstack.Offload{}},
	{"1514B", 1514, ethstack.Offload{}},
	{"44x1460B", 54 + 44*1460, superFrame},
}

var superFrame = ethstack.Offload{
	Flags: ethstack.NeedsChecksum, ChecksumStart: 34, ChecksumOffset: 16,
	Segment: ethstack.SegmentTCPv4, SegmentSize: 1460, HeaderLen: 54,
}

// tcpFrame makes a frame with TCP from a port to an address that is not the
// kernel's, so that it drops it soon.
func tcpFrame(size int, port uint16) []byte {
	b := make([]byte, size)
	copy(b, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00\x45\x00")
	binary.BigEndian.PutUint16(b[16:], uint16(size-14))
	b[22], b[23] = 64, 6
	copy(b[26:], "\x0a\x07\x00\x03\x0a\x07\x00\x04")
	var sum uint32
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	binary.BigEndian.PutUint16(b[24:], ^uint16(sum+sum>>16))
	binary.BigEndian.PutUint16(b[34:], port)
	b[46], b[47] = 5<<4, 0x10
	return b
}

func benchmark(b *testing.B, run func(b *testing.B, d *tap.Device, size int, o ethstack.Offload)) {
	for _, k := range frameKinds {
		for _, queues := range []int{1, someQueues} {
			b.Run(fmt.Sprintf("%s/queues=%d", k.name, queues), func(b *testing.B) {
				d := open(b, tap.Options{Queues: queues})
				b.SetBytes(int64(k.size))
				b.ReportAllocs()
				run(b, d, k.size, k.o)
			})
		}
	}
}

// BenchmarkWrite writes frames, 8 at a time, on as many goroutines as there are
// queues.
func BenchmarkWrite(b *testing.B) {
	benchmark(b, func(b *testing.B, d *tap.Device, size int, o ethstack.Offload) {
		batches := make([][8]ethstack.Frame, d.Queues())
		for q := range batches {
			for i := range batches[q] {
				batches[q][i] = ethstack.Frame{Bufs: [][]byte{tcpFrame(size, uint16(i))}, Offload: o}
			}
		}
		var all sync.WaitGroup
		b.ResetTimer()
		for q := range batches {
			frames := batches[q][:]
			all.Go(func() {
				for i := 0; i < b.N; i += len(frames) * d.Queues() {
					if n, err := d.Write(q, frames); n != len(frames) || err != nil {
						b.Errorf("Write: %d, %v", n, err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// BenchmarkRead reads frames that are there, 8 at a time, on as many goroutines
// as there are queues. Making them is not measured.
func BenchmarkRead(b *testing.B) {
	benchmark(b, func(b *testing.B, d *tap.Device, size int, o ethstack.Offload) {
		const there = 128
		kernel := wiretest.Listen(b, d.Info().Name, true)
		frames := make([][]byte, there)
		for i := range frames {
			frames[i] = tcpFrame(size, uint16(i))
		}
		header := make([]byte, vnet.Len)
		vnet.Put(header, o, d.Info().Offloads)
		send := func(i int) { kernel.Send(b, header, frames[i]) }
		share := make([]int, d.Queues())
		for _, q := range wiretest.QueuesOf(b, d, frames, send) {
			share[q]++
		}
		memory := make([][]ethstack.Frame, d.Queues())
		for q := range memory {
			memory[q] = wiretest.Memory(d, 8)
		}
		b.ResetTimer()
		for n := 0; n < b.N; n += there {
			b.StopTimer()
			for i := range frames {
				send(i)
			}
			b.StartTimer()
			var all sync.WaitGroup
			for q, want := range share {
				all.Go(func() { readAll(b, d, q, memory[q], want) })
			}
			all.Wait()
		}
	})
}

func readAll(b *testing.B, d *tap.Device, queue int, memory []ethstack.Frame, want int) {
	for got := 0; got < want; {
		n, err := d.Read(queue, memory)
		if err != nil {
			b.Error(err)
			return
		}
		got += n
	}
}

// BenchmarkBurst has frames come in bursts: how long they take, and how many
// system calls.
func BenchmarkBurst(b *testing.B) {
	for _, size := range []int{1, 2, 4, 12} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			burst := bursts(b, size)
			before := readCalls(b)
			b.ResetTimer()
			for n := 0; n < b.N; n += size {
				burst()
			}
			b.ReportMetric(float64(readCalls(b)-before)/float64(b.N), "reads/frame")
		})
	}
}

// bursts starts a goroutine that reads as that of a link does, and returns a
// function that sends so many frames and waits until they were read.
func bursts(t testing.TB, size int) func() {
	d := open(t, tap.Options{})
	kernel := wiretest.Listen(t, d.Info().Name, false)
	frame := tcpFrame(64, 1)
	read := make(chan struct{})
	go func() {
		memory := wiretest.Memory(d, 8)
		for got := 0; ; {
			n, err := d.Read(0, memory)
			if err != nil {
				return
			}
			if got += n; got == size {
				got = 0
				read <- struct{}{}
			}
		}
	}()
	return func() {
		for range size {
			kernel.Send(t, nil, frame)
		}
		<-read
	}
}

// TestReadDoesNotAskTwice: for a frame that comes alone as the one before did,
// there is one system call that reads it, and one that finds no other.
func TestReadDoesNotAskTwice(t *testing.T) {
	burst := bursts(t, 1)
	const n = 300
	before := readCalls(t)
	for range n {
		burst()
	}
	if calls := readCalls(t) - before; calls > 2*n+n/4 {
		t.Errorf("%d system calls for %d frames, want about 2 for each", calls, n)
	}
}

// readCalls returns how many system calls of this process have read.
func readCalls(t testing.TB) int {
	t.Helper()
	io, err := os.ReadFile("/proc/self/io")
	wiretest.Check(t, err)
	for line := range strings.Lines(string(io)) {
		if value, ok := strings.CutPrefix(line, "syscr: "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			wiretest.Check(t, err)
			return n
		}
	}
	t.Fatalf("no syscr in /proc/self/io: %s", io)
	return 0
}
