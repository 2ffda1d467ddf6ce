package bench

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// quick returns the options of a quick run.
func quick(t testing.TB, subjects, tests string) Options {
	t.Helper()
	o := Options{Rounds: 1, Duration: 20 * time.Millisecond, Progress: t.Output()}
	if err := o.Pick(subjects, tests, false); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestRun: everything works with every subject of ours, whatever it measures.
// What gVisor's endpoints fail at is for the tables to say, not for tests.
func TestRun(t *testing.T) {
	nstest.NeedTUN(t)
	nstest.CheckLeaks(t)
	o := quick(t, "", QuickTests)
	r, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range o.Subjects {
		for _, x := range o.Tests {
			list := r.samples[[2]string{s.Name, x.Name}]
			if len(list) != 1 {
				t.Fatalf("%s has %d samples of %s, want 1", s.Name, len(list), x.Name)
			}
			if y := list[0]; y.missing() {
				if s.side != sideGVisor {
					t.Errorf("%s is missing of %s", x.Name, s.Name)
				}
			} else if y.Rate <= 0 || y.CPU < 0 || y.Machine < 0 || y.Allocs < 0 || x.Kind.pingPong() && (y.P50 <= 0 || y.P99 < y.P50) {
				t.Errorf("%s of %s measured %+v", x.Name, s.Name, y)
			}
		}
	}
	if r.Machine.CPU == "" || r.Machine.Cores == 0 || !strings.HasPrefix(r.Machine.Kernel, "Linux ") || !strings.HasPrefix(r.Machine.Go, "go") {
		t.Errorf("the machine is %+v", r.Machine)
	}
}

// TestRunGoesOnWithoutASubject that cannot be had, and says why once.
func TestRunGoesOnWithoutASubject(t *testing.T) {
	nstest.Need(t)
	o := quick(t, "kernel", "udp4-in-64,pingpong-udp4")
	o.Subjects = append([]Subject{{Name: "strange", side: sideOurs, wire: wireVeth}}, o.Subjects...)
	r, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	want := `strange is left out: the subject: open: nobody knows how to open subject "strange"`
	if got := strings.Join(r.Problems(), "\n"); got != want {
		t.Errorf("problems:\n%s\nwant:\n%s", got, want)
	}
	if v := r.median(o.Subjects[1], o.Tests[0], rateOf); !(v.Median > 0) {
		t.Errorf("the other subject measured %v", v)
	}
}

// open returns the kernel as a subject.
func open(t *testing.T) *pair {
	t.Helper()
	nstest.Need(t)
	p, err := openPair(Subjects()[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// TestADeadProcessFailsTheTest, and the next one gets new processes.
func TestADeadProcessFailsTheTest(t *testing.T) {
	p := open(t)
	o := quick(t, "kernel", "tcp4-out-1")
	r := &runner{o: o, r: &Results{}, skipped: map[string]bool{}, pairs: map[string]*pair{"kernel": p}}
	p.peer.cmd.Process.Kill()
	if x := r.one(1, o.Subjects[0], o.Tests[0]); !x.missing() || len(r.r.problems) != 1 || !strings.Contains(r.r.problems[0], "tcp4-out-1 failed with kernel: the peer: ") {
		t.Errorf("with a dead peer: %+v, problems %q", x, r.r.problems)
	}
	if x := r.one(1, o.Subjects[0], o.Tests[0]); x.missing() {
		t.Errorf("with new processes: %q", r.r.problems)
	}
	r.drop(o.Subjects[0])
}

// TestProfile: it is written while the test runs.
func TestProfile(t *testing.T) {
	p := open(t)
	o := quick(t, "kernel", "tcp4-in-1")
	path := filepath.Join(t.TempDir(), "profile")
	if _, _, err := p.measure(o.Tests[0], o.Duration, path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("the profile is %v, %v", info, err)
	}
}

// TestWhatIsWrongIsFound: a sender whose data is another fails each kind of
// test.
func TestWhatIsWrongIsFound(t *testing.T) {
	nstest.Need(t)
	right := newPattern()
	wrong := newPattern()
	for i := 100; i < len(wrong); i++ {
		wrong[i] ^= 1
	}
	local := netip.MustParseAddrPort("127.0.0.1:0")
	for _, tt := range []struct {
		test    Test
		receive func(station, Test, netip.AddrPort, pattern) (load, uint16, error)
		send    func(station, Test, netip.AddrPort, pattern) (load, error)
	}{
		{Test{Kind: kindTCP, Flows: 1}, receiveStreams, sendStreams},
		{Test{Kind: kindUDP, Flows: 1, Size: 1400}, receiveDatagrams, sendDatagrams},
	} {
		t.Run(string(tt.test.Kind), func(t *testing.T) {
			nstest.CheckLeaks(t)
			for _, p := range []pattern{right, wrong} {
				r, port, err := tt.receive(kernel{}, tt.test, local, right)
				if err != nil {
					t.Fatal(err)
				}
				s, err := tt.send(kernel{}, tt.test, netip.AddrPortFrom(local.Addr(), port), p)
				if err != nil {
					t.Fatal(err)
				}
				c := r.(*crew)
				for deadline := time.Now().Add(10 * time.Second); r.done() < 1<<16 && c.failed() == nil && time.Now().Before(deadline); {
					time.Sleep(time.Millisecond)
				}
				r.end()
				s.end()
				o := r.finish(0, 0)
				s.finish(0, 0)
				if isWrong := &p[0] == &wrong[0]; (o.Problem != "") != isWrong {
					t.Errorf("problem %q; the data was wrong: %v", o.Problem, isWrong)
				}
			}
		})
	}
}

func (c *crew) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problem
}

// TestDatagramsOutOfOrder are told, and not counted.
func TestDatagramsOutOfOrder(t *testing.T) {
	nstest.Need(t)
	p := newPattern()
	l, port, err := receiveDatagrams(kernel{}, Test{Kind: kindUDP, Size: 64}, netip.MustParseAddrPort("127.0.0.1:0"), p)
	if err != nil {
		t.Fatal(err)
	}
	d, err := kernel{}.sendTo(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var batch [][]byte
	for _, number := range []uint64{0, 1, 1, 5, 3, 9} {
		b := append([]byte(nil), p[:64]...)
		p.fill(b, number)
		batch = append(batch, b)
	}
	d.send(batch)
	for deadline := time.Now().Add(10 * time.Second); l.done() < 4 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n, o := l.done(), l.finish(0, 0); n != 4 || o.Late != 2 || o.Problem != "" {
		t.Errorf("%d counted, %d late, problem %q; want 4, 2, none", n, o.Late, o.Problem)
	}
}

func TestParseStat(t *testing.T) {
	got, err := parseStat([]byte("cpu  10 20 30 4000 50 6 7 800 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"))
	if want := 730 * time.Millisecond; got != want || err != nil {
		t.Errorf("busy %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8", "cpu a b c d e f g h"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// TestSampleOf: each process's time is measured by its own clock.
func TestSampleOf(t *testing.T) {
	start := time.Now()
	before := moment{at: start}
	after := moment{
		own:     usage{At: 2 * time.Second, CPU: time.Second, Allocs: 200},
		peer:    usage{At: 4 * time.Second, CPU: time.Second},
		machine: 2 * time.Second, at: start.Add(2 * time.Second),
	}
	s := sampleOf(before, after, 50)
	if s.CPU != 0.01 || s.Machine != 0.02 || s.Allocs != 2 || s.Rate != 50 {
		t.Errorf("%+v, want 10 ms, 20 ms and 2 allocations a unit", s)
	}
	if s.Other <= 0 {
		t.Errorf("something else used %v of the machine, want more than 0", s.Other)
	}
}

func TestCallAnswersErrors(t *testing.T) {
	p := open(t)
	if _, err := p.own.call(request{Do: "dance"}); err == nil || !strings.Contains(err.Error(), `told to "dance"`) {
		t.Errorf("error %v", err)
	}
	p.own.stop()
	if _, err := p.own.call(request{Do: doSample}); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("of a process that has ended: %v", err)
	}
}
