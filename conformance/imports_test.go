package conformance

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/ethlink/ethlink"

// importRules says what the files of a folder may import besides the standard
// library: ARCHITECTURE.md's table. A rule that ends in a slash allows
// everything below it. Tests may import more, see testImports.
var importRules = []struct {
	folder string
	// std lists the packages of the standard library that are allowed; nil
	// means all.
	std    []string
	others []string
}{
	{folder: "arp", std: []string{
		"cmp", "container/heap", "encoding/binary", "errors", "fmt", "iter", "maps", "math", "math/bits", "math/rand/v2", "net/netip", "slices", "time",
	}},
	{folder: "ethstack", others: []string{modulePath + "/arp", modulePath + "/internal/checksum"}},
	{folder: "ethstack/ethtest", others: []string{
		modulePath + "/arp", modulePath + "/ethstack", modulePath + "/internal/checksum", modulePath + "/internal/frameio", modulePath + "/internal/linkstate",
	}},
	{folder: "ethstack/ethtest/devicetest", others: []string{modulePath + "/arp", modulePath + "/ethstack"}},
	{folder: "endpoint", others: []string{
		modulePath + "/arp", modulePath + "/ethstack", modulePath + "/internal/fifo", modulePath + "/internal/frameio",
		modulePath + "/internal/linkstate", "gvisor.dev/gvisor/",
	}},
	{folder: "adapters/channel", others: []string{
		modulePath + "/ethstack", modulePath + "/internal/fifo", modulePath + "/internal/frameio", modulePath + "/internal/linkstate",
	}},
	{folder: "adapters/tap", others: []string{
		modulePath + "/ethstack", modulePath + "/internal/frameio", modulePath + "/internal/linkstate", modulePath + "/internal/linkwatch",
		modulePath + "/internal/vnet", "golang.org/x/sys/unix",
	}},
	{folder: "adapters/fdbased", others: []string{
		modulePath + "/adapters/tap", modulePath + "/ethstack", modulePath + "/internal/frameio", modulePath + "/internal/linkstate",
		modulePath + "/internal/linkwatch", modulePath + "/internal/vnet", "golang.org/x/sys/unix",
	}},
	{folder: "internal/fifo"},
	{folder: "internal/frameio", others: []string{modulePath + "/ethstack", "golang.org/x/sys/unix"}},
	{folder: "internal/lab", others: []string{
		modulePath + "/endpoint", modulePath + "/ethstack", modulePath + "/internal/checksum", modulePath + "/internal/netns", "gvisor.dev/gvisor/",
	}},
	{folder: "internal/linkstate", others: []string{modulePath + "/ethstack"}},
	{folder: "internal/linkwatch", others: []string{modulePath + "/ethstack", "golang.org/x/sys/unix"}},
	{folder: "internal/replay"},
	{folder: "internal/vnet", others: []string{modulePath + "/ethstack"}},
	{folder: "internal/checksum"},
	{folder: "internal/netns", others: []string{"golang.org/x/sys/unix"}},
	{folder: "internal/netns/nstest", others: []string{modulePath + "/internal/netns", "golang.org/x/sys/unix"}},
	{folder: "internal/wiretest", others: []string{modulePath + "/ethstack", modulePath + "/internal/netns", "golang.org/x/sys/unix"}},
	{folder: "internal/bench", others: []string{modulePath + "/", "golang.org/x/sys/unix", "gvisor.dev/gvisor/"}},
	{folder: "cmd/bench", others: []string{modulePath + "/internal/bench", modulePath + "/internal/netns"}},
	{folder: "cmd/demo", others: []string{modulePath + "/", "golang.org/x/sys/unix", "gvisor.dev/gvisor/"}},
	{folder: "conformance/gopacket", others: []string{modulePath + "/arp", modulePath + "/ethstack", "github.com/gopacket/gopacket", "github.com/gopacket/gopacket/layers"}},
	{folder: "conformance/dhcp", others: []string{"github.com/insomniacslk/dhcp/", "gvisor.dev/gvisor/"}},
	{folder: "conformance/packetimpact/posix", others: []string{"google.golang.org/grpc", "google.golang.org/grpc/", "google.golang.org/protobuf/"}},
	{folder: "conformance/packetimpact/dut", others: []string{
		modulePath + "/", "google.golang.org/grpc", "google.golang.org/grpc/", "google.golang.org/protobuf/", "gvisor.dev/gvisor/",
	}},
	{folder: "conformance/packetimpact/runner", others: []string{modulePath + "/", "golang.org/x/sys/unix", "google.golang.org/grpc", "google.golang.org/grpc/"}},
	{folder: "conformance/packetimpact/cmd/dut", others: []string{
		modulePath + "/", "golang.org/x/sys/unix", "google.golang.org/grpc", "google.golang.org/grpc/", "gvisor.dev/gvisor/",
	}},
	{folder: "conformance/packetimpact/cmd/packetimpact", others: []string{modulePath + "/", "golang.org/x/sys/unix"}},
	{folder: "conformance", others: []string{modulePath + "/", "golang.org/x/sys/unix", "gvisor.dev/gvisor/", "github.com/google/go-cmp/"}},
}

// testImports may be imported by tests of every folder, except that arp and
// ethstack keep clear of gVisor in their tests, too.
var testImports = []string{modulePath + "/", "github.com/google/go-cmp/", "golang.org/x/sys/unix"}

func TestImportRules(t *testing.T) {
	const root = ".."
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		seen[folder] = true
		checkImports(t, folder, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range importRules {
		if !seen[r.folder] {
			t.Errorf("there is a rule for %s, which has no Go file", r.folder)
		}
	}
}

func checkImports(t *testing.T, folder, path string) {
	t.Helper()
	at := slices.IndexFunc(importRules, func(r struct {
		folder      string
		std, others []string
	}) bool {
		return r.folder == folder
	})
	if at < 0 {
		t.Errorf("%s: folder %s has no import rule: add it to importRules and to ARCHITECTURE.md", path, folder)
		return
	}
	rule := importRules[at]
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	isTest := strings.HasSuffix(path, "_test.go")
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		allowed := rule.others
		if isTest {
			allowed = append(slices.Clone(allowed), testImports...)
		}
		ok := matches(allowed, name)
		if first, _, _ := strings.Cut(name, "/"); !strings.Contains(first, ".") {
			ok = rule.std == nil || isTest || slices.Contains(rule.std, name)
		}
		if !ok {
			t.Errorf("%s imports %s, which the rule for %s does not allow", path, name, folder)
		}
	}
}

func matches(allowed []string, name string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		return name == a || strings.HasSuffix(a, "/") && strings.HasPrefix(name, a)
	})
}
