package runner

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTests: the table that is checked in has what is published of it.
func TestTests(t *testing.T) {
	tests, err := Tests()
	if err != nil {
		t.Fatal(err)
	}
	var results []Result
	devices, long := 0, 0
	for _, tt := range tests {
		results = append(results, Result{Test: tt, Got: tt.Want})
		devices += tt.Devices
		if tt.Limit == 900*time.Second {
			long++
		}
	}
	want := Summary{Pass: 38, Fail: 3, Counts: Counts{Pass: 2506, Fail: 8, Skip: 12}}
	if diff := cmp.Diff(want, Summarize(results)); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
	if len(tests) != 41 || devices != 43 || long != 3 {
		t.Errorf("%d tests, %d devices, %d with 900 s; want 41, 43, 3", len(tests), devices, long)
	}
}

func TestParseTests(t *testing.T) {
	got, err := parseTests("# comment\n\na 1 300s pass 3 0 12 # more\n  b  3  15m  fail  0 1 0\n")
	want := []Test{
		{Name: "a", Devices: 1, Limit: 5 * time.Minute, Want: Outcome{Passed: true, Counts: Counts{Pass: 3, Skip: 12}}},
		{Name: "b", Devices: 3, Limit: 15 * time.Minute, Want: Outcome{Counts: Counts{Fail: 1}}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, (-want +got):\n%s", err, diff)
	}
}

// TestParseTestsErrors: the message has the line, and what is wrong with it.
func TestParseTestsErrors(t *testing.T) {
	const good = "b 1 300s pass 1 0 0"
	for _, tt := range []struct{ line, want string }{
		{"c 1 300s pass 1 0", "6 fields, want 7"},
		{"c 1 300s pass 1 0 0 0", "8 fields, want 7"},
		{"c x 300s pass 1 0 0", "integer"},
		{"c 1 300 pass 1 0 0", "unit"},
		{"c 1 0s pass 1 0 0", "limit 0s"},
		{"c 0 300s pass 1 0 0", "0 devices"},
		{"c 1 300s PASS 1 0 0", `"PASS"`},
		{"c 1 300s pass 1 1 0", "contradict"},
		{"c 1 300s fail 1 0 0", "contradict"},
		{"c 1 300s pass 0 0 0", "contradict"},
		{good, "it follows b"},
		{"a 1 300s pass 1 0 0", "it follows b"},
	} {
		_, err := parseTests(good + "\n" + tt.line + "\n")
		if err == nil || !strings.Contains(err.Error(), "line 2, "+`"`+tt.line+`"`) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error %v, want its line and %q", tt.line, err, tt.want)
		}
	}
}
