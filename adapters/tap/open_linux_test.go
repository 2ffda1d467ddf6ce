package tap_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestInterfaceThatExists: made for one queue or for several, it is opened by
// its name, again and again.
func TestInterfaceThatExists(t *testing.T) {
	nstest.CheckLeaks(t)
	makePersistent(t, "one0", oneQueue)
	makePersistent(t, "several0", multiQueues)
	for _, o := range []tap.Options{
		{Name: "one0"}, {Name: "one0", Queues: 1},
		{Name: "several0"}, {Name: "several0", Queues: 1}, {Name: "several0", Queues: 2}, {Name: "several0", Queues: someQueues},
		{Name: "several0", Queues: 2, NoOffload: true},
	} {
		d := open(t, o)
		if got, want := d.Queues(), max(o.Queues, 1); got != want || d.Info().Name != o.Name {
			t.Errorf("%+v: device %q has %d queues, want %d", o, d.Info().Name, got, want)
		}
		if got := d.Info().Offloads; (got == 0) != o.NoOffload {
			t.Errorf("%+v: offloads %v", o, got)
		}
		kernel := wiretest.Listen(t, o.Name, false)
		queue := queueOfExperiments(t, d, kernel)
		if queue >= d.Queues() {
			t.Errorf("%+v: a frame came in on queue %d of %d", o, queue, d.Queues())
		}
		for q := range d.Queues() {
			want := wiretest.Frame(60, byte(q))
			if n, err := d.Write(q, []ethstack.Frame{{Bufs: [][]byte{want}}}); n != 1 || err != nil {
				t.Errorf("%+v: Write to queue %d: %d, %v", o, q, n, err)
			}
			if _, got := kernel.Receive(t); !bytes.Equal(got, want) {
				t.Errorf("%+v: through queue %d came %x, want %x", o, q, got, want)
			}
		}
		wiretest.Check(t, d.Close())
	}
}

// TestRefusedTAPs: what Open cannot use it says why, and leaves files alone.
func TestRefusedTAPs(t *testing.T) {
	nstest.NeedTUN(t)
	makePersistent(t, "one0", oneQueue)
	file := func(name string, flags uint16) func(testing.TB) []*os.File {
		return func(t testing.TB) []*os.File { return []*os.File{queueFile(t, name, flags)} }
	}
	for _, tt := range []struct {
		name  string
		files func(testing.TB) []*os.File
		o     tap.Options
		want  []string
	}{
		{"one queue by name", nil, tap.Options{Name: "one0", Queues: 2}, []string{`"one0"`, "single queue", "multi_queue"}},
		{"no TAP", nil, tap.Options{Name: "lo"}, []string{`"lo"`, "no TAP"}},
		{"without interface", file("", 0), tap.Options{}, []string{"Files[0]", "TUNSETIFF"}},
		{"a TUN", file("tun0", unix.IFF_TUN|unix.IFF_NO_PI), tap.Options{}, []string{"tun0", "IP packets"}},
		{"with packet information", file("info0", unix.IFF_TAP), tap.Options{}, []string{"info0", "IFF_NO_PI"}},
		{"another name", file("this0", oneQueue), tap.Options{Name: "that0"}, []string{`"this0"`, `"that0"`, "leave Name out"}},
		{"no TAP at all", func(t testing.TB) []*os.File {
			f, err := os.Open("/dev/null")
			wiretest.Check(t, err)
			t.Cleanup(func() { f.Close() })
			return []*os.File{f}
		}, tap.Options{}, []string{"Files[0]", "no TAP"}},
		{"two interfaces", func(t testing.TB) []*os.File {
			return []*os.File{queueFile(t, "this0", multiQueues), queueFile(t, "that0", multiQueues)}
		}, tap.Options{}, []string{"Files[1]", `"that0"`, `"this0"`}},
		{"one queue twice", func(t testing.TB) []*os.File {
			f := queueFile(t, "this0", oneQueue)
			return []*os.File{f, f}
		}, tap.Options{}, []string{"2 Files", "this0", "one queue"}},
		{"a detached queue", func(t testing.TB) []*os.File {
			files := queueFiles(t, "this0")
			ifr, err := unix.NewIfreq("this0")
			wiretest.Check(t, err)
			ifr.SetUint16(unix.IFF_DETACH_QUEUE)
			wiretest.Check(t, unix.IoctlIfreq(int(files[2].Fd()), unix.TUNSETQUEUE, ifr))
			return files
		}, tap.Options{}, []string{"Files[2]", "detached", "TUNSETQUEUE"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.files != nil {
				tt.o.Files = tt.files(t)
			}
			nstest.CheckLeaks(t)
			d, err := tap.Open(tt.o)
			if err == nil {
				d.Close()
				t.Fatal("Open succeeded")
			}
			for _, part := range append(tt.want, "tap: ") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			for _, f := range tt.o.Files {
				if _, err := f.Stat(); err != nil {
					t.Errorf("a file cannot be used any more: %v", err)
				}
			}
		})
	}
}

// TestFilesBelongToTheDevice: those of the caller are closed, the interface ends
// with the device.
func TestFilesBelongToTheDevice(t *testing.T) {
	nstest.NeedTUN(t)
	for _, n := range []int{1, someQueues} {
		files := queueFiles(t, "passed0")
		for _, f := range files[n:] {
			wiretest.Check(t, f.Close())
		}
		d := open(t, tap.Options{Files: files[:n]})
		if got := d.Queues(); got != n {
			t.Errorf("%d queues of %d files", got, n)
		}
		for _, f := range files[:n] {
			if _, err := f.Stat(); err == nil {
				t.Error("a file that belongs to the device is still open")
			}
		}
		wiretest.Check(t, d.Close())
		if _, err := netns.Link("passed0"); err == nil {
			t.Error("the interface is there after Close")
		}
	}
}
