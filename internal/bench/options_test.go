package bench

import (
	"strings"
	"testing"
	"time"
)

func names(o Options) string {
	var list []string
	for _, s := range o.Subjects {
		list = append(list, s.Name)
	}
	list = append(list, "|")
	for _, t := range o.Tests {
		list = append(list, t.Name)
	}
	return strings.Join(list, " ")
}

func TestPick(t *testing.T) {
	for _, tt := range []struct {
		subjects, tests string
		expert          bool
		want            string
	}{
		{"", "pingpong-*", false,
			"kernel fdbased-tap channel-tap fdbased-packet fdbased-packet-gso ethlink-tap ethlink-tap-queue ethlink-tap-plain ethlink-packet ethlink-packet-queue | pingpong-tcp4 pingpong-udp4"},
		// In their own order, each once.
		{"ethlink-tap,kernel,kern*", "udp4-in-*,udp4-in-64", false, "kernel ethlink-tap | udp4-in-64 udp4-in-1400"},
		{"kernel,fdbased-tap", "tcp4-out-1", true, "kernel fdbased-tap fdbased-tap-expert | tcp4-out-1"},
		{"*-expert", "tcp?-in-64", false,
			"fdbased-tap-expert channel-tap-expert fdbased-packet-expert fdbased-packet-gso-expert | tcp4-in-64 tcp6-in-64"},
	} {
		t.Run(tt.subjects+" "+tt.tests, func(t *testing.T) {
			var o Options
			if err := o.Pick(tt.subjects, tt.tests, tt.expert); err != nil {
				t.Fatal(err)
			}
			if got := names(o); got != tt.want {
				t.Errorf("picked\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestPickNamesWhatMatchesNothing(t *testing.T) {
	for _, tt := range []struct{ subjects, tests, want string }{
		{"kernel,ethlink", "*", `no subject is called "ethlink": there are kernel, fdbased-tap,`},
		{"kernel", "tcp5-*", `no test is called "tcp5-*": there are tcp4-out-1,`},
		{"[", "*", `no subject is called "["`},
		{"kernel", "", `no test is called ""`},
	} {
		var o Options
		if err := o.Pick(tt.subjects, tt.tests, false); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Pick(%q, %q): %v; want an error with %q", tt.subjects, tt.tests, err, tt.want)
		}
	}
}

// TestQuickTestsUseEverything: each kind, both versions of IP, both directions.
func TestQuickTestsUseEverything(t *testing.T) {
	var o Options
	if err := o.Pick("", QuickTests, false); err != nil {
		t.Fatal(err)
	}
	seen := map[any]bool{}
	for _, x := range o.Tests {
		seen[x.Kind], seen["v"+version(x.IPv6)], seen[direction(x.Out)] = true, true, true
	}
	for _, want := range []any{kindTCP, kindUDP, kindPingTCP, kindPingUDP, "v4", "v6", "in", "out"} {
		if !seen[want] {
			t.Errorf("no quick test has %v", want)
		}
	}
}

func TestNamesAndTitlesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Subjects() {
		if seen[s.Name] || seen[s.What] {
			t.Errorf("subject %q (%s) is there twice", s.Name, s.What)
		}
		seen[s.Name], seen[s.What] = true, true
	}
	for _, x := range Tests() {
		if seen[x.Name] || seen[x.Title()] {
			t.Errorf("test %q (%s) is there twice", x.Name, x.Title())
		}
		seen[x.Name], seen[x.Title()] = true, true
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{Subjects: Subjects(), Tests: Tests(), Rounds: 1, Duration: time.Second}
	if err := good.check(); err != nil {
		t.Errorf("good options: %v", err)
	}
	for want, change := range map[string]func(*Options){
		"0 subjects":   func(o *Options) { o.Subjects = nil },
		"0 tests":      func(o *Options) { o.Tests = nil },
		"0 rounds":     func(o *Options) { o.Rounds = 0 },
		"1001 rounds":  func(o *Options) { o.Rounds = 1001 },
		"duration 1ms": func(o *Options) { o.Duration = time.Millisecond },
		"duration 1h":  func(o *Options) { o.Duration = time.Hour },
	} {
		o := good
		change(&o)
		if err := o.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
