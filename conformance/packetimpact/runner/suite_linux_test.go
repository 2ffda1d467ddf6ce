package runner

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// binaries is the environment variable that names the folder of upstream's test
// binaries.
const binaries = "PACKETIMPACT_BIN"

// TestPacketimpact runs the whole suite.
func TestPacketimpact(t *testing.T) {
	dir := os.Getenv(binaries)
	if dir == "" {
		t.Skipf("packetimpact is not run: set %s to the folder of upstream's test binaries; README.md says where they are from", binaries)
	}
	if !filepath.IsAbs(dir) {
		t.Fatalf("%s=%s: want a whole path, as tests run in the folder of their package", binaries, dir)
	}
	need(t)
	tests, err := Tests()
	check(t, err)
	begin := time.Now()
	results, err := Run(t.Context(), Options{
		Folder: Folder(dir), Tests: tests, Device: deviceProgram(t), Link: "ethlink", Settle: DefaultSettle, Parallel: 4,
	})
	check(t, err)
	var table bytes.Buffer
	WriteHeader(&table)
	for _, r := range results {
		WriteRow(&table, r)
	}
	WriteSummary(&table, results, time.Since(begin))
	t.Logf("\n%s", table.String())
	if n := Summarize(results).Different; n > 0 {
		t.Errorf("%d tests are not as expected", n)
	}
}
