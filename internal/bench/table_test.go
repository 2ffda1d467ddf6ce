package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// example returns results of three subjects in two rounds. The kernel missed a
// round of the first test, channel-tap all of them.
func example(t *testing.T) *Results {
	t.Helper()
	r := &Results{
		Machine: Machine{CPU: "A <fast> CPU & more", Kernel: "Linux 1", Go: "go1", GVisor: "v0", Cores: 2},
		Options: Options{Rounds: 2, Duration: time.Second},
	}
	if err := r.Options.Pick("kernel,channel-tap,ethlink-tap", "tcp4-out-1,udp4-in-64,pingpong-tcp4", false); err != nil {
		t.Fatal(err)
	}
	kernel, channel, ours := r.Options.Subjects[0], r.Options.Subjects[1], r.Options.Subjects[2]
	tcp, udp, ping := r.Options.Tests[0], r.Options.Tests[1], r.Options.Tests[2]
	const gbit = 1e9 / 8
	r.add(kernel, tcp, noSample)
	r.add(kernel, tcp, Sample{Rate: 40 * gbit, CPU: 0.1e-9, Machine: 0.2e-9, Allocs: 1e-6, Other: 0.1})
	r.add(ours, tcp, Sample{Rate: 10 * gbit, CPU: 0.5e-9, Machine: 0.9e-9, Allocs: 20e-6, Other: 0.1})
	r.add(ours, tcp, Sample{Rate: 30 * gbit, CPU: 0.2e-9, Machine: 0.5e-9, Allocs: 10e-6, Other: 0.3})
	for i := range 2 {
		n := float64(i + 1)
		r.add(kernel, udp, Sample{Rate: 200e3, CPU: 2e-6, Machine: 4e-6, Allocs: 0.05})
		r.add(ours, udp, Sample{Rate: n * 150e3, CPU: 4e-6, Machine: 8e-6, Allocs: 3})
		r.add(kernel, ping, Sample{Rate: 20e3, CPU: 2e-6, Machine: 4e-6, P50: 20 * time.Microsecond, P99: 100 * time.Microsecond})
		r.add(ours, ping, Sample{Rate: 10e3, CPU: 4e-6, Machine: 8e-6, P50: 40 * time.Microsecond, P99: 150 * time.Microsecond})
		for _, x := range r.Options.Tests {
			r.add(channel, x, noSample)
		}
	}
	r.problem("channel-tap is left out: there is none")
	r.problem("channel-tap is left out: there is none")
	return r
}

const exampleTables = `A <fast> CPU & more, 2 cores; Linux 1; go1; gVisor v0

    bench -x

Medians of 2 rounds of 1s a test. The subjects:

- ~kernel~: Linux TCP to Linux TCP over a veth pair: the limit
- ~channel-tap~: gVisor's link/channel and link/ethernet, and loops that read and write a TAP: what people glue together
- ~ethlink-tap~: this module on a TAP

### What arrives

Gbit/s; for UDP thousands of datagrams a second; for ping-pong µs a round trip, p50 / p99

| | kernel | channel-tap | ethlink-tap |
|---|---:|---:|---:|
| TCP out, IPv4, 1 flow | 40.0 | – | 20.0 |
| UDP in, 64 B | 200 | – | 225 |
| ping-pong TCP, 1 byte | 20 / 100 | – | 40 / 150 |

### CPU time of the process

s for 1 GB; for UDP and ping-pong µs for a datagram or a round trip

| | kernel | channel-tap | ethlink-tap |
|---|---:|---:|---:|
| TCP out, IPv4, 1 flow | 0.10 | – | 0.35 |
| UDP in, 64 B | 2.00 | – | 4.00 |
| ping-pong TCP, 1 byte | 2.00 | – | 4.00 |

### CPU time of the whole machine

the same unit

| | kernel | channel-tap | ethlink-tap |
|---|---:|---:|---:|
| TCP out, IPv4, 1 flow | 0.20 | – | 0.70 |
| UDP in, 64 B | 4.00 | – | 8.00 |
| ping-pong TCP, 1 byte | 4.00 | – | 8.00 |

### Allocations

for 1 MB; for UDP and ping-pong for a datagram or a round trip

| | kernel | channel-tap | ethlink-tap |
|---|---:|---:|---:|
| TCP out, IPv4, 1 flow | 1.00 | – | 15.0 |
| UDP in, 64 B | 0.05 | – | 3.00 |
| ping-pong TCP, 1 byte | 0 | – | 0 |

### ethlink-tap against the others

How many times as fast (for ping-pong by p50), median and range of what was measured within one round

| | kernel | channel-tap |
|---|---:|---:|
| TCP out, IPv4, 1 flow | 0.75 (0.75–0.75) | – |
| UDP in, 64 B | 1.12 (0.75–1.50) | – |
| ping-pong TCP, 1 byte | 0.50 (0.50–0.50) | – |

How many times less CPU time of its process

| | kernel | channel-tap |
|---|---:|---:|
| TCP out, IPv4, 1 flow | 0.50 (0.50–0.50) | – |
| UDP in, 64 B | 0.50 (0.50–0.50) | – |
| ping-pong TCP, 1 byte | 0.50 (0.50–0.50) | – |

Of the machine, 0 (0–30.0) % was used by neither the subject nor its peer: by the kernel's threads and whatever else ran.

Failed, left out, or odd:

- channel-tap is left out: there is none
`

func TestTables(t *testing.T) {
	var b strings.Builder
	if err := example(t).WriteTables(&b, "bench -x"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(exampleTables, "~", "`"), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTablesSayThatNothingFailed(t *testing.T) {
	r := example(t)
	r.problems = nil
	var b strings.Builder
	if err := r.WriteTables(&b, ""); err != nil || !strings.HasSuffix(b.String(), "\nNothing failed and nothing was left out; all that arrived was as it was sent.\n") {
		t.Errorf("%v; the end is not as expected:\n%s", err, b.String())
	}
}

func TestDigits(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.0123: "0.012", 0.123: "0.12", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 56789: "56789"} {
		if got := digits(x); got != want {
			t.Errorf("digits(%v) = %s, want %s", x, got, want)
		}
	}
}

func TestSVGIsWellFormed(t *testing.T) {
	r := example(t)
	var b strings.Builder
	if err := r.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	var texts []string
	bars := map[string]int{}
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in:\n%s", err, b.String())
		}
		switch x := token.(type) {
		case xml.CharData:
			texts = append(texts, string(x))
		case xml.StartElement:
			for _, a := range x.Attr {
				if a.Name.Local == "class" && x.Name.Local == "rect" {
					bars[a.Value]++
				}
			}
		}
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{"A <fast> CPU & more, 2 cores", "TCP out, IPv4, 1 flow (Gbit/s)", "ethlink-tap", "40 / 150", "not measured", "prefers-color-scheme: dark"} {
		if !strings.Contains(all, want) {
			t.Errorf("the plot does not say %q", want)
		}
	}
	if diff := cmp.Diff(map[string]int{"paper": 1, "kernel": 3, "ours": 3}, bars); diff != "" {
		t.Errorf("rectangles (-want +got):\n%s", diff)
	}
	if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "%!") {
		t.Errorf("a number is missing:\n%s", b.String())
	}
}
