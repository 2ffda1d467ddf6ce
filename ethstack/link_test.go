package ethstack_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/google/go-cmp/cmp"
)

// moody is a device that tells when it is read, and returns what it is told to.
type moody struct {
	ethstack.Device
	reads   chan time.Duration
	results chan error
	clock   ethstack.Clock
}

func (d *moody) Read(_ int, frames []ethstack.Frame) (int, error) {
	d.reads <- d.clock.Now()
	err := <-d.results
	if err != nil {
		return 0, err
	}
	frames[0].Len = copy(frames[0].Bufs[0], numbered(hw1, hw2, 0, 0))
	return 1, nil
}

// record is a log that keeps its messages.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) count(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), what)
}

// TestReadErrors: a device that fails to read is asked again, after ever longer
// times; once it reads, it is as if nothing had been.
func TestReadErrors(t *testing.T) {
	quiet := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	clock := quiet.clock
	dev := &moody{Device: quiet.port, reads: make(chan time.Duration), results: make(chan error), clock: clock}
	var log record
	l, err := ethstack.NewLink(dev, ethstack.LinkOptions{Clock: clock, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	i, err := l.NewInterface(ethstack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l.Start()
	l.Start()
	wait := func() time.Duration {
		t.Helper()
		select {
		case at := <-dev.reads:
			return at
		case <-time.After(patience):
			t.Fatal("the device is not read")
			panic("unreachable")
		}
	}
	// fail returns how long after an error the device is read again.
	fail := func() time.Duration {
		t.Helper()
		dev.results <- errors.New("not now")
		before := clock.Now()
		until(t, "a timer is set", func() bool { _, ok := clock.Next(); return ok })
		if !clock.Step() {
			t.Fatal("no timer was set")
		}
		return wait() - before
	}
	wait()
	var pauses []string
	for range 11 {
		pauses = append(pauses, fail().String())
	}
	want := []string{"1ms", "2ms", "4ms", "8ms", "16ms", "32ms", "64ms", "128ms", "250ms", "250ms", "250ms"}
	if diff := cmp.Diff(want, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	if n := log.count("device keeps failing"); n != 1 {
		t.Errorf("the log says so %d times, want once", n)
	}
	dev.results <- nil
	wait()
	if got := fail(); got != time.Millisecond {
		t.Errorf("after a frame was read, the next error causes a pause of %v, want 1ms", got)
	}
	if st := i.Stats(); st.RxErrors != 12 || st.RxFrames != 1 {
		t.Errorf("%d errors and %d frames counted, want 12 and 1", st.RxErrors, st.RxFrames)
	}
	// Close does not wait for the end of a pause.
	dev.results <- errors.New("not now")
	until(t, "a timer is set", func() bool { _, ok := clock.Next(); return ok })
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, ok := clock.Next(); ok {
		t.Error("a timer is set after Close")
	}
	l.Start() // does nothing
	select {
	case <-dev.reads:
		t.Error("the device is read after Close")
	default:
	}
}

// badInfo is a device that describes itself badly.
type badInfo struct {
	ethstack.Device
	mtu, queues int
}

func (d badInfo) Info() ethstack.DeviceInfo { return ethstack.DeviceInfo{Name: "bad", MTU: d.mtu} }
func (d badInfo) Queues() int               { return d.queues }

// TestNewLinkRefuses lists devices that cannot be a link's, and options that
// cannot be an interface's.
func TestNewLinkRefuses(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	for _, c := range []struct {
		dev  ethstack.Device
		want string
	}{
		{nil, "a link needs a device"},
		{badInfo{s.port, 67, 1}, "MTU of 67: want 68"},
		{badInfo{s.port, 65536, 1}, "MTU of 65536"},
		{badInfo{s.port, 1500, 0}, "0 queues: want at least 1"},
	} {
		if _, err := ethstack.NewLink(c.dev, ethstack.LinkOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("NewLink: %v; want an error with %q", err, c.want)
		}
		if err := s.i.Link().Replace(c.dev); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Replace: %v; want an error with %q", err, c.want)
		}
	}
	_, err := ethstack.Connect(s.port, ethstack.Options{ARP: arp.Config{MaxEntries: -1}})
	if err == nil || !strings.Contains(err.Error(), "MaxEntries is -1") {
		t.Errorf("Connect with a bad ARP config: %v", err)
	}
	_, err = ethstack.ConnectLink(s.port, ethstack.Options{}, ethstack.LinkOptions{
		NewReceiver: func(int) ethstack.Receiver { return nil },
	})
	if err == nil || !strings.Contains(err.Error(), "NewReceiver must be nil") {
		t.Errorf("ConnectLink with a receiver: %v", err)
	}
	s.Disconnect()
	if _, err := s.i.Link().NewInterface(ethstack.Options{}); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("NewInterface on a closed link: %v, want %v", err, ethstack.ErrDisconnected)
	}
}

// TestConnectGivesDeviceBack: a Connect that fails leaves the device alone.
func TestConnectGivesDeviceBack(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	var states []ethstack.LinkState
	_, err := ethstack.ConnectLink(s.port, ethstack.Options{HardwareAddr: hwAll}, ethstack.LinkOptions{
		OnState: func(state ethstack.LinkState) { states = append(states, state) },
	})
	if err == nil {
		t.Fatal("Connect with a broadcast address as our own: no error")
	}
	s.port.SetLinkState(ethstack.LinkDown)
	s.clock.Advance(0)
	if diff := cmp.Diff([]ethstack.LinkState{ethstack.LinkUp}, states); diff != "" {
		t.Errorf("states told (-want +got):\n%s", diff)
	}
}

// teller is a device whose link's state a test tells.
type teller struct {
	ethstack.Device
	tell func(ethstack.LinkState)
}

func (d *teller) Notify(f func(ethstack.LinkState)) {
	if f != nil {
		d.tell = f
		f(ethstack.LinkUp)
	}
}

// TestReplacedDeviceHasNoSay: a device that was replaced may be about to tell of
// its link: that is not the link's any more.
func TestReplacedDeviceHasNoSay(t *testing.T) {
	s, spare := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}), newStation(t, ethstack.Options{}, ethstack.LinkOptions{})
	old := &teller{Device: s.port}
	l, err := ethstack.NewLink(old, ethstack.LinkOptions{Clock: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Replace(spare.port); err != nil {
		t.Fatal(err)
	}
	old.tell(ethstack.LinkGone)
	if got := l.State(); got != ethstack.LinkUp {
		t.Errorf("the link is %v, want it up", got)
	}
}
