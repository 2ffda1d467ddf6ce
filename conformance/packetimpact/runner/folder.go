package runner

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A Folder has upstream's test binaries. The one of tcp_info is tcp_info_test,
// or tcp_info, or tcp_info_test_/tcp_info_test, which is where Bazel leaves it.
type Folder string

// Find returns the path of a test's binary.
func (f Folder) Find(test string) (string, error) {
	name := test + "_test"
	for _, path := range []string{name, test, filepath.Join(name+"_", name)} {
		path = filepath.Join(string(f), path)
		info, err := os.Stat(path)
		switch {
		case err != nil || info.IsDir():
		case info.Mode()&0o111 == 0:
			return "", fmt.Errorf("%s is not executable: want upstream's test binary", path)
		default:
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("no %s in folder %q: %w", name, string(f), fs.ErrNotExist)
}
