package runner

import (
	"regexp"
	"strings"
)

// resultLine is the line that `-test.v` ends each test and subtest with; the
// latter are indented.
var resultLine = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+) \([0-9.]+s\)\r?$`)

// parseOutput counts what the output of a test binary tells of, and lists the
// names of the tests that failed. Of a test and its subtests, only the subtests
// are listed: that one of them failed is why the test did.
func parseOutput(out string) (c Counts, failed []string) {
	for _, m := range resultLine.FindAllStringSubmatch(out, -1) {
		switch result, name := m[1], m[2]; result {
		case "PASS":
			c.Pass++
		case "SKIP":
			c.Skip++
		default:
			c.Fail++
			failed = append(failed, name)
		}
	}
	return c, leaves(failed)
}

// leaves leaves out the names of which others are subtests.
func leaves(names []string) []string {
	parent := map[string]bool{}
	for _, name := range names {
		for i := range len(name) {
			if name[i] == '/' {
				parent[name[:i]] = true
			}
		}
	}
	var list []string
	for _, name := range names {
		if !parent[name] {
			list = append(list, name)
		}
	}
	return list
}

// lastLines returns the end of a text.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
