package replay

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A Simulation is what is run for one seed after the other.
type Simulation struct {
	// File has the seeds that have failed: see [Seeds].
	File string
	// Count: the seeds from 1 to this are run, after those of the file.
	Count uint64
	// Only, if not zero, is the one seed to run instead.
	Only uint64
	// Run runs one. It fails the test if something is wrong, and writes down
	// what happens.
	Run func(seed uint64, j *Journal)
}

// Test runs the simulation until a seed fails the test. That one is added to
// the file, and its journal written to another: in the directory for artifacts
// if go test is to keep them (-artifacts), or that for temporary files.
func (s Simulation) Test(t testing.TB) {
	t.Helper()
	seeds, err := s.seeds()
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range seeds {
		if !s.try(t, seed) {
			return
		}
	}
}

// seeds lists what to run, each once.
func (s Simulation) seeds() ([]uint64, error) {
	if s.Only != 0 {
		return []uint64{s.Only}, nil
	}
	all, err := Seeds(s.File)
	if err != nil {
		return nil, err
	}
	kept := map[uint64]bool{}
	for _, seed := range all {
		kept[seed] = true
	}
	for seed := uint64(1); seed <= s.Count; seed++ {
		if !kept[seed] {
			all = append(all, seed)
		}
	}
	return all, nil
}

// try runs one seed and reports whether it went well. Run may end the test's
// goroutine.
func (s Simulation) try(t testing.TB, seed uint64) (ok bool) {
	t.Helper()
	j := new(Journal)
	defer func() {
		t.Helper()
		if ok = !t.Failed(); !ok {
			s.keep(t, seed, j)
		}
	}()
	s.Run(seed, j)
	return
}

// keep keeps what can be kept of a seed that failed.
func (s Simulation) keep(t testing.TB, seed uint64, j *Journal) {
	t.Helper()
	why := j.Why()
	if err := add(s.File, seed, why); err != nil {
		t.Logf("the seed is not kept: %v", err)
	}
	path, err := write(t, fmt.Sprintf("%s-seed-%d.txt", strings.ReplaceAll(t.Name(), "/", "-"), seed), j.String())
	if err != nil {
		path = err.Error()
	}
	t.Logf("SEED=%d: %s; what happened: %s", seed, why, path)
}

// write writes a file that outlives the test.
func write(t testing.TB, name, text string) (path string, err error) {
	if f := flag.Lookup("test.artifacts"); f != nil && f.Value.String() == "true" {
		path = filepath.Join(t.ArtifactDir(), name)
	} else {
		dir, err := os.MkdirTemp("", "ethlink-")
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, name)
	}
	return path, os.WriteFile(path, []byte(text), 0o644)
}
