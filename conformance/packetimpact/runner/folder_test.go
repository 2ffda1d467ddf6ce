package runner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	make := func(name string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, mode)); err != nil {
			t.Fatal(err)
		}
	}
	make("plain_test", 0o755)
	make("short", 0o755)
	make("both", 0o755)
	make("both_test", 0o755)
	make("bazel_test_/bazel_test", 0o755)
	make("text_test", 0o644)
	for test, want := range map[string]string{
		"plain": "plain_test", "short": "short", "both": "both_test", "bazel": "bazel_test_/bazel_test",
	} {
		got, err := Folder(dir).Find(test)
		if err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: %q, %v; want %s", test, got, err, want)
		}
	}
	if _, err := Folder(dir).Find("none"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none_test") {
		t.Errorf("none: %v", err)
	}
	if _, err := Folder(dir).Find("text"); err == nil || !strings.Contains(err.Error(), "not executable") {
		t.Errorf("text: %v", err)
	}
}
