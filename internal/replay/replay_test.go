package replay

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// recorder is a test that fails without failing this one.
type recorder struct {
	testing.TB
	failed bool
	logs   []string
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return "TestX/kind" }
func (r *recorder) Failed() bool { return r.failed }
func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatal(args ...any) { r.failed, r.logs = true, append(r.logs, fmt.Sprint(args...)) }

// TestKeep: a seed that fails is kept once, with why, and run first from then
// on; its journal can be read.
func TestKeep(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	file := filepath.Join(t.TempDir(), "kind", "seeds.txt")
	var ran []uint64
	s := Simulation{File: file, Count: 5}
	for n, want := range [][]uint64{{1, 2, 3}, {3}} {
		r := &recorder{}
		ran = nil
		s.Run = func(seed uint64, j *Journal) {
			ran = append(ran, seed)
			j.Note(time.Second, "seed %d begins", seed)
			if seed == 3 {
				r.failed = true
				j.Wrong(2*time.Second, "it\nis three")
				j.Wrong(2*time.Second, "and more")
			}
		}
		s.Test(r)
		if !slices.Equal(ran, want) {
			t.Errorf("run %d: seeds %v, want %v", n, ran, want)
		}
		if len(r.logs) != 1 || !strings.Contains(r.logs[0], "SEED=3: it\nis three") {
			t.Fatalf("run %d: logs %q", n, r.logs)
		}
		_, path, _ := strings.Cut(r.logs[0], "what happened: ")
		text, err := os.ReadFile(path)
		const journal = "    1.000000  seed 3 begins\n    2.000000  WRONG: it\nis three\n    2.000000  WRONG: and more\n"
		if err != nil || string(text) != journal {
			t.Errorf("run %d: journal %q, %v, want %q", n, text, err, journal)
		}
	}
	text, err := os.ReadFile(file)
	if want := header + "3 # it is three\n"; err != nil || string(text) != want {
		t.Errorf("the file is %q, %v, want %q", text, err, want)
	}
	// Mended, the seed still comes first, and only once.
	ran, s.Run = nil, func(seed uint64, _ *Journal) { ran = append(ran, seed) }
	if s.Test(t); !slices.Equal(ran, []uint64{3, 1, 2, 4, 5}) {
		t.Errorf("seeds %v", ran)
	}
	s.Only, ran = 9, nil
	if s.Test(t); !slices.Equal(ran, []uint64{9}) {
		t.Errorf("seeds %v, want only 9", ran)
	}
}

// TestKeepOnExit: also when the simulation ends the goroutine of the test.
func TestKeepOnExit(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	file := filepath.Join(t.TempDir(), "seeds.txt")
	r, done := &recorder{}, make(chan struct{})
	go func() {
		defer close(done)
		Simulation{File: file, Only: 7, Run: func(uint64, *Journal) {
			r.failed = true
			runtime.Goexit()
		}}.Test(r)
	}()
	<-done
	if seeds, err := Seeds(file); err != nil || !slices.Equal(seeds, []uint64{7}) {
		t.Errorf("kept %v, %v", seeds, err)
	}
}

func TestSeedsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seeds.txt")
	if err := os.WriteFile(file, []byte("1 # one\n\n# two\nthree\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Seeds(file); err == nil || !strings.Contains(err.Error(), `seeds.txt:4: "three"`) {
		t.Errorf("error %v, want one that names line 4", err)
	}
	r := &recorder{}
	Simulation{File: file}.Test(r)
	if !r.failed {
		t.Error("a file that cannot be read fails no test")
	}
}

// TestJournalForgets: the oldest lines go, and it says how many.
func TestJournalForgets(t *testing.T) {
	var j Journal
	for n := range maxLines + 2 {
		j.Note(time.Duration(n), "line %d.", n)
	}
	lines := strings.Split(strings.TrimSuffix(j.String(), "\n"), "\n")
	if len(lines) != 1+maxLines || lines[0] != "(2 lines before these)" ||
		!strings.HasSuffix(lines[1], "line 2.") || !strings.HasSuffix(lines[maxLines], fmt.Sprintf("line %d.", maxLines+1)) {
		t.Errorf("%d lines: %q, %q ... %q", len(lines), lines[0], lines[1], lines[len(lines)-1])
	}
}
