package nstest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ethlink/ethlink/internal/netns"
)

func TestProgram(t *testing.T) {
	shell := NeedProgram(t, "sh", "dash")
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	p := Start(t, ns, shell, "-c", "readlink /proc/self/ns/net; echo problem >&2; exit 7")
	if status := p.Wait(); status != 7 {
		t.Errorf("exit status %d, want 7", status)
	}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(p.Output())
	if len(lines) != 2 || slices.Contains(lines, own) || !slices.Contains(lines, "problem") {
		t.Errorf("it said %q; want another namespace than %s, and a problem", lines, own)
	}
	here := Start(t, nil, shell, "-c", "readlink /proc/self/ns/net")
	if status := here.Wait(); status != 0 || strings.TrimSpace(here.Output()) != own {
		t.Errorf("in this namespace: status %d, %q; want 0, %q", status, here.Output(), own)
	}
}

// TestProgramIsKilled: what does not end by itself ends with the test.
func TestProgramIsKilled(t *testing.T) {
	shell := NeedProgram(t, "sh", "dash")
	var p *Process
	t.Run("forever", func(t *testing.T) { p = Start(t, nil, shell, "-c", "exec sleep 1000") })
	if status := p.Wait(); status != -1 {
		t.Errorf("exit status %d, want -1 for a signal", status)
	}
}

func (r *recorder) Fatalf(format string, args ...any) { r.Errorf("failed: "+format, args...) }
func (r *recorder) Skipf(format string, args ...any)  { r.Errorf("skipped: "+format, args...) }

// TestNeedProgram: what is missing, and how to get it, is said by a skip, or a
// failure where skips are not allowed.
func TestNeedProgram(t *testing.T) {
	Need(t)
	for require, want := range map[string]string{"": "skipped: ", "1": "failed: "} {
		t.Setenv(Require, require)
		var r recorder
		NeedProgram(&r, "no-such-program", "no-such-package")
		if len(r.errors) == 0 || !strings.HasPrefix(r.errors[0], want) || !strings.Contains(r.errors[0], "apt-get install no-such-package") {
			t.Errorf("with %s=%q: %q; want it %s", Require, require, r.errors, want)
		}
	}
}
