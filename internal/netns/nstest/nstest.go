// Package nstest runs tests in a network namespace of their own.
//
// A package whose tests need one has a TestMain that calls [Main], and each
// such test begins with [Need]:
//
//	func TestMain(m *testing.M) { nstest.Main(m) }
//
//	func TestPing(t *testing.T) {
//		nstest.Need(t)
//		...
//	}
package nstest

import (
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/ethlink/ethlink/internal/netns"
)

// Require is the environment variable that, set to 1, turns skips of [Need]
// and [NeedTUN] into failures, so that continuous integration cannot quietly
// lose these tests.
const Require = "REQUIRE_KERNEL_TESTS"

// errUnavailable says why the tests are not in a namespace of their own.
var errUnavailable = errors.New("nstest.Main was not called by TestMain")

// Main runs the tests of m and exits. It starts the test binary again in a new
// network namespace, with the same arguments: so that process writes the
// profiles, coverage and logs that were asked for, and this one passes its
// exit status on. Where no namespace can be had the tests run in this process,
// and those that [Need] one skip.
//
// Fuzzing runs outside: the fuzzing engine starts and talks to workers by
// itself, and fuzz targets need no network.
func Main(m *testing.M) {
	flag.Parse()
	switch {
	case netns.Inside():
		errUnavailable = netns.Setup()
	case isSet("test.fuzz") || isSet("test.fuzzworker") || isSet("test.list"):
		errUnavailable = errors.New("not available while fuzzing")
	default:
		var status int
		if status, errUnavailable = netns.Run(netns.Options{}); errUnavailable == nil {
			os.Exit(status)
		}
	}
	os.Exit(m.Run())
}

// isSet reports whether a flag of package testing has another value than its
// default.
func isSet(name string) bool {
	f := flag.Lookup(name)
	return f != nil && f.Value.String() != f.DefValue
}

// Need skips a test that has no network namespace of its own, and says why.
func Need(t testing.TB) {
	t.Helper()
	if errUnavailable != nil {
		skip(t, "needs a network namespace of its own", errUnavailable)
	}
}

// NeedTUN is [Need], and skips a test too if no TAP can be opened.
func NeedTUN(t testing.TB) {
	t.Helper()
	Need(t)
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		skip(t, "needs read and write access to /dev/net/tun", err)
		return
	}
	f.Close()
}

func skip(t testing.TB, needs string, err error) {
	t.Helper()
	if os.Getenv(Require) == "1" {
		t.Fatalf("%s=1, and the test %s: %v", Require, needs, err)
	}
	t.Skipf("%s: %v", needs, err)
}
