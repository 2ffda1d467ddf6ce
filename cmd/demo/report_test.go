package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

func TestWrap(t *testing.T) {
	words := func(n int) string { return strings.TrimSpace(strings.Repeat("four ", n)) }
	long := strings.Repeat("x", 120)
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "  "},
		{"short", "a  b", "  a  b"},
		{"as long as it may be", strings.Repeat("x", 98), "  " + strings.Repeat("x", 98)},
		{"two lines", words(25), "  " + words(19) + "\n    " + words(6)},
		{"three lines", words(40), "  " + words(19) + "\n    " + words(19) + "\n    " + words(2)},
		{"a word longer than a line", "a " + long + " b", "  a\n    " + long + "\n    b"},
		{"only such a word", long, "  " + long},
		{"a space where the line ends", words(20) + " b", "  " + words(19) + "\n    four b"},
	} {
		if got := wrap(tt.text, "  "); got != tt.want {
			t.Errorf("%s: got\n%q, want\n%q", tt.name, got, tt.want)
		}
	}
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	r := newReport(&out)
	r.Heading("title", "a note")
	r.Section("first", "")
	r.Later("from %s", "another goroutine")
	if strings.Contains(out.String(), "goroutine") {
		t.Error("Later wrote at once")
	}
	r.Line("a %d", 1)
	r.Check("good", "as it should be", nil)
	r.Check("bad", "not shown", errors.New("reason"))
	r.Table([][]string{{"x", "wide", "end"}, {"longer", "y"}})
	r.Table(nil)
	r.draw("not on a terminal")
	r.Watch("neither", nil, 1)()
	r.Closing(green, "done")
	want := `title  a note

first
    from another goroutine
  a 1
  good  as it should be
  bad  FAILED: reason
  x        wide   end
  longer   y
  none

done
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r.Failed() != 1 {
		t.Errorf("%d checks failed, want 1", r.Failed())
	}
}

func TestBar(t *testing.T) {
	for _, tt := range []struct {
		done int64
		want string
	}{
		{0, "[                              ]   0 %     0 MiB    0.00 Gbit/s"},
		{32 << 20, "[===============               ]  50 %    32 MiB    0.27 Gbit/s"},
		{64 << 20, "[==============================] 100 %    64 MiB    0.54 Gbit/s"},
	} {
		if got := bar(tt.done, 64<<20, time.Second); got != tt.want {
			t.Errorf("bar of %d: %q, want %q", tt.done, got, tt.want)
		}
	}
}

func TestCounters(t *testing.T) {
	s := ethstack.Stats{RxFrames: 1, TxBytes: 1234567, ARPReplies: 1000}
	s.ARPIn[arp.NumInputResults-1] = 2
	s.Pending[arp.DropUnreachable] = 3
	s.Drops[ethstack.DropForeign] = 4
	want := [][]string{
		{"frames received", "              1"},
		{"bytes sent", "      1,234,567"},
		{"ARP replies sent", "          1,000"},
		{"ARP in: bad sender", "              2"},
		{"waited, dropped: next hop unreachable", "              3"},
		{"dropped: for another host", "              4"},
	}
	if diff := cmp.Diff(want, counterRows(s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if rows := counterRows(ethstack.Stats{}); len(rows) != 0 {
		t.Errorf("rows of counters that are all zero: %q, want none", rows)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 1 << 63: "9,223,372,036,854,775,808"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		list []int
		want string
	}{{[]int{1}, "1"}, {[]int{1, 2}, "1 and 2"}, {[]int{1, 2, 30}, "1, 2 and 30"}} {
		if got := sizes(tt.list); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.list, got, tt.want)
		}
	}
}

func TestEventText(t *testing.T) {
	e := arp.Event{Addr: absent, HardwareAddr: ethstack.HardwareAddr{2, 1}, Old: ethstack.HardwareAddr{2, 2}, State: arp.Probe}
	for kind, want := range map[arp.EventKind]string{
		arp.EventAdded:    "ARP: 192.0.2.99 is probe at 02:01:00:00:00:00",
		arp.EventState:    "ARP: 192.0.2.99 is probe at 02:01:00:00:00:00",
		arp.EventMoved:    "ARP: 192.0.2.99 has moved from 02:02:00:00:00:00 to 02:01:00:00:00:00",
		arp.EventRemoved:  "ARP: 192.0.2.99 is forgotten",
		arp.EventConflict: "ARP: 02:01:00:00:00:00 has our address 192.0.2.99, too",
	} {
		e.Kind = kind
		if got := eventText(e); got != want {
			t.Errorf("%v: %q, want %q", kind, got, want)
		}
	}
	if got, want := eventText(arp.Event{Addr: absent, State: arp.Failed}), "ARP: 192.0.2.99 is failed"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
