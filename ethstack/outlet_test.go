package ethstack_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// A crowded device takes or refuses each frame as its script for that call says,
// and everything when the script is over.
type crowded struct {
	ethstack.Device
	offloads ethstack.Offloads
	script   []string // a letter a frame: t taken, f full, e another error
	clock    ethstack.Clock
	calls    []string // when, and the last byte of each frame
	notify   func(ethstack.LinkState)
}

func (d *crowded) Notify(f func(ethstack.LinkState)) {
	d.notify = f
	d.Device.Notify(f)
}

var errOther = errors.New("other")

func (d *crowded) Info() ethstack.DeviceInfo {
	info := d.Device.Info()
	info.Offloads = d.offloads
	return info
}

func (d *crowded) Write(_ int, frames []ethstack.Frame) (n int, first error) {
	call := d.clock.Now().String() + " "
	script := ""
	if len(d.script) > 0 {
		script, d.script = d.script[0], d.script[1:]
	}
	for k := range frames {
		bufs := frames[k].Bufs
		last := bufs[len(bufs)-1]
		call += string(last[len(last)-1])
		err := error(nil)
		if k < len(script) {
			err = map[byte]error{'t': nil, 'f': ethstack.ErrNoBufferSpace, 'e': errOther}[script[k]]
		}
		if frames[k].Err = err; err == nil {
			n++
		} else if first == nil {
			first = err
		}
	}
	d.calls = append(d.calls, call)
	return n, first
}

// passing is a clock on which all that is waited for passes at once.
type passing struct{ ethtest.ManualClock }

func (c *passing) AfterFunc(d time.Duration, f func()) ethstack.Timer {
	t := c.ManualClock.AfterFunc(d, f)
	c.Advance(d)
	return t
}

// lettered returns frames that end with the letters of s.
func lettered(s string) (frames []ethstack.Frame) {
	for k := range len(s) {
		b := make([]byte, 60)
		copy(b, hw2[:])
		copy(b[6:], hw1[:])
		b[12], b[13], b[59] = 0x88, 0xb5, s[k]
		frames = append(frames, ethstack.Frame{Bufs: [][]byte{b}})
	}
	return frames
}

func crowdedStation(t *testing.T, clock ethstack.Clock, script []string, v ethstack.VLAN) (*crowded, *ethstack.Interface) {
	t.Helper()
	d := &crowded{Device: newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).port, clock: clock}
	l, err := ethstack.NewLink(d, ethstack.LinkOptions{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	i, err := l.NewInterface(ethstack.Options{VLAN: v})
	if err != nil {
		t.Fatal(err)
	}
	d.script, d.calls = script, nil
	return d, i
}

// TestWriteWait: what the device has no room for is offered again, after ever
// longer pauses while nothing moves; what it refuses is not.
func TestWriteWait(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script []string
		want   []string
		sent   int
		err    error
	}{
		{"all at once", nil, []string{"0s abcd"}, 4, nil},
		{"in two parts", []string{"ttff"}, []string{"0s abcd", "50µs cd"}, 4, nil},
		{"what was refused is left", []string{"teff", "ff"}, []string{"0s abcd", "50µs cd", "150µs cd"}, 3, errOther},
		{"one between others", []string{"tftt"}, []string{"0s abcd", "50µs b"}, 4, nil},
		{"two runs", []string{"ftft", "f"}, []string{"0s abcd", "50µs a", "150µs a", "200µs c"}, 4, nil},
		{
			"pauses double to 5 ms", []string{"ffff", "ffff", "ffff", "ffff", "ffff", "ffff", "ffff", "ffff", "ffff", "ffff"},
			[]string{"0s abcd", "50µs abcd", "150µs abcd", "350µs abcd", "750µs abcd", "1.55ms abcd", "3.15ms abcd", "6.35ms abcd",
				"11.35ms abcd", "16.35ms abcd", "21.35ms abcd"}, 4, nil,
		},
		{"refused later", []string{"tfff", "efe"}, []string{"0s abcd", "50µs bcd", "150µs c"}, 2, errOther},
	} {
		d, i := crowdedStation(t, new(passing), tt.script, ethstack.VLAN{})
		sent, err := i.WriteWait(make(chan struct{}), 0, lettered("abcd"))
		if diff := cmp.Diff(tt.want, d.calls); diff != "" || sent != tt.sent || err != tt.err {
			t.Errorf("%s: %d sent, %v; want %d, %v; calls (-want +got):\n%s", tt.name, sent, err, tt.sent, tt.err, diff)
		}
		if st := i.Stats(); st.TxFrames != uint64(tt.sent) || st.Drops[ethstack.DropTxFull] != 0 {
			t.Errorf("%s: counted as sent %d, as dropped %d", tt.name, st.TxFrames, st.Drops[ethstack.DropTxFull])
		}
	}
}

// TestWriteWaitEnds: waiting ends with stop; what there is no room for then is
// dropped, counted, as it is by Write.
func TestWriteWaitEnds(t *testing.T) {
	d, i := crowdedStation(t, new(ethtest.ManualClock), []string{"f", "f"}, ethstack.VLAN{})
	stopped := make(chan struct{})
	close(stopped)
	n, err := i.WriteWait(stopped, 0, lettered("a"))
	if n != 0 || err != ethstack.ErrNoBufferSpace || len(d.calls) != 1 {
		t.Errorf("after stop: %d sent, %v, %d calls; want 0, no buffer space, 1", n, err, len(d.calls))
	}
	n, err = i.Write(0, lettered("a"))
	if n != 0 || err != ethstack.ErrNoBufferSpace || len(d.calls) != 2 {
		t.Errorf("Write: %d sent, %v, %d calls in all; want 0, no buffer space, 2", n, err, len(d.calls))
	}
	if got := i.Stats().Drops[ethstack.DropTxFull]; got != 2 {
		t.Errorf("%d counted as dropped, want 2", got)
	}
}

// TestWriteWaitDown: nothing waits for a link that is down.
func TestWriteWaitDown(t *testing.T) {
	d, i := crowdedStation(t, new(ethtest.ManualClock), []string{"f"}, ethstack.VLAN{})
	d.notify(ethstack.LinkDown)
	n, err := i.WriteWait(make(chan struct{}), 0, lettered("a"))
	if n != 0 || err != ethstack.ErrNoBufferSpace || len(d.calls) != 1 {
		t.Errorf("%d sent, %v, %d calls; want 0, no buffer space, 1", n, err, len(d.calls))
	}
}

// TestWriteWaitSegments: a super-frame that is segmented in software goes on
// where the device's room ended, in a VLAN too, and no segment is sent twice.
func TestWriteWaitSegments(t *testing.T) {
	for _, v := range []ethstack.VLAN{{}, {{ID: 5}}} {
		d, i := crowdedStation(t, new(passing), []string{"ttff", "tf"}, v)
		f := superFrame("abcd")
		n, err := i.WriteWait(make(chan struct{}), 0, []ethstack.Frame{f})
		want := []string{"0s abcd", "50µs cd", "100µs d"}
		if diff := cmp.Diff(want, d.calls); diff != "" || n != 1 || err != nil {
			t.Errorf("VLAN %v: %d sent, %v; calls (-want +got):\n%s", v, n, err, diff)
		}
	}
}

// superFrame returns one over TCP whose segments carry one letter each.
func superFrame(letters string) ethstack.Frame {
	b := lettered("x")[0].Bufs[0][:ethstack.HeaderLen]
	b[12], b[13] = 8, 0
	b = append(b, 0x45, 0, 0, byte(40+len(letters)), 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)
	tcp := make([]byte, 20)
	tcp[12] = 5 << 4
	b = append(append(b, tcp...), letters...)
	return ethstack.Frame{Bufs: [][]byte{b}, Offload: ethstack.Offload{
		Flags: ethstack.NeedsChecksum, ChecksumStart: 34, ChecksumOffset: 16,
		Segment: ethstack.SegmentTCPv4, SegmentSize: 1, HeaderLen: 54,
	}}
}
