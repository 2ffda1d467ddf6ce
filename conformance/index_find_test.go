package conformance_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A testFunc is a function that go test runs.
type testFunc struct {
	file string // from the module's folder on
	name string
}

var (
	requirementName = regexp.MustCompile(`\bR([1-9][0-9]?)\b`)
	testFuncName    = regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)`)
)

// testsByRequirement finds the tests that name a requirement, in a comment or in
// a string. What names one outside of a test, such as a table, belongs to the
// tests that use it.
func testsByRequirement(t *testing.T) map[int][]testFunc {
	t.Helper()
	folders := map[string]*testFolder{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "testdata" || strings.HasPrefix(name, ".") && name != ".."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		folder := filepath.Dir(path)
		if folders[folder] == nil {
			folders[folder] = &testFolder{t: t, named: map[*testDecl][]int{}}
		}
		folders[folder].read(path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[int][]testFunc{}
	for _, f := range folders {
		for d, numbers := range f.named {
			for _, test := range f.testsOf(d) {
				for _, n := range numbers {
					all[n] = append(all[n], test)
				}
			}
		}
	}
	for n, tests := range all {
		slices.SortFunc(tests, func(a, b testFunc) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.name, b.name)) })
		all[n] = slices.Compact(tests)
	}
	return all
}

// A testFolder is the tests of a folder.
type testFolder struct {
	t     *testing.T
	decls []*testDecl
	named map[*testDecl][]int
}

// A testDecl is a function, or what one var, const or type declares.
type testDecl struct {
	file  string
	names []string
	test  bool
	uses  map[string]bool
	// From where to where, with its comment.
	first, last int
}

// read takes in a file.
func (f *testFolder) read(path string) {
	f.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatal(err)
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		f.t.Fatal(err)
	}
	var decls []*testDecl
	for _, node := range parsed.Decls {
		d := newTestDecl(node, func(p token.Pos) int { return set.Position(p).Offset })
		d.file = strings.TrimPrefix(filepath.ToSlash(path), "../")
		decls = append(decls, d)
	}
	f.decls = append(f.decls, decls...)
	for _, m := range requirementName.FindAllSubmatchIndex(text, -1) {
		at, number := m[0], string(text[m[2]:m[3]])
		k := slices.IndexFunc(decls, func(d *testDecl) bool { return d.first <= at && at < d.last })
		n, _ := strconv.Atoi(number)
		switch {
		case filepath.Base(path) == "requirements_test.go": // it names all
		case n > len(requirements):
			f.t.Errorf("%s names R%d, of which there is none", path, n)
		case k < 0:
			f.t.Errorf("%s names R%d outside of everything: name it in the test", path, n)
		default:
			f.named[decls[k]] = append(f.named[decls[k]], n)
		}
	}
}

func newTestDecl(node ast.Decl, offset func(token.Pos) int) *testDecl {
	d := &testDecl{uses: map[string]bool{}, first: offset(node.Pos()), last: offset(node.End())}
	var doc *ast.CommentGroup
	switch x := node.(type) {
	case *ast.FuncDecl:
		doc = x.Doc
		d.names = []string{x.Name.Name}
		d.test = x.Recv == nil && testFuncName.MatchString(x.Name.Name)
	case *ast.GenDecl:
		doc = x.Doc
		for _, spec := range x.Specs {
			switch s := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range s.Names {
					d.names = append(d.names, name.Name)
				}
			case *ast.TypeSpec:
				d.names = append(d.names, s.Name.Name)
			}
		}
	}
	if doc != nil {
		d.first = offset(doc.Pos())
	}
	ast.Inspect(node, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			d.uses[id.Name] = true
		}
		return true
	})
	return d
}

// testsOf returns the tests that a declaration is part of: itself, or those that
// use it, directly or by others. Identifiers are told apart by their names only,
// so one that several things have will not do.
func (f *testFolder) testsOf(d *testDecl) (tests []testFunc) {
	f.t.Helper()
	seen := map[*testDecl]bool{d: true}
	for todo := []*testDecl{d}; len(todo) > 0; {
		x := todo[0]
		todo = todo[1:]
		if x.test {
			tests = append(tests, testFunc{x.file, x.names[0]})
			continue
		}
		for _, name := range x.names {
			if n := f.count(name); n > 1 {
				f.t.Errorf("%s: %d things are called %s, which names %v or is used by what does: name them in the tests", x.file, n, name, f.named[d])
				return nil
			}
		}
		for _, user := range f.decls {
			if !seen[user] && slices.ContainsFunc(x.names, func(name string) bool { return user.uses[name] }) {
				seen[user] = true
				todo = append(todo, user)
			}
		}
	}
	return tests
}

// count returns how many declarations declare a name.
func (f *testFolder) count(name string) (n int) {
	for _, d := range f.decls {
		if slices.Contains(d.names, name) {
			n++
		}
	}
	return n
}
