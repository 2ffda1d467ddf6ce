package runner

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// results has each kind of result once.
func results() []Result {
	pass := func(c Counts) Outcome { return Outcome{Passed: true, Counts: c} }
	fail := func(c Counts) Outcome { return Outcome{Counts: c} }
	good, bad := pass(Counts{Pass: 3}), fail(Counts{Pass: 1, Fail: 5})
	return []Result{
		{Test: Test{Name: "as_expected", Want: good}, Got: good, Took: 1500 * time.Millisecond},
		{Test: Test{Name: "fails_as_expected", Want: bad}, Got: bad, Output: "--- FAIL\n"},
		{Test: Test{Name: "fails", Want: good}, Got: fail(Counts{Pass: 1, Fail: 2}), Failed: []string{"TestA/x"}, Output: "it said\n"},
		{Test: Test{Name: "passes", Want: bad}, Got: pass(Counts{Pass: 6})},
		{Test: Test{Name: "fewer_subtests", Want: good}, Got: pass(Counts{Pass: 2})},
		{Test: Test{Name: "other_subtests_fail", Want: bad}, Got: fail(Counts{Fail: 6}), Failed: strings.Fields("a b c d e f g")},
		{Test: Test{Name: "none", Want: good}, Err: errors.New("no none_test")},
		{Test: Test{Name: "left_out", Want: good}, NotRun: "interrupted"},
	}
}

func TestDifference(t *testing.T) {
	var got []string
	for _, r := range results() {
		got = append(got, r.Difference())
	}
	want := []string{
		"",
		"",
		"fails, pass/fail/skip 1/2/0, want 3/0/0; failed: TestA/x",
		"passes, and is expected to fail, so pass/fail/skip 6/0/0, want 1/5/0",
		"other subtests: pass/fail/skip 2/0/0, want 3/0/0",
		"other subtests: pass/fail/skip 0/6/0, want 1/5/0; failed: a, b, c, d, e and 2 more",
		"no none_test",
		"",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
}

func TestSummarize(t *testing.T) {
	want := Summary{Pass: 3, Fail: 3, NoResult: 1, NotRun: 1, Different: 5, Counts: Counts{Pass: 13, Fail: 13}}
	if diff := cmp.Diff(want, Summarize(results())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	WriteHeader(&b)
	for _, r := range results() {
		WriteRow(&b, r)
	}
	WriteSummary(&b, results()[:3], 12*time.Second)
	const want = `
test                                     pass/fail/skip  seconds
------------------------------------------------------------------------
as_expected                        pass           3/0/0      1.5
fails_as_expected                  fail           1/5/0      0.0  as upstream expects of netstack
fails                              FAIL           1/2/0      0.0  UNEXPECTED
passes                             PASS           6/0/0      0.0  UNEXPECTED
fewer_subtests                     PASS           2/0/0      0.0  UNEXPECTED
other_subtests_fail                FAIL           0/6/0      0.0  UNEXPECTED
none                               ERROR                     0.0  UNEXPECTED
left_out                           -                              not run
------------------------------------------------------------------------
1 pass, 2 fail; of their tests and subtests 5 pass, 7 fail, 0 are skipped; 12 s

Not as expected: 1

fails: fails, pass/fail/skip 1/2/0, want 3/0/0; failed: TestA/x
    it said
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSummaryOfAllAsExpected(t *testing.T) {
	var b bytes.Buffer
	WriteSummary(&b, results()[:2], 0)
	if want := "Nothing differs from what is expected.\n"; !strings.HasSuffix(b.String(), want) {
		t.Errorf("%q does not end with %q", b.String(), want)
	}
}

func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	if err := WriteJUnit(&b, "packetimpact-ethlink", results(), 12*time.Second); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.String(), "<?xml") {
		t.Errorf("it begins %.20q", b.String())
	}
	var got suite
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	kaseOf := func(name string) kase {
		return kase{Class: "packetimpact-ethlink", Name: name, Time: "0.000"}
	}
	want := suite{
		XMLName: xml.Name{Local: "testsuite"}, Name: "packetimpact-ethlink",
		Tests: 8, Failures: 4, Errors: 1, Skipped: 1, Time: "12.000",
	}
	for _, r := range results() {
		k := kaseOf(r.Test.Name)
		k.Output = r.Output
		switch r.Test.Name {
		case "as_expected":
			k.Time = "1.500"
		case "fails_as_expected":
		case "none":
			k.Error = &message{"no none_test"}
		case "left_out":
			k.Skipped = &message{"interrupted"}
		default:
			k.Failure = &message{r.Difference()}
		}
		want.Cases = append(want.Cases, k)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
