package nstest

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethlink/ethlink/internal/netns"
)

// tell is the environment variable that makes this program say where it runs.
const tell = "NSTEST_TELL"

func TestMain(m *testing.M) {
	if os.Getenv(tell) != "" {
		fmt.Println("inside:", netns.Inside())
	}
	Main(m)
}

func TestMainRunsTestsInsideAndFuzzingOutside(t *testing.T) {
	Need(t)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"tests", []string{"-test.run=^$"}, "inside: false\ninside: true\n"},
		{"fuzzing", []string{"-test.run=^$", "-test.fuzz=FuzzNone", "-test.fuzzcachedir=" + t.TempDir()}, "inside: false\n"},
		{"listing", []string{"-test.list=^$"}, "inside: false\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", tt.args...)
			outside := func(s string) bool { return strings.HasPrefix(s, "ETHLINK_OUTER_NETNS=") }
			cmd.Env = append(slices.DeleteFunc(os.Environ(), outside), tell+"=1")
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if got := string(out); !strings.HasPrefix(got, tt.want) || strings.Count(got, "inside") != strings.Count(tt.want, "inside") {
				t.Errorf("printed %q, want %q", got, tt.want)
			}
		})
	}
}

// recorder is a test that is told of errors.
type recorder struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestCheckLeaks(t *testing.T) {
	before := patience
	patience = 50 * time.Millisecond
	t.Cleanup(func() { patience = before })
	for _, tt := range []struct {
		name string
		leak func(t *testing.T)
		want []string
	}{
		{"nothing", func(*testing.T) {}, nil},
		{"a file", func(t *testing.T) {
			f, err := os.Open("/dev/null")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
		}, []string{"/dev/null"}},
		{"a goroutine", func(t *testing.T) {
			end := make(chan struct{})
			go func() { <-end }()
			t.Cleanup(func() { close(end) })
		}, []string{"TestCheckLeaks"}},
		{"a goroutine that ends a little later", func(*testing.T) {
			go time.Sleep(time.Millisecond)
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r recorder
			CheckLeaks(&r)
			tt.leak(t)
			for _, f := range r.cleanups {
				f()
			}
			if len(r.errors) != len(tt.want) {
				t.Fatalf("errors %q, want %d", r.errors, len(tt.want))
			}
			for i, want := range tt.want {
				if !strings.Contains(r.errors[i], want) {
					t.Errorf("error %q does not say %q", r.errors[i], want)
				}
			}
		})
	}
}
