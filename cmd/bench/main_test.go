package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethlink/ethlink/internal/bench"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

func TestMain(m *testing.M) {
	bench.RunWorker()
	nstest.Main(m)
}

func TestQuick(t *testing.T) {
	nstest.NeedTUN(t)
	nstest.CheckLeaks(t)
	svg := filepath.Join(t.TempDir(), "plot.svg")
	var stdout, stderr bytes.Buffer
	args := []string{"-quick", "-subjects", "kernel,ethlink-*", "-duration", "20ms", "-svg", svg}
	if status := run(args, &stdout, &stderr); status != statusOK {
		t.Fatalf("status %d:\n%s", status, stderr.String())
	}
	for _, want := range []string{
		"    go run ./cmd/bench -quick -subjects kernel,ethlink-* -duration 20ms -svg " + svg,
		"\n| | kernel | ethlink-tap | ethlink-tap-queue | ethlink-tap-plain | ethlink-packet | ethlink-packet-queue |\n",
		"\n| TCP out, IPv4, 1 flow | ", "\n| TCP in, IPv6, 4 flows | ", "\n| UDP out, 64 B | ", "\n| ping-pong UDP, 1 byte | ",
		"\n### ethlink-packet against the others\n",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s\n%s", stdout.String(), stderr.String())
	}
	f, err := os.Open(svg)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := xml.NewDecoder(f); err == nil; {
		_, err = d.Token()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("the plot: %v", err)
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args         string
		status       int
		stdout, fail string
	}{
		{"-h", statusOK, "ethlink-tap-queue", ""},
		{"-help", statusOK, "pingpong-tcp4", ""},
		{"-subjects nobody", statusUsage, "", `no subject is called "nobody"`},
		{"-tests nothing", statusUsage, "", `no test is called "nothing"`},
		{"-nonsense", statusUsage, "", "-nonsense"},
		{"quick", statusUsage, "", `"quick" is no flag`},
		{"-duration 1", statusUsage, "", "-duration"},
		{"-rounds 0", statusFailed, "", "0 rounds: want 1"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			nstest.Need(t)
			var stdout, stderr bytes.Buffer
			status := run(strings.Fields(tt.args), &stdout, &stderr)
			if status != tt.status || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.fail) {
				t.Errorf("status %d, want %d; output:\n%s\nerrors:\n%s", status, tt.status, stdout.String(), stderr.String())
			}
			if tt.fail == "" && stderr.Len() > 0 {
				t.Errorf("errors:\n%s", stderr.String())
			}
		})
	}
}

func TestQuickLeavesWhatIsGiven(t *testing.T) {
	o, err := parse([]string{"-quick", "-rounds", "3", "-tests", "tcp4-out-1"})
	if err != nil || o.bench.Rounds != 3 || len(o.bench.Tests) != 1 || o.bench.Duration != quickDuration {
		t.Errorf("%+v, %v", o.bench, err)
	}
	if o, err = parse(nil); err != nil || o.bench.Rounds != defaultRounds || o.bench.Duration != defaultDuration || len(o.bench.Tests) != len(bench.Tests()) {
		t.Errorf("without flags: %+v, %v", o.bench, err)
	}
}
