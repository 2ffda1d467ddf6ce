package bench

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// The subjects of these benchmarks: ours, and what it is compared with.
const (
	benchSubjects = "ethlink-tap,fdbased-tap,kernel"
	benchRounds   = 3
	benchDuration = 150 * time.Millisecond
)

// sideBySide runs one test with all subjects in turn, and reports what ours did
// and how it compares with each other one. An iteration is three short rounds:
// cmd/bench is for figures that mean more.
func sideBySide(b *testing.B, name string) {
	b.Helper()
	nstest.NeedTUN(b)
	o := Options{Rounds: benchRounds, Duration: benchDuration}
	if err := o.Pick(benchSubjects, name, false); err != nil {
		b.Fatal(err)
	}
	var r *Results
	for b.Loop() {
		var err error
		if r, err = Run(o); err != nil {
			b.Fatal(err)
		}
	}
	var ours Subject
	for _, s := range o.Subjects {
		if s.side == sideOurs {
			ours = s
		}
	}
	t := o.Tests[0]
	for _, s := range o.Subjects {
		if s.side != sideOurs {
			report(b, r.Ratio(ours, s, t).Median, "x-"+s.Name)
			report(b, r.CPURatio(ours, s, t).Median, "x-less-CPU-than-"+s.Name)
		}
	}
	switch rate := r.median(ours, t, rateOf).Median; {
	case t.Kind.pingPong():
		report(b, r.median(ours, t, p50Of).Median*1e6, "µs-p50")
		report(b, r.median(ours, t, p99Of).Median*1e6, "µs-p99")
	case t.Kind == kindUDP:
		report(b, rate/1e3, "kpps")
	default:
		report(b, rate*8/1e9, "Gbit/s")
	}
	// How long an iteration takes says nothing.
	b.ReportMetric(0, "ns/op")
	if p := r.Problems(); len(p) > 0 {
		b.Log(strings.Join(p, "\n"))
	}
}

// report reports a metric that was measured.
func report(b *testing.B, x float64, unit string) {
	if !math.IsNaN(x) {
		b.ReportMetric(x, unit)
	}
}

func BenchmarkTCPOut(b *testing.B) { sideBySide(b, "tcp4-out-1") }

func BenchmarkTCPIn(b *testing.B) { sideBySide(b, "tcp4-in-1") }

func BenchmarkTCPOut64Flows(b *testing.B) { sideBySide(b, "tcp4-out-64") }

func BenchmarkTCPIn64Flows(b *testing.B) { sideBySide(b, "tcp4-in-64") }

func BenchmarkUDPOut(b *testing.B) { sideBySide(b, "udp4-out-64") }

func BenchmarkUDPIn(b *testing.B) { sideBySide(b, "udp4-in-64") }

func BenchmarkPingPong(b *testing.B) { sideBySide(b, "pingpong-tcp4") }
