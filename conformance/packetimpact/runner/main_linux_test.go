package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// role is the environment variable that makes this program one that the tests
// start.
const role = "RUNNER_TEST_ROLE"

var roles = map[string]func() int{"bench": bench, "parent": parent}

func TestMain(m *testing.M) {
	if play, ok := roles[os.Getenv(role)]; ok {
		os.Exit(play())
	}
	nstest.Main(m)
}

// patience bounds how long anything is waited for.
const patience = 20 * time.Second

func check(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// script writes a shell script, and returns its path.
func script(t *testing.T, path, text string) string {
	t.Helper()
	check(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	return path
}

// folder makes a folder of fake test binaries, shell scripts by their names.
func folder(t *testing.T, scripts map[string]string) Folder {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		script(t, filepath.Join(dir, name+"_test"), text)
	}
	return Folder(dir)
}

// play is the shell command that has this program play a role.
func play(t *testing.T, what string) string {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	return fmt.Sprintf("%s=%s exec '%s' \"$@\"", role, what, self)
}

// wait waits until a condition comes about.
func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
