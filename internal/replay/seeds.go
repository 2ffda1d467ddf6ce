package replay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// header begins a file of seeds.
const header = `# Seeds that have failed once, each with why. They are run first, always. What
# fails is added here by the test itself; keep the line when that is mended.
`

// Seeds reads a file of seeds: one in a line, the rest of a line from # on is
// for people. A file that does not exist has none.
func Seeds(file string) (all []uint64, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for n, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		seed, err := strconv.ParseUint(line, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %q is no seed: want a number, and behind # why it is here", file, n+1, line)
		}
		all = append(all, seed)
	}
	return all, nil
}

// add adds a seed to the file, if it is not there yet.
func add(file string, seed uint64, why string) error {
	all, err := Seeds(file)
	if err != nil || slices.Contains(all, seed) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%d # %s\n", seed, strings.ReplaceAll(why, "\n", " "))
	if info.Size() == 0 {
		text = header + text
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Close()
}
