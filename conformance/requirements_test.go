package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
)

// requirements is how many lines the project's list of requirements has: R1 to
// R66, what the standards and good practice ask of the Ethernet and ARP layer.
const requirements = 66

var requirementName = regexp.MustCompile(`\bR([1-9][0-9]?)\b`)

// TestRequirements prints which tests name which requirement, and fails if one is
// named by none.
func TestRequirements(t *testing.T) {
	named := map[int][]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "requirements_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range requirementName.FindAllSubmatch(text, -1) {
			n, _ := strconv.Atoi(string(m[1]))
			named[n] = append(named[n], strings.TrimPrefix(filepath.ToSlash(path), "../"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks() {
		if n, err := strconv.Atoi(strings.TrimPrefix(c.requirement, "R")); err == nil {
			named[n] = append(named[n], c.fullName())
		}
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for n := 1; n <= requirements; n++ {
		where := slices.Compact(slices.Sorted(slices.Values(named[n])))
		if len(where) == 0 {
			t.Errorf("no test names R%d", n)
		}
		fmt.Fprintf(w, "R%d\t%s\n", n, strings.Join(where, ", "))
	}
	w.Flush()
	t.Logf("\n%s", b.String())
}
